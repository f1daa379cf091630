"""A revision more of a PDF with a place for a signature; all but the place is what is signed (ISO 32000-1, 12.8).

pyHanko writes the revision. What it would add by itself, the time of the clock and a random ``/ID``, is left out.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from asn1crypto import crl, parser
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigMDPSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp, PdfSignedData, SignatureObject
from pyhanko.sign.validation.dss import DocumentSecurityStore

from idverify.errors import DocumentError
from idverify.formats.cms import certificate

# Hexadecimal digits that a signature's place has: room for a time stamp in it, and nothing is signed twice to find out.
RESERVED: Final = 8192
_DIGEST: Final = "sha256"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a signature goes in a revision: ``start`` at its ``<``, ``end`` after its ``>``; the revision has ``size``.

    ``digest`` is SHA-256 of all else in the revision.
    """

    start: int
    end: int
    size: int
    digest: bytes

    def holds_in(self, pdf: bytes) -> bool:
        """Whether all else in the revision is still what was to be signed."""
        around = hashlib.sha256(pdf[: self.start])
        around.update(pdf[self.end : self.size])
        return around.digest() == self.digest

    def filled(self, pdf: bytes, signature: bytes) -> bytes:
        """The PDF with a signature (DER) in its place. Raises ``DocumentError`` (``signature-size``)."""
        digits = signature.hex().encode()
        if len(digits) > self.end - self.start - 2:
            raise DocumentError("signature-size", f"A signature may be {RESERVED // 2} bytes; got {len(signature)}.")
        begin = self.start + 1
        return pdf[:begin] + digits + pdf[begin + len(digits) :]

    def signature(self, pdf: bytes) -> bytes:
        """The signature (DER) that is in its place, without what fills the rest of it."""
        raw = bytes.fromhex(pdf[self.start + 1 : self.end - 1].decode("ascii"))
        return raw[: parser.peek(raw)]


def with_certification(pdf: bytes, field: str, at: int) -> tuple[bytes, Place]:
    """A revision with a place for a certification signature that allows no change (DocMDP 1), of PAdES.

    Raises ``DocumentError`` (``pdf``, ``pdf-signed``).
    """
    writer = _writer(pdf)
    if "/AcroForm" in writer.root:
        raise DocumentError("pdf-signed", "A letter that is signed or has a form already cannot be certified.")
    signature = SignatureObject(
        timestamp=dt.datetime.fromtimestamp(at, dt.UTC), subfilter=SigSeedSubFilter.PADES, bytes_reserved=RESERVED
    )
    mdp = SigMDPSetup(md_algorithm=_DIGEST, certify=True, docmdp_perms=MDPPerm.NO_CHANGES)
    return _placed(writer, field, signature, mdp)


def with_document_stamp(
    pdf: bytes, field: str, certificates: Sequence[bytes], crls: Sequence[bytes]
) -> tuple[bytes, Place]:
    """A revision with what validation will need for ever (DSS), and a place for a time stamp over all of it."""
    writer = _writer(pdf)
    DocumentSecurityStore.supply_dss_in_writer(
        writer, None, certs=tuple(map(certificate, certificates)), crls=tuple(map(crl.CertificateList.load, crls))
    )
    stamp: PdfSignedData = DocumentTimestamp(bytes_reserved=RESERVED)  # type: ignore[no-untyped-call]
    return _placed(writer, field, stamp, None)


class _Revision(IncrementalPdfFileWriter):
    @classmethod
    def _handle_id(cls, prev: Any) -> Any:
        """ISO 32000-1 section 14.4: the first part stays, the second is made of the contents."""
        if "/ID" not in prev.trailer:  # PDF/A wants one
            raise DocumentError("pdf", "The letter has no file identifier, which every letter must have.")
        first, _ = prev.trailer["/ID"]
        of_this = hashlib.sha256(prev.stream.getvalue()).digest()[:16]
        return generic.ArrayObject([generic.ByteStringObject(first.original_bytes), generic.ByteStringObject(of_this)])

    def _update_meta(self) -> None:
        """The letter's own description stays as it was drawn: PDF/A wants it to say the same in both of its places."""


def _writer(pdf: bytes) -> IncrementalPdfFileWriter:
    try:
        return _Revision(BytesIO(pdf))
    except PdfError as wrong:
        raise DocumentError("pdf", f"The letter is not a PDF that can be signed: {wrong}.") from wrong


def _placed(
    writer: IncrementalPdfFileWriter, field: str, signature: PdfSignedData, mdp: SigMDPSetup | None
) -> tuple[bytes, Place]:
    steps: Any = PdfCMSEmbedder(SigFieldSpec(field, readable_field_name=field)).write_cms(field, writer)
    next(steps)
    steps.send(SigObjSetup(signature, mdp))
    digest, output = steps.send(SigIOSetup(_DIGEST, in_place=True))
    written = output.getvalue()
    place = Place(digest.reserved_region_start, digest.reserved_region_end, len(written), digest.document_digest)
    return written, place
