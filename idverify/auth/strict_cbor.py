"""CTAP2 canonical CBOR (CTAP 2.2 section 8): integers, strings, arrays, maps, booleans and null in their one spelling.

Tags, floats and indefinite lengths are no part of it, so nothing here ever interprets them. Bytes come from strangers:
they are read in place, and what they claim of their own length is never believed.

>>> decode(bytes.fromhex("a1010a"))
{1: 10}
"""

from __future__ import annotations

from typing import Any, Final

# CTAP allows 4 levels; compound attestation (WebAuthn L3 section 8.9) puts statements into one array more.
MAX_DEPTH: Final = 5
_LEAST: Final = {24: 24, 25: 2**8, 26: 2**16, 27: 2**32}  # what is smaller has a shorter spelling
_SIMPLE: Final = {20: False, 21: True, 22: None}


def decode(data: bytes) -> Any:
    """The one value that ``data`` spells. Raises ``ValueError`` with the reason."""
    value, length = decode_first(data)
    if length != len(data):
        raise ValueError("bytes follow after the end")
    return value


def decode_first(data: bytes) -> tuple[Any, int]:
    """The value that ``data`` begins with, and how many bytes spell it. Raises ``ValueError`` with the reason."""
    reader = _Reader(data)
    return reader.value(MAX_DEPTH), reader.position


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def value(self, levels: int) -> Any:
        major, argument = self._head()
        if major in {4, 5}:
            if levels == 0:
                raise ValueError(f"it is nested deeper than {MAX_DEPTH}")
            return self._array(argument, levels - 1) if major == 4 else self._map(argument, levels - 1)
        return self._scalar(major, argument)

    def _scalar(self, major: int, argument: int) -> Any:
        match major:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2:
                return self._take(argument)
            case 3:
                return self._take(argument).decode("utf-8")
            case 7 if argument in _SIMPLE:
                return _SIMPLE[argument]
        raise ValueError("tags, floats and other simple values have no place in it")

    def _array(self, items: int, levels: int) -> list[Any]:
        return [self.value(levels) for _ in range(items)]

    def _map(self, pairs: int, levels: int) -> dict[int | str, Any]:
        members: dict[int | str, Any] = {}
        last = b""
        for _ in range(pairs):
            start = self.position
            key = self.value(0)
            if type(key) not in {int, str}:
                raise ValueError("the keys of a map must be integers or text")
            spelled = self._data[start : self.position]
            if spelled <= last:  # of two spellings in order, none is the other's equal
                raise ValueError("the keys of a map must be in order, each once")
            members[key], last = self.value(levels), spelled
        return members

    def _head(self) -> tuple[int, int]:
        major, info = divmod(self._take(1)[0], 32)
        if info < 24:
            return major, info
        if info not in _LEAST:
            raise ValueError("lengths must be definite")
        argument = int.from_bytes(self._take(1 << info - 24), "big")
        if argument < _LEAST[info]:
            raise ValueError("a number must take as few bytes as it can")
        return major, argument

    def _take(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self._data):
            raise ValueError("it ends too early")
        taken = self._data[self.position : end]
        self.position = end
        return taken
