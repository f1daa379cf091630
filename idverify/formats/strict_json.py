"""JSON with exactly one reading: no duplicate names, no number that another parser would round, no bomb.

>>> parse_object(b'{"iss": "https://issuer.example"}', "The payload")
{'iss': 'https://issuer.example'}
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from idverify.errors import DocumentError

MAX_DEPTH = 16
MAX_INTEGER = 2**53 - 1  # RFC 7493 section 2.2: beyond it, parsers disagree

# An unterminated string runs to the end, so that a scan never starts twice from the same text.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_ARRAYS = frozenset({list})
_NOT_A_BRACKET = re.compile(rb"[^\[\]{}]+")


def encode_json(value: Any) -> bytes:
    """``value`` as compact UTF-8 JSON. Raises ``TypeError`` for what JSON, or another parser, cannot hold."""
    return orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DocumentError("json-duplicate-name", "A JSON object has the same name twice; send each once.")
    return members


def _integer(digits: str) -> int:
    value = int(digits)
    if abs(value) > MAX_INTEGER:
        raise DocumentError("json-number", f"Whole numbers must be at most 2^53-1; got {digits[:20]}.")
    return value


_decode = json.JSONDecoder(object_pairs_hook=_members).decode
_decode_long = json.JSONDecoder(object_pairs_hook=_members, parse_int=_integer).decode
_LONG = re.compile(r"[0-9]{16}")  # what is shorter is below MAX_INTEGER
_LOOKED_THROUGH = 16 * 1024  # characters: to look through more costs more than to look at each number


def _decode_json(text: str) -> Any:
    """One name, one value; a whole number that every parser reads alike."""
    return _decode_long(text) if len(text) > _LOOKED_THROUGH or _LONG.search(text) else _decode(text)


def _deeper_than(text: bytes, limit: int) -> bool:
    depth = 0
    for bracket in _NOT_A_BRACKET.sub(b"", _STRING.sub(b"", text)):
        depth += 1 if bracket in b"[{" else -1
        if depth > limit:
            return True
    return False


def _values(text: bytes, start: int = 0, end: int | None = None) -> int:
    """Before each value but the outermost stands one of these."""
    return sum(text.count(mark, start, end) for mark in (b"{", b"[", b","))


def require_few(text: bytes, what: str, most: int) -> None:
    """At most so many values, whatever they are: each costs many times its bytes. Raises ``DocumentError`` (``size``).

    What stands inside of texts does not count.
    """
    if _values(text) > most and _more_than(text, most):
        raise DocumentError("size", f"{what} may hold {most} values; got more.")


def _more_than(text: bytes, most: int) -> bool:
    """Whether there are more values, or more texts than so many can have for names and values."""
    seen = end = 0
    for number, found in enumerate(_STRING.finditer(text)):
        seen += _values(text, end, found.start())
        if seen > most or number > 2 * most:
            return True
        end = found.end()
    return seen + _values(text, end) > most


def parse_json(text: bytes, what: str, containers: int | None = None) -> Any:
    """Strict JSON (RFC 8259, RFC 7493): at most 16 deep, and of at most so many objects and arrays (``None``: any
    number), both counted before parsing.

    Raises ``DocumentError`` with ``size``, ``json``, ``json-depth``, ``json-duplicate-name`` or ``json-number``.
    """
    opened = text.count(b"{") + text.count(b"[")
    if containers is not None and opened > containers:
        raise DocumentError("size", f"{what} may have {containers} objects and arrays; got {opened}.")
    if opened > MAX_DEPTH and _deeper_than(text, MAX_DEPTH):
        raise DocumentError("json-depth", f"{what} may be nested {MAX_DEPTH} deep; got more.")
    try:
        value = orjson.loads(text)  # UTF-8, whole surrogates, finite numbers; but the last of two same names wins
        try:
            # Nothing was dropped, merged or rounded on the way from the text, if it is what comes of going back
            same = orjson.dumps(value, None, orjson.OPT_STRICT_INTEGER) == text
        except orjson.JSONEncodeError:
            same = False  # a whole number beyond MAX_INTEGER
        return value if same else _decode_json(text.decode("utf-8"))
    except ValueError as wrong:
        raise DocumentError("json", f"{what} must be JSON in UTF-8: {wrong}.") from None


def _arrays_as_written(texts: list[bytes], whole: bytes) -> list[Any] | None:
    """The values of arrays in compact JSON; ``None`` unless each is what its text says and all that it says."""
    try:
        values = orjson.loads(b"[%b]" % whole)
        written = [orjson.dumps(value, None, orjson.OPT_STRICT_INTEGER) for value in values]
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    return values if written == texts and _ARRAYS.issuperset(map(type, values)) else None


def parse_each(texts: list[bytes], what: str, containers: int) -> list[Any]:
    """``parse_json`` of each text, where all together have at most so many objects and arrays.

    At half the cost where the texts are short arrays as most issuers write them. Raises as ``parse_json`` does.
    """
    whole = b",".join(texts)
    opened = whole.count(b"{") + whole.count(b"[")
    if opened > containers:
        raise DocumentError("size", f"{what} may have {containers} objects and arrays with all the others; got more.")
    values = None
    if opened < MAX_DEPTH + len(texts):  # an array opens once at least: with so few in all, none is too deep
        values = _arrays_as_written(texts, whole)
    return [parse_json(text, what) for text in texts] if values is None else values


def parse_object(text: bytes, what: str, containers: int | None = None) -> dict[str, Any]:
    """Strict JSON that is an object. Raises ``DocumentError``."""
    value = parse_json(text, what, containers)
    if type(value) is not dict:
        raise DocumentError("json", f"{what} must be a JSON object; got {type(value).__name__}.")
    return value
