"""What admins see of authenticators, and loading newer metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from idverify.auth.authenticator_list import AuthenticatorList
from idverify.auth.mds import is_stale
from idverify.core.policy import Act, Principal, require_may
from idverify.services import authenticators, judgement, reinstate
from idverify.services.authenticators import Version
from idverify.services.judgement import Refused
from idverify.services.office import Office
from idverify.stores import queries

DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class MetadataState:
    """The metadata that there are. ``overdue``: newer ones were promised; ``stale``: no new key of staff is taken."""

    number: int
    next_update: int
    loaded_by: str
    loaded_at: int
    usable: bool
    overdue: bool
    stale: bool


@dataclass(frozen=True, slots=True)
class State:
    """The list in force, the metadata, which registered keys they refuse, and rows of those that are suspended."""

    version: Version
    metadata: MetadataState | None
    refused: list[Refused]
    suspended: list[Any]


async def state(office: Office, admin: Principal) -> State:
    """How things stand."""
    require_may(admin, Act.KEEP_AUTHENTICATORS)
    version = await authenticators.current(office.store)
    refused = [] if version.listed is None else await judgement.refused_in(office, version.listed)
    return State(version, await _metadata(office, version), refused, await reinstate.suspended(office))


async def listed(office: Office, admin: Principal) -> AuthenticatorList | None:
    """The list in force, for whoever is about to change it."""
    require_may(admin, Act.KEEP_AUTHENTICATORS)
    return (await authenticators.current(office.store)).listed


async def suspended(office: Office, admin: Principal) -> list[Any]:
    """Rows of every suspended key, with their accounts."""
    require_may(admin, Act.KEEP_AUTHENTICATORS)
    return await reinstate.suspended(office)


async def load(office: Office, admin: Principal, blob: bytes) -> None:
    """Load newer metadata, and judge every key by them. A program may: they are signed, and only ever newer."""
    require_may(admin, Act.KEEP_AUTHENTICATORS)
    now = office.clock.now()
    await authenticators.load_metadata(office.store, office.entropy, office.metadata_roots, now, blob, admin.actor)
    await judgement.judge_again(office)


async def _metadata(office: Office, version: Version) -> MetadataState | None:
    row: Any = await office.store.fetch_one(queries.NEWEST_METADATA, {})
    if row is None:
        return None
    known, now = authenticators.metadata_in(row, office.metadata_roots), office.clock.now()
    grace = DAY * (0 if version.listed is None else version.listed.grace_days)
    stale = known is None or is_stale(known, now, grace)
    overdue = now > row["next_update"]
    return MetadataState(
        row["number"], row["next_update"], row["loaded_by"], row["loaded_at"], known is not None, overdue, stale
    )
