"""A PDF that somebody handed over, taken apart: what is signed in it, what is wrong with it, and what it shows.

A job of workers that read. Nothing is believed here, and nobody believes what is said here without the bytes.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import files
from io import BytesIO
from typing import Any, Final

import pypdfium2  # type: ignore[import-untyped]
from asn1crypto import cms as asn1_cms
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from idverify.core.verdict import CheckId
from idverify.errors import DocumentError
from idverify.formats import qr_pdf
from idverify.formats.pdf import rules
from idverify.formats.pdf.found import Broken, Found, Signature
from idverify.formats.pdf.hex_strings import read_at_once
from idverify.formats.pdf.object_streams import read_by_index
from idverify.formats.pdf.rules import Opened
from idverify.formats.pdf.tables import rows_of

MOST_SIGNATURES: Final = 16
_LATER: Final = {
    ModificationLevel.NONE: "nothing",
    ModificationLevel.LTA_UPDATES: "evidence",
    ModificationLevel.FORM_FILLING: "permitted",
    ModificationLevel.ANNOTATIONS: "permitted",
}


def warm() -> None:
    """Read one letter, and load the codecs that texts of PDF are in: a worker opens no file any more."""
    for codec in ("ascii", "latin-1", "utf-8", "utf-16-be", "utf-16-le", "utf-16"):
        "a".encode(codec).decode(codec)
    read_letter(files("idverify.formats.pdf").joinpath("warm.pdf").read_bytes())


def read_letter(pdf: bytes) -> dict[str, Any]:
    """What is in the PDF, as ``found.Found``. Raises ``DocumentError``: ``size``, ``pages``, ``pixels``, ``pdf``."""
    opened = examined(pdf)
    codes = [code["text"] for code in qr_pdf.read_pdf_codes(pdf)]
    if opened is None:
        return asdict(Found([], [], "nothing", [], codes, [], ""))
    wrong, rows = broken(opened), []
    try:
        with pypdfium2.PdfDocument(pdf) as document:
            rows = rows_of(document)
    except DocumentError as unlike:
        wrong.append(Broken(CheckId.CONTENT_CONSISTENT, unlike.rule, unlike.detail))
    found = Found(
        signatures=[told(each, opened) for each in (*opened.signatures, *opened.stamps)],
        broken=wrong,
        later=_LATER.get(opened.later, "other"),
        attachments=[each for each in opened.attachments if len(each.content) <= rules.MAX_ATTACHED],
        codes=codes,
        rows=rows,
        language=str(opened.reader.root.get("/Lang", "")),
    )
    return asdict(found)


def examined(pdf: bytes) -> Opened | None:
    """The PDF with its signatures and what was changed after them; ``None``: it has none. Raises ``DocumentError``."""
    if len(pdf) > qr_pdf.MAX_PDF:
        raise DocumentError("size", f"A PDF may have {qr_pdf.MAX_PDF} bytes; this one has {len(pdf)}.")
    try:
        with read_at_once(), read_by_index():
            reader = PdfFileReader(BytesIO(pdf))
            found = _signatures(reader)
    except (PdfError, SignatureValidationError) as wrong:
        if _is_scan(pdf):
            return None
        raise DocumentError("pdf", f"The PDF or its signature is not as it must be: {wrong}"[:300]) from wrong
    stamps = tuple(each for each in found if each.sig_object_type == "/DocTimeStamp")
    signatures = tuple(each for each in found if each.sig_object_type != "/DocTimeStamp")
    return Opened(pdf, reader, signatures, stamps) if signatures else None


def _is_scan(pdf: bytes) -> bool:
    """Whether nobody signed it: scanners write PDFs that a strict reader does not take, and only their code counts."""
    try:
        with read_at_once(), read_by_index():
            return not PdfFileReader(BytesIO(pdf), strict=False).embedded_signatures
    except (PdfError, SignatureValidationError):
        return False


def _signatures(reader: PdfFileReader) -> list[EmbeddedPdfSignature]:
    if reader.encrypted:
        raise DocumentError("pdf", "The PDF is encrypted, so that it cannot be read here.")
    found: list[EmbeddedPdfSignature] = reader.embedded_signatures
    if len(found) > MOST_SIGNATURES:
        raise DocumentError("size", f"A PDF may have {MOST_SIGNATURES} signatures; this one has {len(found)}.")
    for each in found:
        each.compute_integrity_info()  # type: ignore[no-untyped-call]
    return found


def broken(opened: Opened) -> list[Broken]:
    """The first rule of each check that is broken."""
    found = []
    for check, table in rules.RULES.items():
        for rule in table:
            try:
                rule(opened)
            except DocumentError as wrong:
                found.append(Broken(check.value, wrong.rule, wrong.detail))
                break
    return found


def told(each: EmbeddedPdfSignature, opened: Opened) -> Signature:
    chain = [each.signer_cert, *each.other_embedded_certs]
    at = each.self_reported_timestamp
    _, start, end, rest = (*rules.covered(each), 0, 0, 0, 0)[:4]
    kind = "time-stamp" if each in opened.stamps else "approval" if each.docmdp_level is None else "certification"
    return Signature(
        kind=kind,
        cms=asn1_cms.ContentInfo.load(bytes(each.pkcs7_content)).dump(),
        start=start,
        end=end,
        size=end + rest,
        chain=[one.dump() for one in chain][:8],
        at=0 if at is None else int(at.timestamp()),
        intact=_intact(each),
    )


def _intact(each: EmbeddedPdfSignature) -> bool:
    if each.sig_object_type == "/DocTimeStamp":
        return False  # nobody asks: whose it is is not looked at here
    intact, valid = validate_sig_integrity(each.signer_info, each.signer_cert, "data", each.compute_digest())
    return bool(intact and valid)
