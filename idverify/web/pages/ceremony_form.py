"""The form around a key ceremony: what the page hands to the browser, and what the form brings back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from idverify.auth.credential_json import credential_id_of
from idverify.errors import CeremonyMalformed, DocumentError
from idverify.formats.strict_json import parse_object
from idverify.services.ceremonies import Beginning, Given
from idverify.web.form_body import Posted

CEREMONY, RESPONSE, BROWSER_ERROR, CSRF = "ceremony", "response", "browser_error", "csrf"
# Fields of the frame, not of the form in it
RESERVED: Final = frozenset({CEREMONY, RESPONSE, BROWSER_ERROR, CSRF})
MOST_RESPONSE: Final = 64 * 1024
_HANDLE: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class ShownCeremony:
    """A ceremony as the page carries it: its handle, and what ``static/ceremony.js`` reads."""

    handle: str
    script: Mapping[str, Any]


def shown(kind: Literal["create", "get"], beginning: Beginning) -> ShownCeremony:
    """A ceremony that has begun: ``create`` registers a key, ``get`` asks one that is known."""
    return ShownCeremony(beginning.ceremony.hex(), {"kind": kind, "public_key": beginning.options})


def given(posted: Posted) -> Given | None:
    """The key's answer that the form brought back, if it did. Raises ``CeremonyMalformed``."""
    handle, response = posted.text(CEREMONY), posted.text(RESPONSE).encode()
    if not handle or not response:
        return None
    if not _HANDLE.fullmatch(handle) or len(response) > MOST_RESPONSE:
        raise CeremonyMalformed("form", "The ceremony's form did not come back as it was sent.")
    try:
        return Given(bytes.fromhex(handle), parse_object(response, "The key's answer"))
    except DocumentError as wrong:
        raise CeremonyMalformed(wrong.rule, str(wrong)) from wrong


def new_credential(answered: Given) -> bytes | None:
    """The id of the key that the visitor just made, if the answer is a registration's.

    It is as they sent it: whoever is told to forget it learns nothing of what is registered.
    """
    response = answered.response.get("response")
    if not isinstance(response, Mapping) or "attestationObject" not in response:
        return None
    try:
        return credential_id_of(answered.response)
    except CeremonyMalformed:
        return None


def without_frame(posted: Posted) -> Posted:
    """The fields that are the form's own."""
    return Posted(tuple(pair for pair in posted.fields if pair[0] not in RESERVED), posted.files)
