"""JSON objects with exactly one reading: no name twice, no depth, nothing that only Python calls JSON.

>>> read_object(b'{"type": "webauthn.get"}')
{'type': 'webauthn.get'}
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

# Opening brackets, counted wherever they stand, bound the depth before anything is parsed. Client data has one, and
# an origin may name an IPv6 address in another.
MAX_BRACKETS: Final = 16


def read_object(text: bytes, brackets: int = MAX_BRACKETS) -> dict[str, Any]:
    """The members of a JSON object in UTF-8 (RFC 8259), in which at most ``brackets`` open.

    Raises ``ValueError`` with the reason; also ``RecursionError`` if ``brackets`` allows for more than Python does.
    """
    if text.count(b"{") + text.count(b"[") > brackets:
        raise ValueError(f"at most {brackets} brackets may open")
    value = _decode(text.decode("utf-8"))
    if type(value) is not dict:
        raise ValueError("the outermost value must be an object")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return members


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


_decode = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_such_number).decode
