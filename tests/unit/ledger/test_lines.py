"""One spelling for each number and each byte string in the C2SP texts."""

import base64

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.ledger import cbor
from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import base64_text, parse_base64, parse_decimal, parse_hash


@given(st.binary(max_size=100))
def test_base64_is_the_standard_one(data: bytes) -> None:
    """Writing and reading are inverse, and agree with the standard library."""
    assert base64_text(data) == base64.b64encode(data).decode()
    assert parse_base64(base64_text(data), "field") == data


@pytest.mark.parametrize("text", ["YQ", "YQ=", "YR==", "YQ==\n", " YQ==", "Y Q==", "YQ==YQ==", "_-==", "ÄQ==", "YQ==="])
def test_other_spellings_of_base64_are_refused(text: str) -> None:
    """Missing padding, padding bits that are not zero, white space, the URL alphabet, concatenation."""
    with pytest.raises(MalformedError, match=r"^field: expected"):
        parse_base64(text, "field")


@given(st.integers(0, 2**64 - 1))
def test_decimals_read_back(value: int) -> None:
    """Every u64 has its decimal."""
    assert parse_decimal(str(value), "field") == value


@pytest.mark.parametrize("text", ["", "00", "01", "+1", "-1", " 1", "1 ", "1\n", "1_0", "٣", "1e3", "0x1", str(2**64)])
def test_other_spellings_of_decimals_are_refused(text: str) -> None:
    """Leading zeros, signs, spaces, other digits and other notations; and 2^64."""
    with pytest.raises(MalformedError, match=r"^field: expected"):
        parse_decimal(text, "field")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_hash_has_32_bytes(size: int) -> None:
    """Canonical base64 of another length is no hash."""
    with pytest.raises(MalformedError, match=f"32 bytes, got {size}"):
        parse_hash(base64_text(bytes(size)), "field")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("1801", "deterministic"),  # 1 in two bytes
        ("a202010100", "deterministic"),  # keys in the wrong order
        ("0101", "deterministic|CBOR"),  # trailing byte
        ("a201000100", "CBOR"),  # a key twice
        ("9fff", "CBOR"),  # indefinite length
        ("f5", "only integers"),  # true
        ("81f5", "only integers"),
        ("a1f501", "only integers"),
        ("a101f5", "only integers"),
        ("fb3ff0000000000000", "only integers"),  # 1.0
        ("c11a65000000", "only integers|CBOR"),  # a date
        ("61ff", "CBOR"),  # text that is not UTF-8
        ("5affffffff", "CBOR"),  # 4 GiB announced
        ("8181818181818181" + "00", "CBOR"),  # too deep
        ("", "CBOR"),
    ],
)
def test_cbor_has_one_spelling_and_plain_values(data: str, said: str) -> None:
    """Every second way of writing a value, and every value we do not use, is refused."""
    with pytest.raises(MalformedError, match=said):
        cbor.decode(bytes.fromhex(data), "field", limit=100)


def test_cbor_is_capped_before_it_is_parsed() -> None:
    """A long input is refused for its length, the longest allowed is not."""
    assert cbor.decode(cbor2.dumps(bytes(98)), "field", limit=100) == bytes(98)
    with pytest.raises(MalformedError, match="at most 100 bytes, got 101"):
        cbor.decode(cbor2.dumps(bytes(99)), "field", limit=100)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_decoder(data: bytes) -> None:
    """Any bytes decode to a value with exactly these bytes, or are refused."""
    try:
        value = cbor.decode(data, "field", limit=60)
    except MalformedError:
        return
    assert cbor.encode(value) == data
