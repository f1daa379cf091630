"""Challenges: handed out, stored, and burned before anything that answers them is looked at.

A challenge is good once. A wrong answer uses it up as a right one does, so nobody can try twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from idverify.auth.webauthn import Expectation
from idverify.errors import CeremonyExpired, CeremonyUsed, NotFound
from idverify.services.attempts import require_few_failures
from idverify.services.office import HANDLE_BYTES, Office
from idverify.stores import queries, tables
from idverify.stores.writes import Change, Consume, WriteSet

CHALLENGE_BYTES: Final = 32
UNKNOWN: Final = "There is no such ceremony. Start again."


class Ceremony(StrEnum):
    """What a challenge was handed out for; one for another kind answers nothing."""

    SIGN_IN = "sign-in"
    ENROL = "enrol"
    ADD_KEY = "add-key"
    STEP_UP = "step-up"


# What a challenge may be bound to.
_BOUND: Final = (
    *("account_id", "session_id", "enrolment_id", "user_handle"),
    *("nonce", "action_digest", "authorisation_handle"),
)
# How long each may take: a new key may first have to be unpacked and given a PIN.
SECONDS: Final[Mapping[Ceremony, int]] = {
    Ceremony.SIGN_IN: 300,
    Ceremony.ENROL: 600,
    Ceremony.ADD_KEY: 600,
    Ceremony.STEP_UP: 120,
}


@dataclass(frozen=True, slots=True)
class Beginning:
    """A ceremony that has begun: its handle, and the options for the browser (WebAuthn section 5.1.8 or 5.1.9)."""

    ceremony: bytes
    options: dict[str, Any]
    expires_at: int


@dataclass(frozen=True, slots=True)
class Renewal:
    """The token that a session has, and the one that it has once its owner confirmed an act: what was stolen ends."""

    old: str = field(repr=False)
    new: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Given:
    """A ceremony's answer: its handle, and ``PublicKeyCredential.toJSON()`` as the client sent it.

    ``renewal`` is set where the session is a browser's; whoever acts in this very process has no cookie to renew.
    """

    ceremony: bytes
    response: Mapping[str, Any]
    renewal: Renewal | None = None


async def keep(office: Office, kind: Ceremony, challenge: bytes, at: int, **bound: bytes | None) -> bytes:
    """Store a challenge that was handed out at ``at``, bound to account, session and act; its handle.

    Raises ``TooManyAttempts`` where too many answers of this session or code did not hold.
    """
    await require_few_failures(office, bound.get("session_id"), bound.get("enrolment_id"))
    handle = office.entropy(HANDLE_BYTES)
    row = {
        "id": office.new_id(),
        "handle": handle,
        "kind": kind.value,
        "challenge": challenge,
        "created_at": at,
        "expires_at": at + SECONDS[kind],
        "consumed_at": None,
        "succeeded_at": None,
        **dict.fromkeys(_BOUND),
        **bound,
    }
    await office.store.commit(WriteSet((office.doors.inserting(tables.ceremony, row),)))
    return handle


async def burn(office: Office, kind: Ceremony, handle: bytes) -> Any:
    """Use a challenge up, for good and before its answer is looked at; the row.

    Raises ``NotFound``, ``CeremonyUsed``, ``CeremonyExpired``, and ``TooManyAttempts`` as ``keep`` does.
    """
    row: Any = await office.store.fetch_one(queries.CEREMONY, {"handle": handle})
    if row is None or row["kind"] != kind.value or not office.doors.holds(tables.ceremony, row):
        raise NotFound(UNKNOWN)
    await require_few_failures(office, row["session_id"], row["enrolment_id"])
    consume = Consume(
        tables.ceremony,
        row["id"],
        office.clock.now(),
        used=CeremonyUsed(),
        expired=CeremonyExpired(),
        unknown=NotFound(UNKNOWN),
    )
    await office.store.commit(WriteSet((consume,)))
    return row


def succeeded(office: Office, ceremony: Any) -> Change:
    """What is to be committed together with all that a ceremony led to; without it, it counts as failed."""
    return Change(tables.ceremony, {"id": ceremony["id"]}, {"succeeded_at": office.clock.now()})


def expectation(office: Office, challenge: bytes, *, account_known: bool = False) -> Expectation:
    """What every answer must say: our RP ID, our origin or a related one, this challenge, user verified."""
    ours = office.deployment
    return Expectation(ours.rp_id, office.related_origins | {ours.iss}, challenge, account_known=account_known)


def credentials(rows: Sequence[Any]) -> list[tuple[bytes, tuple[str, ...]]]:
    """Credential ids with their transports, as options list them.

    Sorted, as browsers name them (WebAuthn L3 section 5.2.1.1): a key that names them otherwise would not look made up.
    """
    return [(row["credential_id"], tuple(sorted(row["transports"].split()))) for row in rows]
