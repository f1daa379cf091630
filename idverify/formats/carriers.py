"""Which format a document is in: an explicit table, tried in order; a new format is one line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from idverify.errors import DocumentError
from idverify.formats.base import CredentialFormat
from idverify.formats.sdjwt_vc import SdJwtVc

MAX_DOCUMENT = 64 * 1024

_SD_JWT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*~")

FORMATS: Mapping[str, CredentialFormat] = {form.name: form for form in (SdJwtVc(),)}

# (looks like it, name in FORMATS)
SIGNS: tuple[tuple[Callable[[bytes], object], str], ...] = ((_SD_JWT.match, "dc+sd-jwt"),)


def sniff(document: bytes) -> CredentialFormat:
    """The format that the bytes look like. Raises ``DocumentError`` (``size``, ``unknown-format``)."""
    if len(document) > MAX_DOCUMENT:
        raise DocumentError("size", f"A document may have {MAX_DOCUMENT} bytes; this one has {len(document)}.")
    for looks_like, name in SIGNS:
        if looks_like(document):
            return FORMATS[name]
    raise DocumentError("unknown-format", "This is no credential in a format known here (SD-JWT VC).")
