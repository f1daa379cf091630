"""Deterministic CBOR (RFC 8949 section 4.2.1): one encoding per value, checked on the way in.

Only small structures of this package pass through here: integers, byte and text strings, arrays, maps, null. Booleans
are refused with the rest, since Python takes `True` for 1.
"""

from typing import Any, Final

import cbor2

from idverify.ledger.errors import MalformedError

_MAX_DEPTH: Final = 4
_SCALARS: Final = (int, bytes, str, type(None))


def encode(value: Any) -> bytes:
    """The deterministic encoding of `value`."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, what: str, *, limit: int, ordered: bool = True) -> Any:
    """Decode at most `limit` bytes that are exactly the deterministic encoding of one value.

    Without `ordered`, maps may be in any order: for bytes that somebody signed as they are.

    Raises `MalformedError`: too long, not CBOR, trailing bytes, or a second spelling of the same value.
    """
    if len(data) > limit:
        raise MalformedError(f"{what}: expected at most {limit} bytes, got {len(data)}")
    try:
        value = cbor2.loads(data, max_depth=_MAX_DEPTH, allow_indefinite=False, allow_duplicate_keys=False)
        again = cbor2.dumps(value, canonical=ordered)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError) as error:
        raise MalformedError(f"{what}: expected CBOR of plain values, got {data[:16].hex()}...") from error
    if not _is_plain(value):
        raise MalformedError(f"{what}: expected only integers, strings, arrays, maps and null")
    if again != data:
        raise MalformedError(f"{what}: expected deterministic CBOR (RFC 8949 section 4.2.1) without trailing bytes")
    return value


def _is_plain(value: object) -> bool:
    if type(value) is list:
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    return type(value) in _SCALARS
