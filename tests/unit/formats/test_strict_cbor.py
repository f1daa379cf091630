"""CBOR has one reading or none, and what is embedded is known as it was received."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from time import perf_counter

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.errors import DocumentError
from idverify.formats.strict_cbor import (
    MAX_DEPTH,
    MAX_INTEGER,
    MAX_ITEMS,
    Embedded,
    decode,
    decode_each,
    embed,
    encode,
    unwrap,
)

CBOR = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.binary(max_size=30)
    | st.dates()
    | st.binary(max_size=300).map(embed)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4) | st.integers(-9, 9), inner, max_size=4)
    ),
    max_leaves=12,
)

REFUSED = [
    ("a2616101616102", "cbor-duplicate-key"),
    ("a16162a2616101616102", "cbor-duplicate-key"),
    ("a20102180103", "cbor-duplicate-key"),  # 1 in two spellings
    ("9f01ff", "cbor-length"),
    ("bf616101ff", "cbor-length"),
    ("5f4101ff", "cbor-length"),
    ("7f6161ff", "cbor-length"),
    ("1c", "cbor-length"),
    ("", "cbor-length"),
    ("8201", "cbor-length"),
    ("18", "cbor-length"),
    ("5bffffffffffffffff", "cbor-length"),
    ("7affffffff61", "cbor-length"),
    ("d818", "cbor-length"),
    ("9bffffffffffffffff", "size"),
    ("bbffffffffffffffff", "size"),
    ("0102", "cbor-trailing"),
    ("8101ff", "cbor-trailing"),
    ("1b0020000000000000", "cbor-number"),
    ("3b001fffffffffffff", "cbor-number"),
    ("f97e00", "cbor-number"),
    ("f97c00", "cbor-number"),
    ("faff800000", "cbor-number"),
    ("fb7ff8000000000000", "cbor-number"),
    ("f7", "cbor-simple"),
    ("f0", "cbor-simple"),
    ("f820", "cbor-simple"),
    ("a1410101", "cbor-key"),
    ("a1f501", "cbor-key"),
    ("a1800101", "cbor-key"),
    ("a1d818410101", "cbor-key"),
    ("c101", "cbor-tag"),
    ("c24101", "cbor-tag"),
    ("d81c80", "cbor-tag"),
    ("d8186101", "cbor-tag"),
    ("d818d8184101", "cbor-tag"),
    ("c04101", "cbor-tag"),
    ("d90100820101", "cbor-tag"),
    ("61ff", "cbor"),
    ("d903ec6a323032302d31332d3031", "cbor"),
    ("d903ec63616263", "cbor"),
    ("c06a323032302d31302d3031", "cbor"),
]


@pytest.mark.parametrize(("encoded", "rule"), REFUSED)
def test_a_second_reading_is_refused(encoded: str, rule: str) -> None:
    """What two decoders could read in two ways, or what would exhaust one, is no CBOR here."""
    with pytest.raises(DocumentError) as refused:
        decode(bytes.fromhex(encoded), "The example")
    assert refused.value.rule == rule


def test_depth() -> None:
    """Sixteen levels are read, seventeen are not."""
    assert decode(b"\x81" * MAX_DEPTH + b"\x01", "The example")
    with pytest.raises(DocumentError, match="16 deep") as refused:
        decode(b"\x81" * (MAX_DEPTH + 1) + b"\x01", "The example")
    assert refused.value.rule == "cbor-depth"


@given(CBOR)
def test_what_is_encoded_is_read_again(value: object) -> None:
    """There and back, for everything that our formats write."""
    assert decode(encode(value), "The example") == value


@given(CBOR, st.binary(max_size=40))
def test_embedded_items_are_known_as_received(value: object, content: bytes) -> None:
    """Whatever stands around them, and even if their length is spelled in more bytes than it needs."""
    received = b"\xd8\x18\x5a" + len(content).to_bytes(4, "big") + content
    before = encode(value)

    *_, found, after = decode(b"\x83" + before + received + before, "The example")

    assert found == Embedded(received, content)
    assert after == value


@given(st.binary(max_size=200))
def test_no_bytes_are_a_fault(data: bytes) -> None:
    """Any bytes have one reading, the same as another decoder's, or are refused in our words."""
    try:
        value = decode(data, "The example")
    except DocumentError:
        return
    assert encode(value) == encode(_embedded(cbor2.loads(data)))


def _embedded(value: object) -> object:
    if isinstance(value, cbor2.CBORTag):
        return embed(value.value)
    if isinstance(value, list):
        return [_embedded(each) for each in value]
    if isinstance(value, dict):
        return {key: _embedded(each) for key, each in value.items()}
    return value


def test_bombs_cost_nothing() -> None:
    """Depth, lengths beyond the input, a million items and chains of tags: each refused at once, in little memory."""
    bombs = [
        b"\x81" * 64_000,
        b"\xa1\x01" * 32_000,
        b"\xd8\x18" * 32_000,
        b"\xc0" * 64_000,
        b"\x9a\x00\x0f\x42\x40" + bytes(60_000),
        b"\x99\xff\xff" + bytes(65_535),
        b"\xba\x7f\xff\xff\xff" + bytes(60_000),
        b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff" + bytes(60_000),
        b"\xc2\x59\xf0\x00" + bytes(61_440),
        (b"\x99" + (MAX_ITEMS - 2).to_bytes(2, "big")) + b"\x00" * (MAX_ITEMS - 3) + b"\x9a\xff\xff\xff\xff",
    ]
    tracemalloc.start()
    began = perf_counter()
    for bomb in bombs:
        with pytest.raises(DocumentError):
            decode(bomb, "A bomb")
    took = perf_counter() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert took < 0.5
    assert peak < 1024 * 1024


def test_dates() -> None:
    """A day is a full-date, a moment in UTC a tdate (RFC 8943, RFC 8949 section 3.4.1)."""
    day, moment = dt.date(2026, 9, 21), dt.datetime(2026, 9, 21, 12, 30, tzinfo=dt.UTC)

    assert encode([day, moment]).hex() == ("82d903ec6a323032362d30392d3231c074323032362d30392d32315431323a33303a30305a")
    assert decode(encode([day, moment]), "The example") == [day, moment]


def test_what_cbor_has_not_is_our_own_mistake() -> None:
    """A value that no format of ours writes is refused loudly."""
    with pytest.raises(TypeError, match="object"):
        encode(object())


@given(st.lists(CBOR.map(encode), max_size=6))
def test_many_are_read_as_one_by_one(parts: list[bytes]) -> None:
    """In one go or in turn: the same values, wherever something is embedded."""
    assert decode_each(parts, "The example") == [decode(part, "The example") for part in parts]


def test_parts_do_not_lend_each_other_their_ends() -> None:
    """Two parts that are items only together are none."""
    with pytest.raises(DocumentError, match="too early"):
        decode_each([b"\x82\x01", b"\x02"], "The example")
    with pytest.raises(DocumentError, match="follow"):
        decode_each([b"\x01\x02", b"\x03"], "The example")


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "cbor-tag"),
        (b"\xd8\x18", "cbor-tag"),
        (b"\xf6", "cbor-tag"),
        (b"\xd8\x18\x61x", "cbor-tag"),
        (b"\xd8\x18\x42x", "cbor-length"),
        (b"\xd8\x18\x41xy", "cbor-trailing"),
        (b"\xd8\x18\x5f\x41x\xff", "cbor-length"),
    ],
)
def test_what_is_not_embedded_is_refused(data: bytes, rule: str) -> None:
    """One byte string in its tag, and nothing else."""
    assert unwrap(b"\xd8\x18\x41x", "The example") == b"x"
    with pytest.raises(DocumentError) as refused:
        unwrap(data, "The example")
    assert refused.value.rule == rule


def test_bignums_where_they_are_asked_for() -> None:
    """A serial number has up to 20 bytes; around anything else the tag has no place."""
    serial = 2**150 + 1
    encoded = cbor2.dumps([serial])

    assert decode(encoded, "The example", bignums=True) == [serial]
    for data, bignums in ((encoded, False), (b"\xc2\x61x", True), (b"\xc3\x41\x01", True)):
        with pytest.raises(DocumentError) as refused:
            decode(data, "The example", bignums=bignums)
        assert refused.value.rule == "cbor-tag"
