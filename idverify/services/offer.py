"""Offering: the one-time right to collect a credential into a wallet, from an officer or from the holder's own desk."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.action import Action
from idverify.core.credential_type import CredentialType
from idverify.core.policy import Act, Principal, require_active, require_may, require_person
from idverify.core.types import credential_type
from idverify.errors import Unprocessable
from idverify.formats.carriers import FORMATS
from idverify.services import step_up
from idverify.services.ceremonies import Given
from idverify.services.office import Office
from idverify.services.people import Person, decision_in_force, look, own_person, read, record_view
from idverify.services.permissions import permission_for
from idverify.services.retire import replaceable
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
    format: str
    code: str
    nonce: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which document: the id of its type, and its format; without one the type's usual format."""

    type: str
    format: str | None = None


async def offer(office: Office, officer: Principal, person: bytes, wanted: Wanted, given: Given | None) -> Offer:
    """An officer makes an offer for a person whose status allows it."""
    require_may(officer, Act.OFFER)
    require_person(officer)
    holder = await read(office, person)
    return await _make(office, officer, holder, wanted, given, (look(office, officer, holder.id, "offer", "made"),))


async def offer_to_self(
    office: Office, citizen: Principal, wanted: Wanted, given: Given | None, replaces: bytes | None = None
) -> Offer:
    """A citizen makes an offer for themselves. ``replaces``: the copy that is retired when this one is collected."""
    require_may(citizen, Act.COLLECT)
    holder = await own_person(office, citizen)
    replaced = None if replaces is None else await replaceable(office, holder.id, replaces, wanted.type)
    return await _make(office, citizen, holder, wanted, given, (), replaced)


async def _make(
    office: Office,
    maker: Principal,
    holder: Person,
    wanted: Wanted,
    given: Given | None,
    looks: tuple[Insert, ...],
    replaced: Any = None,
) -> Offer:
    kind, now = credential_type(wanted.type), office.clock.now()
    format_name = _format(kind, wanted.format)
    try:
        require_active(holder.status)
        await _require_given(office, holder, kind)
    except Unprocessable:  # which tells whoever asked the status
        if looks:
            await record_view(office, maker, holder.id)
        raise
    instead = {} if replaced is None else {"replaces": replaced["handle"].hex(), "collected_at": replaced["issued_at"]}
    said = {"type": kind.id, "format": format_name, **instead}
    action = Action("offer-credential", holder.handle.hex(), said)
    confirmed = await step_up.require(office, maker, action, given)
    code, nonce = random_text(office, CODE_BYTES), random_text(office, NONCE_BYTES)
    row = {
        "id": office.new_id(),
        "code_hash": code_hash(code),
        "person_id": holder.id,
        "type": kind.id,
        "format": format_name,
        "nonce": nonce,
        "created_by": maker.actor,
        "authorisation_id": confirmed.id,
        "replaces": None if replaced is None else replaced["id"],
        "expires_at": now + OFFER_SECONDS,
        "consumed_at": None,
    }
    whom = holder.id, holder.key
    writes = (*confirmed.writes(whom), office.doors.inserting(tables.offer, row), *looks)
    await office.store.commit(WriteSet(writes, confirmed.entries(office, whom)))
    return Offer(office.deployment.iss, kind.id, format_name, code, nonce, now + OFFER_SECONDS)


def formats_of(kind: CredentialType) -> tuple[str, ...]:
    """The formats in which a wallet may have a type, the usual one first."""
    return tuple(name for name in kind.forms if name in FORMATS and not FORMATS[name].on_paper)


def _format(kind: CredentialType, asked: str | None) -> str:
    known = formats_of(kind)
    if not known or asked not in (None, *known):
        raise Unprocessable(f"{kind.id} is issued as {' or '.join(known) or 'nothing yet'}; got {asked!r}.")
    return asked or known[0]


async def _require_given(office: Office, holder: Person, kind: CredentialType) -> None:
    """Raises ``Unprocessable`` unless the decision in force gives the person this type."""
    permission_for(kind, await decision_in_force(office, holder))


def code_hash(code: str) -> bytes:
    """What is kept of a code: 160 random bits need no slow hash."""
    return hashlib.sha256(code.encode()).digest()


def random_text(office: Office, size: int) -> str:
    """``size`` random bytes as base64url."""
    return base64.urlsafe_b64encode(office.entropy(size)).decode().rstrip("=")
