"""Offering: the one-time right to collect a credential into a wallet, from an officer or from the holder's own desk."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from idverify.core.action import Action
from idverify.core.policy import Act, Principal, require_active, require_may, require_person
from idverify.core.types import credential_type
from idverify.errors import Unprocessable
from idverify.services import step_up
from idverify.services.ceremonies import Given
from idverify.services.office import Office
from idverify.services.people import Person, look, own_person, read, record_view
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


async def offer(office: Office, officer: Principal, person: bytes, vct: str, given: Given | None) -> Offer:
    """An officer makes an offer for a person whose status allows it."""
    require_may(officer, Act.OFFER)
    require_person(officer)
    holder = await read(office, person)
    return await _make(office, officer, holder, vct, given, (look(office, officer, holder.id, "offer", "made"),))


async def offer_to_self(office: Office, citizen: Principal, vct: str, given: Given | None) -> Offer:
    """A citizen makes an offer for themselves."""
    require_may(citizen, Act.COLLECT)
    return await _make(office, citizen, await own_person(office, citizen), vct, given, ())


async def _make(
    office: Office, maker: Principal, holder: Person, vct: str, given: Given | None, looks: tuple[Insert, ...]
) -> Offer:
    kind, now = credential_type(vct), office.clock.now()
    try:
        require_active(holder.status)
    except Unprocessable:  # which tells whoever asked the status
        if looks:
            await record_view(office, maker, holder.id)
        raise
    action = Action("offer-credential", holder.handle.hex(), {"type": kind.vct})
    confirmed = await step_up.require(office, maker, action, given)
    code, nonce = random_text(office, CODE_BYTES), random_text(office, NONCE_BYTES)
    row = {
        "id": office.new_id(),
        "code_hash": code_hash(code),
        "person_id": holder.id,
        "type": kind.vct,
        "nonce": nonce,
        "created_by": maker.actor,
        "authorisation_id": confirmed.id,
        "expires_at": now + OFFER_SECONDS,
        "consumed_at": None,
    }
    whom = holder.id, holder.key
    writes = (*confirmed.writes(whom), Insert(tables.offer, row), *looks)
    await office.store.commit(WriteSet(writes, confirmed.entries(office, whom)))
    return Offer(office.deployment.iss, kind.vct, code, nonce, now + OFFER_SECONDS)


def code_hash(code: str) -> bytes:
    """What is kept of a code: 160 random bits need no slow hash."""
    return hashlib.sha256(code.encode()).digest()


def random_text(office: Office, size: int) -> str:
    """``size`` random bytes as base64url."""
    return base64.urlsafe_b64encode(office.entropy(size)).decode().rstrip("=")
