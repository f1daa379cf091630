"""Logs that are halted, restored and followed by another: what admins, and whoever restores a backup, do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from idverify.core.policy import Role
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.entry import Entry
from idverify.ledger.identity import LogIdentity
from idverify.services import new_shard
from idverify.services.invite import Invited
from idverify.services.log_book import Log
from idverify.services.new_shard import State, Waiting
from idverify.stores.ledger import StoredLedger
from tests.simulators.databases import backed_up
from tests.simulators.software_office import Premises, SoftwareOffice

ADMINS: Final = {"admin": "Ada Admin", "other": "Agnes Admin"}


async def enrol_admins(served: SoftwareOffice) -> None:
    """Two administrators, each with a key of their own, after the officers."""
    await served.api.officers()
    for who, name in ADMINS.items():
        code = await served.api.deployment.invite(Invited(Role.ADMIN, name))
        await served.api.enrol(who, code)


async def grown(served: SoftwareOffice) -> None:
    """Some more entries, published."""
    await served.api.person_with_status()
    await served.office.log_book.publish()


async def halt(house: Premises) -> Checkpoint:
    """A database restored from before the last checkpoints, with two admins in it: the last of the checkpoints."""
    async with house.open() as served:
        await enrol_admins(served)
        await grown(served)
    async with set_back(house) as served:
        await grown(served)
    assert house.guard.remembered is not None
    return house.guard.remembered


@asynccontextmanager
async def set_back(house: Premises) -> AsyncIterator[SoftwareOffice]:
    """What is done in here is lost: the database is restored from a copy that was made before."""
    restore = await backed_up(house.location)
    async with house.open() as served:
        yield served
    await restore()


async def state(served: SoftwareOffice) -> State:
    """As an admin sees it."""
    return await new_shard.state(served.office, await served.principal("admin"))


async def proposed(served: SoftwareOffice, last_known: Checkpoint | None = None, who: str = "admin") -> Waiting:
    """A proposal after what is known to be the last, unless told otherwise."""
    if last_known is None:
        following = (await state(served)).following
        assert following is not None
        last_known = following.last_known
    return await served.confirmed(who, lambda admin, given: new_shard.propose(served.office, admin, last_known, given))


async def approved(served: SoftwareOffice, waiting: Waiting, who: str = "other") -> Log:
    """Carried out by another admin."""
    return await served.confirmed(
        who, lambda admin, given: new_shard.approve(served.office, admin, waiting.handle, given)
    )


async def entries(served: SoftwareOffice, shard: int) -> list[Entry]:
    """Every entry of a shard."""
    storage = StoredLedger(served.office.store, shard)
    size = (await storage.tree_state()).size
    return [Entry.decode(entry) for entry in await storage.entries(0, size)]


async def identity(served: SoftwareOffice, log: Log) -> LogIdentity:
    """What its entry 0 has to commit to."""
    ours = served.office.deployment
    return LogIdentity(log.origin, ours.iss, ours.rp_id, ours.status_base, log.previous)
