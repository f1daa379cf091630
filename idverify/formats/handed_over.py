r"""What somebody handed over to be checked: a document as it is, or in what people and programs put around one.

``WRAPPINGS`` is the table of what is taken off, in order, the same for API, pages and command line. Nothing here
believes anything: what is no known wrapping is the document itself, and the verdict names what is wrong with it.

>>> handed_over(b'{"document": "eyJ.eyJ.sig~", "receipt": null}').document
b'eyJ.eyJ.sig~'
>>> handed_over(b"b2lzc3Vlcg\n").document
b'oissuer'
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from idverify.errors import DocumentError
from idverify.formats.strict_json import parse_object, require_few

MOST: Final = 192 * 1024  # larger is no document with something around it, and is not looked into
_MEMBERS: Final = {"document", "receipt", "verification_request"}
_VALUES: Final = 16  # of JSON, which has no more members than that
_HANDLE: Final = re.compile(r"[0-9a-f]{32}")
_SPACE: Final = b" \t\r\n\f\v"
_LINE_ENDS: Final = b"\t\r\n\f\v"
_CODE: Final = b"IDV1:"  # what a paper code begins with
_PDF: Final = b"%PDF-"  # may be ASCII from end to end, and is no text
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]+={0,2}")
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The document's bytes, its receipt, and the handle of the verification request that it answers."""

    document: bytes
    receipt: bytes | None = None
    request: bytes | None = None


def handed_over(given: bytes, receipt: bytes | None = None, request: bytes | None = None) -> HandedOver:
    """What was pasted or uploaded, unwrapped. A receipt and a request of their own go before those within."""
    whole = HandedOver(given, receipt, request)
    if len(given) > MOST:
        return whole
    for unwrap in WRAPPINGS:
        whole = unwrap(whole)
    return whole


def _white_space(whole: HandedOver) -> HandedOver:
    """Of text: line ends of e-mail, blanks of the clipboard. Bytes of a binary document are all its own.

    Base45 has a blank among its digits (RFC 9285 section 4.2), never as the last one.
    """
    if whole.document.startswith(_PDF):
        return whole
    given = whole.document.removeprefix(_BYTE_ORDER_MARK)
    if given.lstrip(_SPACE).startswith(b"{"):  # JSON says itself what its blanks mean
        return replace(whole, document=given.strip(_SPACE))
    if not given.isascii():
        return whole
    plain = _without_blanks(given)
    return whole if plain == whole.document else replace(whole, document=plain)


def _without_blanks(text: bytes) -> bytes:
    code = text.lstrip(_SPACE)
    return code.rstrip(_SPACE).translate(None, _LINE_ENDS) if code.startswith(_CODE) else text.translate(None, _SPACE)


def _wallet_answer(whole: HandedOver) -> HandedOver:
    """The file that a wallet prints: document, receipt, and the request that it answers."""
    if not whole.document.startswith(b"{"):
        return whole
    try:
        require_few(whole.document, "A wallet's answer", _VALUES)
        within = _of_wallet(parse_object(whole.document, "A wallet's answer"))
    except DocumentError:
        within = None
    if within is None:
        return whole
    return HandedOver(within.document, whole.receipt or within.receipt, whole.request or within.request)


def _base64(whole: HandedOver) -> HandedOver:
    """Bytes written as base64 or base64url (RFC 4648), with padding or without."""
    text = whole.document
    if b"." in text or not _BASE64.fullmatch(text):  # nearly everything is a token, with dots
        return whole
    try:
        digits = text.rstrip(b"=").translate(_TO_STANDARD)
        return replace(whole, document=binascii.a2b_base64(digits + b"=" * (-len(digits) % 4), strict_mode=True))
    except ValueError:
        return whole


# What is taken off, in order; each leaves alone what is not its own.
WRAPPINGS: Final[tuple[Callable[[HandedOver], HandedOver], ...]] = (
    _white_space,
    _wallet_answer,
    _base64,
)


def _of_wallet(answer: dict[str, Any]) -> HandedOver | None:
    document, receipt, request = (answer.get(name) for name in ("document", "receipt", "verification_request"))
    if not answer.keys() <= _MEMBERS or not isinstance(document, str):
        return None
    if not isinstance(receipt, str | None) or not isinstance(request, str | None):
        return None
    if request is not None and not _HANDLE.fullmatch(request):
        return None
    return HandedOver(
        _without_blanks(document.encode()),
        None if receipt is None else receipt.encode(),
        None if request is None else bytes.fromhex(request),
    )
