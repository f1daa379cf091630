"""Which format a document is in: an explicit table, tried in order; a new format is one line.

What holds a document in a form that needs a decoder is another table: ``ENCLOSURES``. A worker reads those first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from idverify.errors import DocumentError
from idverify.formats import images
from idverify.formats.base import CredentialFormat
from idverify.formats.mdoc.credential import Mdoc
from idverify.formats.paper_code import PREFIX, PaperCode
from idverify.formats.sdjwt_vc import SdJwtVc

MAX_DOCUMENT = 64 * 1024

_SD_JWT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*~")

_CBOR_MAP = re.compile(rb"[\xa0-\xbf]")
_CBOR_MAP_IN_TEXT = re.compile(rb"[o-v][A-Za-z0-9_-]{99,}={0,2}")  # the same, in base64url

_JSON_JWS = re.compile(rb"""\s*\{.{0,65536}?"signatures?"\s*:""", re.DOTALL)
_JWT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\s*")

FORMATS: Mapping[str, CredentialFormat] = {form.name: form for form in (SdJwtVc(), Mdoc(), PaperCode())}

# (looks like it, name in FORMATS)
SIGNS: tuple[tuple[Callable[[bytes], object], str], ...] = (
    (_SD_JWT.match, "dc+sd-jwt"),
    (lambda document: document.startswith(PREFIX), "idv1"),
    (_CBOR_MAP.match, "mso_mdoc"),
    (_CBOR_MAP_IN_TEXT.fullmatch, "mso_mdoc"),
)


class Enclosure(NamedTuple):
    """What is read by the sandbox before anybody knows what document is in it: what it is, and how many bytes."""

    what: str
    most: int


IMAGE: Final = Enclosure("image", images.MAX_IMAGE)
PDF: Final = Enclosure("PDF", 10 * 1024 * 1024)

ENCLOSURES: tuple[tuple[Callable[[bytes], object], Enclosure], ...] = (
    (images.kind_of, IMAGE),
    (lambda document: document.startswith(b"%PDF-"), PDF),
)

# What people may well bring and nobody reads here: (looks like it, its rule, the sentence that says so).
REFUSED: tuple[tuple[Callable[[bytes], object], str, str], ...] = (
    (
        _JSON_JWS.match,
        "json-serialization",
        "This is a JWS in JSON (RFC 9901 section 8), which nobody needs to support. Send the compact form, with ~.",
    ),
    (_JWT.fullmatch, "plain-jwt", "This is a JWT without the ~ that an SD-JWT VC has after its signed part."),
)


def enclosure(document: bytes) -> Enclosure | None:
    """What the bytes look like that hold a document; ``None`` for all others. Raises ``DocumentError`` (``size``)."""
    found = next((kind for looks_like, kind in ENCLOSURES if looks_like(document)), None)
    if found is not None and len(document) > found.most:
        raise DocumentError("size", f"This {found.what} has {len(document)} bytes; one may have {found.most}.")
    return found


def code_of(texts: Iterable[str]) -> bytes:
    """The one paper code among what QR codes say. Raises ``DocumentError``: ``code-found``, ``one-code``."""
    codes = {text.encode() for text in texts if text.encode().startswith(PREFIX)}
    if not codes:
        raise DocumentError("code-found", "No paper code can be read in it. Photograph the code whole, flat, in light.")
    if len(codes) > 1:
        raise DocumentError("one-code", f"There are {len(codes)} different paper codes in it; send one at a time.")
    return codes.pop()


def sniff(document: bytes) -> CredentialFormat:
    """The format that the bytes look like. Raises ``DocumentError``: ``size``, ``unknown-format``, a ``REFUSED``."""
    if len(document) > MAX_DOCUMENT:
        raise DocumentError("size", f"A document may have {MAX_DOCUMENT} bytes; this one has {len(document)}.")
    for looks_like, name in SIGNS:
        if looks_like(document):
            return FORMATS[name]
    for looks_like, rule, sentence in REFUSED:
        if looks_like(document):
            raise DocumentError(rule, sentence)
    raise DocumentError("unknown-format", "This is no credential in a format known here (SD-JWT VC, mdoc, paper code).")
