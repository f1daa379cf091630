"""The list of authenticators: which models staff may use, and who may vouch for each. A document, read strictly.

    {"anchors": [base64 of a DER certificate], "entries": [{"anchors": [SHA-256 in hex] or "metadata",
    "model": AAGUID, "name": text}], "metadata": {"fips": false, "grace_days": 30, "least": "FIDO_CERTIFIED_L1"}}

Of U2F keys ``model`` is the attestation key's identifier, 40 hexadecimal digits. ``"metadata"`` trusts whichever roots
FIDO's metadata name for that model; ``least`` null asks for no certification, so that no metadata are needed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from idverify.auth.attestation import certificate
from idverify.auth.attestation.path import fingerprint
from idverify.auth.authenticator_trust import AllowedModel, AuthenticatorRules
from idverify.auth.mds import Metadata
from idverify.auth.mds_status import CERTIFICATIONS
from idverify.core.action import canonical_json
from idverify.errors import Unprocessable

MOST_ENTRIES: Final = 500
MOST_ANCHORS: Final = 100
MOST_NAME: Final = 100
MOST_GRACE_DAYS: Final = 365
OF_METADATA: Final = "metadata"
_DAY: Final = 86_400
_MEMBERS: Final = {"anchors", "entries", "metadata"}


@dataclass(frozen=True, slots=True)
class Listed:
    """One model. ``anchors`` are SHA-256 of roots; none: those that the metadata name for it."""

    model: bytes
    name: str
    anchors: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        """As the document says it."""
        anchors = [anchor.hex() for anchor in self.anchors] or OF_METADATA
        return {"model": model_text(self.model), "name": self.name, "anchors": anchors}


@dataclass(frozen=True, slots=True)
class AuthenticatorList:
    """``anchors`` are DER. ``least`` is one of ``mds_status.CERTIFICATIONS``, or ``None``."""

    entries: tuple[Listed, ...]
    anchors: tuple[bytes, ...]
    least: str | None
    fips: bool
    grace_days: int

    def to_json(self) -> dict[str, Any]:
        """The document."""
        return {
            "entries": [listed.to_json() for listed in self.entries],
            "anchors": [base64.b64encode(der).decode() for der in self.anchors],
            "metadata": {"least": self.least, "fips": self.fips, "grace_days": self.grace_days},
        }

    @property
    def needs_metadata(self) -> bool:
        """Whether it takes nothing without metadata: they alone know how a model is certified."""
        return self.least is not None or self.fips

    def with_model(self, entry: Listed, roots: tuple[bytes, ...]) -> AuthenticatorList:
        """The list with one model more, or with another entry for it; ``roots`` (DER) are added to the anchors.

        Raises ``Unprocessable`` for what would be no list.
        """
        others = (one for one in self.entries if one.model != entry.model)
        anchors = tuple(dict.fromkeys((*self.anchors, *roots)))
        return read_list(replace(self, entries=(*others, entry), anchors=anchors).to_json())

    def models_without_root(self, metadata: Metadata | None) -> list[str]:
        """Names of the models of which no key can be taken: there is no root that might vouch for one."""
        known = {} if metadata is None else metadata.models
        ours = set(map(fingerprint, self.anchors))
        without = []
        for listed in self.entries:
            named = known[listed.model].roots if listed.model in known else ()
            vouching = {fingerprint(root) for root in named}
            if not (vouching if not listed.anchors else (ours | vouching) & set(listed.anchors)):
                without.append(listed.name)
        return without

    def document(self) -> bytes:
        """The document as it is kept: canonical JSON."""
        return canonical_json(self.to_json())

    def rules(self, metadata: Metadata | None) -> AuthenticatorRules:
        """What a key is judged by."""
        allow = tuple(
            AllowedModel(listed.model, anchor, listed.name)
            for listed in self.entries
            for anchor in listed.anchors or (None,)
        )
        return AuthenticatorRules(allow, self.anchors, metadata, self.least, self.fips, self.grace_days * _DAY)


EMPTY: Final = AuthenticatorList((), (), "FIDO_CERTIFIED_L1", fips=False, grace_days=30)


def read_list(members: Any) -> AuthenticatorList:
    """The list that a decoded document says. Raises ``Unprocessable``: where it is wrong, and what must stand there."""
    if not isinstance(members, Mapping) or members.keys() != _MEMBERS:
        raise Unprocessable("A list of authenticators must have the members anchors, entries and metadata.")
    anchors = tuple(_certificate(sent) for sent in _listed(members["anchors"], MOST_ANCHORS, "anchors"))
    entries = tuple(_entry(sent) for sent in _listed(members["entries"], MOST_ENTRIES, "entries"))
    if len({listed.model for listed in entries}) < len(entries) or len(set(anchors)) < len(anchors):
        raise Unprocessable("A list of authenticators must name each model and each certificate once.")
    return AuthenticatorList(entries, anchors, *_metadata(members["metadata"]))


def read_model(sent: str) -> bytes:
    """The model that a text names. Raises ``Unprocessable``."""
    try:
        if len(sent) == 40:
            return bytes.fromhex(sent)
        model = UUID(sent)
    except ValueError as wrong:
        raise Unprocessable(_NO_MODEL) from wrong
    if model.int == 0:  # what authenticators without a model say
        raise Unprocessable(_NO_MODEL)
    return model.bytes


def model_text(model: bytes) -> str:
    """A model as people write it."""
    return str(UUID(bytes=model)) if len(model) == 16 else model.hex()


_NO_MODEL: Final = "A model must be an AAGUID that is not all zeros, or the 40 hexadecimal digits of a U2F key's maker."


def _listed(sent: Any, most: int, name: str) -> list[Any]:
    if not isinstance(sent, list | tuple) or len(sent) > most:
        raise Unprocessable(f"The member {name} must be an array of at most {most}.")
    return list(sent)


def _certificate(sent: Any) -> bytes:
    try:
        der = base64.b64decode(sent, validate=True) if isinstance(sent, str) else b""
        certificate.read(der)
    except (ValueError, binascii.Error) as wrong:
        raise Unprocessable("Each anchor must be the base64 of a DER certificate of at most 8192 bytes.") from wrong
    return der


def _entry(sent: Any) -> Listed:
    match sent:
        case {"model": str(model), "name": str(name), "anchors": anchors}:
            if len(sent) == 3 and 1 <= len(name) <= MOST_NAME and name.isprintable():
                return Listed(read_model(model), name, () if anchors == OF_METADATA else _fingerprints(anchors))
    raise Unprocessable("Each entry must have model, a name of at most 100 printable characters, and anchors.")


def _fingerprints(sent: Any) -> tuple[bytes, ...]:
    try:
        found = tuple(bytes.fromhex(text) for text in _listed(sent, MOST_ANCHORS, "anchors"))
    except (ValueError, TypeError) as wrong:
        raise Unprocessable(_NO_FINGERPRINTS) from wrong
    if not found or len(set(found)) < len(found) or any(len(each) != hashlib.sha256().digest_size for each in found):
        raise Unprocessable(_NO_FINGERPRINTS)
    return found


_NO_FINGERPRINTS: Final = "An entry's anchors must be the word metadata, or SHA-256 of roots in hex, each once."


def _metadata(sent: Any) -> tuple[str | None, bool, int]:
    match sent:
        case {"least": str() | None as least, "fips": bool(fips), "grace_days": int(days)} if len(sent) == 3:
            known = least is None or least in CERTIFICATIONS
            if known and type(days) is int and 0 <= days <= MOST_GRACE_DAYS:
                return least, fips, days
    raise Unprocessable("The member metadata must have least (a level or null), fips, and grace_days from 0 to 365.")
