"""What is handed over to ``POST /api/v1/verify``, in every media type that it takes: an explicit table.

A media type says how the bytes came, never what they are: that is sniffed (``formats.handed_over``,
``formats.carriers``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from pydantic import ValidationError

from idverify.core.assurance import Confidence, Eidas, Level, Minimum, Protection
from idverify.errors import MalformedRequest
from idverify.formats.handed_over import HandedOver, handed_over
from idverify.formats.images import KINDS
from idverify.services.check import MOST, NO_WISHES, Wishes
from idverify.services.verify import NO_MINIMUM
from idverify.web import schema
from idverify.web.endpoint import Media
from idverify.web.form_body import Posted, read_multipart

MAX_BODY: Final = 16 * 1024 * 1024  # the largest photo, and what comes with it
REQUEST: Final = "verification_request"
RECEIPT: Final = "verification_receipt"
LEVELS: Final[Mapping[str, type[Level]]] = {"confidence": Confidence, "authentication": Protection, "eidas": Eidas}
_YES_OR_NO: Final = {"": False, "0": False, "false": False, "1": True, "true": True}
_FIELDS: Final = frozenset({"document", "receipt", REQUEST, RECEIPT, *LEVELS})
_FILES: Final = frozenset({"file", "receipt"})
_OPTIONS: Final = 8  # parts of a form besides its documents
_HANDLE: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was handed over; ``several``: whoever asked wants a list, even of one."""

    given: tuple[HandedOver, ...]
    several: bool
    wishes: Wishes = NO_WISHES


def of_json(body: schema.Submitted) -> Asked:
    """From the JSON of one document or of several."""
    asked = body.root
    wishes = NO_WISHES
    if asked.verification_receipt or asked.assurance is not None:
        least = NO_MINIMUM if asked.assurance is None else asked.assurance.minimum()
        wishes = Wishes(asked.verification_receipt, least)
    if isinstance(asked, schema.SubmittedAlone):
        return Asked((_of_json(asked),), several=False, wishes=wishes)
    return Asked(tuple(map(_of_json, asked.documents)), several=True, wishes=wishes)


def _of_json(one: schema.SubmittedDocument) -> HandedOver:
    receipt = None if one.receipt is None else one.receipt.encode()
    request = None if one.verification_request is None else bytes.fromhex(one.verification_request)
    return handed_over(one.document.encode(), receipt, request)


def _one(body: bytes, request: web.Request) -> Asked:
    """The body is the document; what belongs to it is in the query."""
    given = handed_over(body, None, _handle(_option(request, REQUEST)))
    wishes = _wishes(_option(request, RECEIPT), {name: _option(request, name) for name in LEVELS})
    return Asked((given,), several=False, wishes=wishes)


def _form(body: bytes, request: web.Request) -> Asked:
    """Files and texts, each a document, in that order."""
    posted = read_multipart(body, request.headers.get("Content-Type", ""), MOST + _OPTIONS)
    names = {name for name, _ in posted.fields}, {name for name, _ in posted.files}
    strange = [f"a field {name!r}" for name in names[0] - _FIELDS] + [f"a file {name!r}" for name in names[1] - _FILES]
    if strange:
        fields = ", ".join(sorted(_FIELDS))
        raise MalformedRequest(f"A form has files named file or receipt, and fields {fields}; got {min(strange)[:60]}.")
    documents = (*posted.all_files("file"), *(text.encode() for text in posted.texts("document") if text))
    if not 1 <= len(documents) <= MOST:
        raise MalformedRequest(f"A form must have 1 to {MOST} documents, as file or document; got {len(documents)}.")
    receipt, handle = _receipt(posted), _handle(posted.text(REQUEST) or _option(request, REQUEST))
    if len(documents) > 1 and (receipt is not None or handle is not None):
        raise MalformedRequest("A receipt or a verification_request belongs to one document; got several documents.")
    levels = {name: posted.text(name) or _option(request, name) for name in LEVELS}
    wishes = _wishes(posted.text(RECEIPT) or _option(request, RECEIPT), levels)
    given = tuple(handed_over(one, receipt, handle) for one in documents)
    return Asked(given, several=len(given) > 1, wishes=wishes)


def _wishes(receipt: str, levels: Mapping[str, str]) -> Wishes:
    if receipt not in _YES_OR_NO:
        raise MalformedRequest(f"{RECEIPT} must be 1 or 0; got {receipt[:20]!r}.")
    demanded = {name: level for name, level in levels.items() if level}
    if not demanded and not _YES_OR_NO[receipt]:
        return NO_WISHES
    try:
        return Wishes(_YES_OR_NO[receipt], Minimum.model_validate(demanded))
    except ValidationError as wrong:
        known = ", ".join(f"{name} ({' '.join(levels)})" for name, levels in LEVELS.items())
        raise MalformedRequest(f"The least assurance may name {known}.") from wrong


def _receipt(posted: Posted) -> bytes | None:
    return posted.file("receipt") or posted.text("receipt").encode() or None


def _option(request: web.Request, name: str) -> str:
    given = request.query.getall(name, [])
    if len(given) > 1:
        raise MalformedRequest(f"{name} must stand in the query once; got {len(given)}.")
    return given[0] if given else ""


def _handle(given: str) -> bytes | None:
    if not given:
        return None
    if not _HANDLE.fullmatch(given):
        raise MalformedRequest("verification_request must be 32 hex digits.")
    return bytes.fromhex(given)


QUERY: Final[Mapping[str, Mapping[str, Any]]] = {
    REQUEST: {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "Which request the document answers"},
    RECEIPT: {"enum": ["0", "1"], "description": "1: with a signed receipt of the check"},
    **{
        name: {
            "enum": list(levels),
            "description": "The least that it must state of the identity check",
        }
        for name, levels in LEVELS.items()
    },
}
_TEXT: Final = {"type": "string"}
_BINARY: Final = {"description": "The bytes of one document"}
_FORM: Final = {
    "type": "object",
    "properties": {
        "file": {"type": "array", "items": {"type": "string", "contentMediaType": "application/octet-stream"}},
        "document": {"type": "array", "items": _TEXT},
        "receipt": _TEXT,
        **QUERY,
    },
}

MEDIA: Final[Mapping[str, Media]] = {
    "text/plain": Media(_one, _TEXT),
    "application/dc+sd-jwt": Media(_one, _TEXT),
    "application/octet-stream": Media(_one, _BINARY),
    "application/cbor": Media(_one, _BINARY),
    "application/pdf": Media(_one, _BINARY),
    **{f"image/{kind.lower()}": Media(_one, _BINARY) for kind in KINDS},
    "multipart/form-data": Media(_form, _FORM),
}
