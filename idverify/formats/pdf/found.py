"""What a worker says that it found in a PDF. The PDF may have taken it over: only the bytes prove anything."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of the PDF, by its own word.

    ``cms`` is DER; it lies from ``start`` (at its ``<``) to ``end`` (after its ``>``) in a revision of ``size`` bytes,
    of which it covers all else. ``chain`` is DER, the signer first. ``at`` is Unix seconds; 0: it does not say.
    ``kind`` is ``certification``, ``approval`` or ``time-stamp``. ``intact``: digest and signature hold.
    """

    kind: str
    cms: bytes
    start: int
    end: int
    size: int
    chain: list[bytes]
    at: int
    intact: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that is broken: the check that fails, the rule's stable name, and what is wrong."""

    check: str
    rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in the PDF."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """All of it. ``later`` says what was changed after the (first) signature: ``nothing``, ``evidence``, ``permitted``
    (a form filled in, a signature added), ``other``. ``codes`` are the texts of the QR codes as the pages show them,
    ``rows`` the cells of the tables, ``language`` the one that the document says it is in.
    """

    signatures: list[Signature]
    broken: list[Broken]
    later: str
    attachments: list[Attachment]
    codes: list[str]
    rows: list[list[str]]
    language: str
