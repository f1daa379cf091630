"""JSON has one reading or none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.errors import DocumentError
from idverify.formats.strict_json import MAX_DEPTH, MAX_INTEGER, encode_json, parse_json, parse_object, require_few

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='abé"\\{[', max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b'{"a":1,"a":2}', "json-duplicate-name"),
        (b'{"a":{"b":1,"b":1}}', "json-duplicate-name"),
        (b'{"a":1,"\\u0061":2}', "json-duplicate-name"),
        (b"9007199254740992", "json-number"),
        (b"-9007199254740992", "json-number"),
        (b"9" * 300, "json-number"),
        (b"9" * 6000, "json"),
        (b"1e999", "json"),
        (b"NaN", "json"),
        (b"[Infinity]", "json"),
        (b'"\\ud800"', "json"),
        (b'"\xed\xa0\x80"', "json"),
        (b'"\xff"', "json"),
        (b'\xef\xbb\xbf{"a":1}', "json"),
        (b'{"a":1}x', "json"),
        (b"{'a':1}", "json"),
        (b"", "json"),
        (b'["a\nb"]', "json"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "json-depth"),
        (b"[" * 60_000, "json-depth"),
        (b'{"a":' * 12_000, "json-depth"),
    ],
)
def test_a_second_reading_is_refused(text: bytes, rule: str) -> None:
    """What two parsers could read in two ways, or what would exhaust one, is no JSON here."""
    with pytest.raises(DocumentError) as refused:
        parse_json(text, "The example")
    assert refused.value.rule == rule


@pytest.mark.parametrize(
    "text",
    [
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b'{"brackets in text":"' + b"[{" * 500 + b'","and \\" quotes [":"[[[[[[[[[[[[[[[[[["}',
        b' { "a" : [ 1.0 , 1e3, -0, "\\ud83d\\ude00" ] } ',
        b"9007199254740991",
    ],
)
def test_odd_but_sound_json_is_read(text: bytes) -> None:
    """White space, escapes, and brackets inside text change nothing."""
    assert parse_json(text, "The example") == json.loads(text)


def test_an_unterminated_text_is_scanned_once() -> None:
    """A long text that never ends is refused, and not scanned anew from each of its quotes."""
    with pytest.raises(DocumentError):
        parse_json(b"[" * 17 + b'\\"' * 500_000, "The example")


@pytest.mark.parametrize("text", [b"[1,1,1]", b"[[],[]]", b'{"a":[{}]}', b'{"a":1,"b":2,"c":3}', b'",,,"' * 9])
def test_many_values_are_told_before_they_are_read(text: bytes) -> None:
    """Each value costs many times the bytes that it takes, so they are counted first."""
    with pytest.raises(DocumentError) as refused:
        require_few(text, "The example", 2)
    assert refused.value.rule == "size"


def test_what_stands_in_texts_is_no_value() -> None:
    """A document that is pasted whole may hold any brackets and commas."""
    require_few(b'{"document":"' + b'[{,\\",' * 1000 + b'","a":[1,2]}', "The example", 5)


def test_an_array_is_no_object() -> None:
    """Where an object is expected, an array is refused by name."""
    with pytest.raises(DocumentError, match="must be a JSON object; got list"):
        parse_object(b"[]", "The example")


@given(JSON)
def test_compact_and_spaced_json_read_alike(value: object) -> None:
    """The quick way for our own compact JSON and the slow way for everybody's give the same value."""
    assert parse_json(encode_json(value), "x") == value == parse_json(json.dumps(value, indent=1).encode(), "x")
