"""Asking a wallet for a presentation: a single-use nonce and the audience that the answer must name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from idverify.core.assurance import Minimum
from idverify.core.policy import Act, Principal, require_may
from idverify.core.types import credential_type
from idverify.errors import Conflict, Gone, NotFound
from idverify.formats.base import HolderBindingExpected
from idverify.services.access import still_in_use
from idverify.services.offer import NONCE_BYTES, random_text
from idverify.services.office import Office
from idverify.services.verify import NO_MINIMUM
from idverify.stores import queries, tables
from idverify.stores.writes import Consume, Insert, WriteSet

REQUEST_SECONDS: Final = 10 * 60
_UNKNOWN: Final = "There is no such verification request."


@dataclass(frozen=True, slots=True)
class VerificationRequest:
    """What a wallet needs to answer, until ``expires_at`` (Unix seconds)."""

    handle: bytes
    type: str
    nonce: str
    audience: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Awaited:
    """A stored request: what the presentation must be bound to, and the write that uses it up."""

    expected: HolderBindingExpected
    type: str
    consume: Consume
    least_assurance: Minimum


async def request_presentation(
    office: Office, asker: Principal, type_id: str, least: Minimum | None = None
) -> VerificationRequest:
    """Make a verification request; ``least`` is what its answer must say of how the person's identity was checked."""
    require_may(asker, Act.REQUEST_PRESENTATION)
    kind, now = credential_type(type_id), office.clock.now()
    handle = office.new_handle()
    made = VerificationRequest(
        handle, kind.id, random_text(office, NONCE_BYTES), office.deployment.iss, now + REQUEST_SECONDS
    )
    row = {
        "id": office.new_id(),
        "handle": handle,
        "nonce": made.nonce,
        "audience": made.audience,
        "type": made.type,
        "created_by": asker.id,
        "expires_at": made.expires_at,
        "consumed_at": None,
        "least_assurance": None if least is None else least.model_dump_json(exclude_none=True),
    }
    await office.store.commit(WriteSet((*still_in_use(asker), Insert(tables.verification_request, row))))
    office.recent_requests.add(row)
    return made


async def awaited(office: Office, asker: Principal, handle: bytes) -> Awaited:
    """The request that a presentation answers: only whoever made it may use it. Raises ``NotFound``."""
    row: Any = office.recent_requests.get(handle)
    if row is None:
        row = await office.store.fetch_one(queries.VERIFICATION_REQUEST, {"handle": handle})
    if row is None or row["created_by"] != asker.id:
        raise NotFound(_UNKNOWN)
    consume = Consume(
        tables.verification_request,
        row["id"],
        office.clock.now(),
        used=Conflict("This verification request was answered already. Make a new one."),
        expired=Gone("This verification request has expired. Make a new one."),
        unknown=NotFound(_UNKNOWN),
    )
    said = row["least_assurance"]
    least = NO_MINIMUM if said is None else Minimum.model_validate_json(said)
    return Awaited(HolderBindingExpected(row["audience"], row["nonce"]), row["type"], consume, least)
