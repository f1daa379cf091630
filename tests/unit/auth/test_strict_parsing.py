"""CBOR, JSON and base64url with exactly one reading."""

from __future__ import annotations

from typing import Any

import pytest
from fido2 import cbor
from hypothesis import given
from hypothesis import strategies as st

from idverify.auth import base64url, strict_cbor, strict_json

# At most strict_cbor.MAX_DEPTH containers inside each other
SCALARS = st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=300) | st.text(max_size=300)
VALUES: st.SearchStrategy[Any] = SCALARS
for _ in range(strict_cbor.MAX_DEPTH):
    VALUES = (
        SCALARS
        | st.lists(VALUES, max_size=3)
        | st.dictionaries(st.integers(-(2**64), 2**64 - 1) | st.text(max_size=30), VALUES, max_size=3)
    )


@given(VALUES)
def test_what_ctap2_spells_is_read(value: Any) -> None:
    """Whatever python-fido2 writes canonically is read back as it was."""
    assert strict_cbor.decode(cbor.encode(value)) == value


@pytest.mark.parametrize("number", [23, 24, 2**8 - 1, 2**8, 2**16 - 1, 2**16, 2**32 - 1, 2**32, 2**64 - 1])
def test_numbers_at_the_edges_of_their_spellings(number: int) -> None:
    """The last of each length and the first of the next, above zero and below."""
    assert strict_cbor.decode(cbor.encode(number)) == number
    assert strict_cbor.decode(cbor.encode(-1 - number)) == -1 - number


@given(VALUES, st.binary(max_size=20))
def test_the_first_value_ends_where_it_ends(value: Any, rest: bytes) -> None:
    """What follows is left for others to read, by a length that is exact."""
    spelled = cbor.encode(value)

    assert strict_cbor.decode_first(spelled + rest) == (value, len(spelled))


@given(st.binary(max_size=60))
def test_there_is_one_spelling(data: bytes) -> None:
    """Whatever is accepted is what would be written, byte for byte; everything else is a `ValueError`."""
    try:
        value = strict_cbor.decode(data)
    except ValueError:
        return
    assert _spell(value) == data


def _spell(value: Any) -> bytes:
    """python-fido2 does not write null."""
    match value:
        case None:
            return b"\xf6"
        case list():
            return cbor.encode([0] * len(value))[: -len(value) or None] + b"".join(map(_spell, value))
        case dict():
            head = cbor.encode(dict.fromkeys(range(len(value)), 0))
            head = head[: 1 if len(value) < 24 else 2]
            return head + b"".join(_spell(key) + _spell(inner) for key, inner in value.items())
    return cbor.encode(value)


@pytest.mark.parametrize(
    ("spelled", "wrong"),
    [
        ("", "too early"),
        ("42ff", "too early"),
        ("0000", "follow"),
        ("1817", "as few bytes"),
        ("1900ff", "as few bytes"),
        ("1a0000ffff", "as few bytes"),
        ("1b00000000ffffffff", "as few bytes"),
        ("5f4100ff", "definite"),
        ("9fff", "definite"),
        ("1c", "definite"),
        ("c000", "no place"),
        ("f7", "no place"),
        ("f0", "no place"),
        ("f93c00", "simple"),
        ("f818", "simple"),
        ("61ff", "utf-8"),
        ("a2010001 00", "in order"),
        ("a2020001 00", "in order"),
        ("a2200001 00", "in order"),
        ("a1410000", "integers or text"),
        ("a1f500", "integers or text"),
        ("a18000", "deeper"),
        ("818181818180", "deeper"),
        ("9bffffffffffffffff", "too early"),
    ],
)
def test_other_spellings_are_refused(spelled: str, wrong: str) -> None:
    """Each liberty that CBOR has and CTAP2 has not, with the reason."""
    with pytest.raises(ValueError, match=wrong):
        strict_cbor.decode(bytes.fromhex(spelled))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (b"", "Expecting value"),
        (b"[]", "must be an object"),
        (b'"x"', "must be an object"),
        (b'{"a":1,"a":2}', "twice"),
        (b'{"a":{"b":1,"b":2}}', "twice"),
        (b'{"a":Infinity}', "no number"),
        (b'{"a":"\xff"}', "utf-8"),
        (b"\xef\xbb\xbf{}", "Expecting value"),
        (b'{"a":' + b"[" * 16 + b"]" * 16 + b"}", "brackets"),
        (b"[" * 100_000, "brackets"),
    ],
)
def test_json_with_two_readings_is_refused(text: bytes, wrong: str) -> None:
    """Names that stand twice, numbers that are none, other encodings, and bombs."""
    with pytest.raises(ValueError, match=wrong):
        strict_json.read_object(text)


def test_json_is_read() -> None:
    """An object with all that JSON has."""
    text = '{"a": [1, -2.5, "é\\u00e9", true, false, null], "b": {}}'.encode()

    assert strict_json.read_object(text) == {"a": [1, -2.5, "éé", True, False, None], "b": {}}
    assert strict_json.read_object(b'{"a":' + b"[" * 15 + b"]" * 15 + b"}")["a"] != []


@given(st.binary(max_size=100))
def test_base64url_goes_there_and_back(data: bytes) -> None:
    """Every string of bytes has its spelling, of the URL-safe characters alone."""
    spelled = base64url.encode(data)

    assert base64url.decode(spelled) == data
    assert set(spelled) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    "text", ["A", "AA=", "AA==", "AB", "A A", "AA\n", "+/+/", "é", "\ud800", "AAA.", "====", "AAAA="]
)
def test_other_spellings_of_base64url_are_refused(text: str) -> None:
    """Padding, spare bits, blanks, the other alphabet and foreign characters."""
    with pytest.raises(ValueError, match=r"base64|ascii"):
        base64url.decode(text)
