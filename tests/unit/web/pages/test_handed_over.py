"""What is pasted or uploaded: a document alone, a wallet's answer, or anything else."""

from __future__ import annotations

import orjson
import pytest

from idverify.web.pages.handed_over import HandedOver, handed_over

HANDLE = "0123456789abcdef" * 2


def test_a_document_alone() -> None:
    """Blanks around a document are not part of it."""
    assert handed_over(b" \r\neyJ.eyJ.sig~\n") == HandedOver(b"eyJ.eyJ.sig~")


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
