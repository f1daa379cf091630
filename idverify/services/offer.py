"""Offering: an officer gives a person the one-time right to collect a credential into a wallet."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from idverify.core.policy import Act, Principal, require_active, require_may
from idverify.core.types import credential_type
from idverify.services.office import Office
from idverify.services.people import read
from idverify.stores import tables
from idverify.stores.writes import Insert, WriteSet

OFFER_SECONDS: Final = 15 * 60
CODE_BYTES: Final = 20
NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Offer:
    """``code`` is the right itself, shown once; ``nonce`` must be in the wallet's key proof."""

    issuer: str
    type: str
    code: str
    nonce: str
    expires_at: int


async def offer(office: Office, officer: Principal, person: bytes, vct: str) -> Offer:
    """Make an offer for a person whose status allows it."""
    require_may(officer, Act.OFFER)
    kind, holder, now = credential_type(vct), await read(office, person), office.clock.now()
    require_active(holder.status)
    code, nonce = random_text(office, CODE_BYTES), random_text(office, NONCE_BYTES)
    row = {
        "id": office.new_id(),
        "code_hash": code_hash(code),
        "person_id": holder.id,
        "type": kind.vct,
        "nonce": nonce,
        "created_by": officer.actor,
        "expires_at": now + OFFER_SECONDS,
        "consumed_at": None,
    }
    await office.store.commit(WriteSet((Insert(tables.offer, row),)))
    return Offer(office.deployment.iss, kind.vct, code, nonce, now + OFFER_SECONDS)


def code_hash(code: str) -> bytes:
    """What is kept of a code: 160 random bits need no slow hash."""
    return hashlib.sha256(code.encode()).digest()


def random_text(office: Office, size: int) -> str:
    """``size`` random bytes as base64url."""
    return base64.urlsafe_b64encode(office.entropy(size)).decode().rstrip("=")
