"""Step-up: a security key signs one act, and the signature is kept so that a third party can check it again.

No browser shows what a key signs, so the challenge itself is made from the act (the digest of ``core.action``), from
who confirms it where and when, and from a nonce. Two people who confirm one act sign over one digest, each in their
own context.
"""

from __future__ import annotations

import hashlib
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import Any, Final

from idverify.auth import base64url, strict_json
from idverify.auth.assertion import Asserted, KnownKey, check_assertion
from idverify.auth.ceremony import Expectation
from idverify.core.action import canonical_json
from idverify.errors import CeremonyMalformed

NONCE_BYTES: Final = 32
MAX_EVIDENCE: Final = 64 * 1024
_CHALLENGE: Final = b"idverify/step-up/v1\x00"
_EVIDENCE: Final = "idverify/step-up-evidence/v1"
_MEMBERS: Final = {
    "type": str,
    "action_digest": str,
    "context": dict,
    "nonce": str,
    "origins": list,
    "credential_id": str,
    "cose_key": str,
    "backup_eligible": bool,
    "client_data": str,
    "authenticator_data": str,
    "signature": str,
}


@dataclass(frozen=True, slots=True)
class Context:
    """Who confirms, where and when: row ids in hex, Unix seconds. The challenge may be used until ``expires_at``."""

    account: str
    session: str
    security_key: str
    rp_id: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What evidence proves: that this key signed the act of this digest in this context, on a page of these origins.

    No assertion covers the credential id; that it names the key is its owner's word, as kept.
    """

    action_digest: bytes
    context: Context
    credential_id: bytes
    cose_key: bytes
    origins: frozenset[str]


def challenge(nonce: bytes, action_digest: bytes, context: Context) -> bytes:
    """32 bytes. Every part has a fixed length, so that no two acts share one message."""
    if len(nonce) != NONCE_BYTES or len(action_digest) != hashlib.sha256().digest_size:
        raise ValueError(f"expected a nonce of {NONCE_BYTES} and a digest of 32 bytes")
    about = hashlib.sha256(canonical_json(asdict(context))).digest()
    return hashlib.sha256(_CHALLENGE + nonce + action_digest + about).digest()


def evidence(
    nonce: bytes,
    action_digest: bytes,
    context: Context,
    origins: AbstractSet[str],
    known: KnownKey,
    asserted: Asserted,
) -> bytes:
    """Canonical JSON of all that ``verify_evidence`` needs. The ledger gets its SHA-256."""
    return canonical_json(
        {
            "type": _EVIDENCE,
            "action_digest": action_digest.hex(),
            "context": asdict(context),
            "nonce": nonce.hex(),
            "origins": sorted(origins),
            "credential_id": base64url.encode(known.credential_id),
            "cose_key": base64url.encode(known.cose_key),
            "backup_eligible": known.backup_eligible,
            "client_data": base64url.encode(asserted.client_data),
            "authenticator_data": base64url.encode(asserted.authenticator_data),
            "signature": base64url.encode(asserted.signature),
        }
    )


def verify_evidence(kept: bytes) -> Confirmation:
    """Check evidence again, with nothing but itself: whose key it is, and what the digest is of, is for the reader.

    Raises ``CeremonyMalformed`` (``evidence``) and what ``check_assertion`` raises.
    """
    try:
        members = _read(kept)
        context, known = _context(**members["context"]), _known(members)
        nonce, action_digest = bytes.fromhex(members["nonce"]), bytes.fromhex(members["action_digest"])
        origins = frozenset(members["origins"])
        expected = Expectation(context.rp_id, origins, challenge(nonce, action_digest, context), account_known=True)
        asserted = check_assertion(expected, known, _response(members))
        if evidence(nonce, action_digest, context, origins, known, asserted) != kept:
            raise ValueError("there is another spelling of it")
    except (TypeError, ValueError) as wrong:
        raise CeremonyMalformed("evidence", f"Evidence must be canonical JSON of {_EVIDENCE}: {wrong}.") from None
    return Confirmation(action_digest, context, known.credential_id, known.cose_key, origins)


def _read(kept: bytes) -> dict[str, Any]:
    if len(kept) > MAX_EVIDENCE:
        raise ValueError(f"it may be {MAX_EVIDENCE} bytes long")
    members = strict_json.read_object(kept)
    if {name: type(value) for name, value in members.items()} != _MEMBERS:
        raise ValueError("its members must be those of its type")
    return members


def _context(*, issued_at: Any, expires_at: Any, **names: Any) -> Context:
    if any(type(name) is not str for name in names.values()) or {type(issued_at), type(expires_at)} != {int}:
        raise ValueError("names must be text, and times whole seconds")
    return Context(**names, issued_at=issued_at, expires_at=expires_at)


def _known(members: dict[str, Any]) -> KnownKey:
    """The key, without what only its owner's database can say."""
    return KnownKey(
        credential_id=base64url.decode(members["credential_id"]),
        cose_key=base64url.decode(members["cose_key"]),
        sign_count=0,
        backup_eligible=members["backup_eligible"],
        user_handle=b"",
    )


def _response(members: dict[str, Any]) -> dict[str, Any]:
    """The answer that the browser gave, put together again."""
    return {
        "type": "public-key",
        "id": members["credential_id"],
        "rawId": members["credential_id"],
        "response": {
            "clientDataJSON": members["client_data"],
            "authenticatorData": members["authenticator_data"],
            "signature": members["signature"],
        },
    }
