"""What is pasted or uploaded: a document alone, a wallet's answer, or anything else."""

from __future__ import annotations

import base64
from collections.abc import Callable

import orjson
import pytest

from idverify.formats.handed_over import MOST, HandedOver, handed_over

HANDLE = "0123456789abcdef" * 2


def test_a_document_alone() -> None:
    """Blanks around a document are not part of it, nor are those that e-mail puts into it."""
    assert handed_over(b" \r\neyJ.eyJ.sig~\n") == HandedOver(b"eyJ.eyJ.sig~")
    assert handed_over(b"\xef\xbb\xbfeyJ.ey\r\n J.sig~\n") == HandedOver(b"eyJ.eyJ.sig~")


BINARY = bytes([0xA2, 0x0A, 0x20, 0xFB, 0xEF, 0xFF, 0x0D, 0x0A])


def test_bytes_stay_as_they_came() -> None:
    """What is no text has no blanks to take away, even if it ends with bytes that look like some."""
    assert handed_over(BINARY) == HandedOver(BINARY)


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_a_binary_document(encode: Callable[[bytes], bytes]) -> None:
    """Either alphabet, padded or not, in lines or not, alone or in a wallet's answer."""
    text = encode(BINARY)
    written = (text, text.rstrip(b"="), text[:5] + b"\r\n" + text[5:], orjson.dumps({"document": text.decode()}))
    assert {handed_over(one) for one in written} == {HandedOver(BINARY)}


@pytest.mark.parametrize("text", [b"eyJ.eyJ.sig~", b"abcde", b"ab=c", b"abc\xc3\xa9", b"=", b"ab==="])
def test_what_is_no_base64_stays(text: bytes) -> None:
    """Text that does not encode bytes is the document itself."""
    assert handed_over(text) == HandedOver(text)


def test_what_came_beside_a_file_goes_before_what_is_in_it() -> None:
    """A receipt of its own, and the request that is on the page."""
    printed = orjson.dumps({"document": "a.b.c~", "receipt": "within", "verification_request": HANDLE})
    assert handed_over(printed, b"beside", bytes(16)) == HandedOver(b"a.b.c~", b"beside", bytes(16))


def test_what_is_too_large_is_not_looked_into() -> None:
    """The verdict on its size needs nothing of what is in it."""
    large = orjson.dumps({"document": "a" * MOST})
    assert handed_over(large) == HandedOver(large)


def test_what_has_too_many_members_is_not_looked_into() -> None:
    """A wallet's answer has three; half a million bytes of brackets are the document, which nobody reads."""
    crowded = b'{"document":"a.b.c~","receipt":[' + b"[]," * 20 + b"[]]}"
    assert handed_over(crowded) == HandedOver(crowded)


@pytest.mark.parametrize("receipt", ["a receipt", None])
def test_a_wallets_answer_is_taken_apart(receipt: str | None) -> None:
    """Document, receipt and request come out of what a wallet prints, however it is indented."""
    printed = {"document": "eyJ.eyJ.sig~ ", "receipt": receipt, "verification_request": HANDLE}
    expected = HandedOver(b"eyJ.eyJ.sig~", receipt and receipt.encode(), bytes.fromhex(HANDLE))
    assert handed_over(orjson.dumps(printed, option=orjson.OPT_INDENT_2)) == expected


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"{",
        b"{}",
        b"\xff\xfe\x00",
        b'{"document": 7}',
        b'{"document": "a", "receipt": 7}',
        b'{"document": "a", "verification_request": "00"}',
        b'{"document": "a", "purpose": "work"}',
        b'{"document": "a", "document": "b"}',
        b'{"a":' * 20 + b"1" + b"}" * 20,
    ],
)
def test_whatever_else_is_left_to_the_verdict(odd: bytes) -> None:
    """What is no wallet's answer, to the letter, is checked as a document as it came."""
    assert handed_over(odd) == HandedOver(odd)
