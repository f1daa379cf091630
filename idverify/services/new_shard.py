"""A new shard: the log that is written to ends, and another one follows that names its last known checkpoint.

Two admins, two keys, one act: one proposes, another carries it out. The way there is the same for both ends:

- *halted*: signing on could show two logs. Nothing is added to the old one. The checkpoint named is the last that
  anybody knows of, guard and witnesses included, also where this database never had it.
- *closed*, such as once a year: the old log is whole. Its last entry names the new one, and the checkpoint named is the
  one over that entry. It is published before the new log is.

A halted log takes no entry. So the first person's confirmation is kept with the proposal, and both stand right behind
entry 0 of the log that they open. Entries that waited follow (``waiting``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from idverify.core.action import Action
from idverify.core.policy import Act, Principal, require_may, require_person
from idverify.errors import Conflict, NotFound
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.entry import EntryType
from idverify.ledger.errors import ForkError
from idverify.ledger.identity import LogIdentity
from idverify.ledger.sequencer import genesis
from idverify.ledger.succession import closing_digest, origin_of, shard_of
from idverify.services import proposals, step_up
from idverify.services.ceremonies import Given
from idverify.services.log_book import Log
from idverify.services.office import Office
from idverify.services.proposals import PROPOSAL_SECONDS, taken_up, waiting_columns
from idverify.services.records import LOG_START, SHARD_CLOSE, public_object
from idverify.services.step_up import Authorisation
from idverify.services.waiting import record_waiting
from idverify.stores import queries, shard_rules, tables
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Insert, Recorded, Write, WriteSet

_UNKNOWN: Final = "There is no such proposal of a new log."
_MOVED_ON: Final = "The ledger has changed since this was proposed; look at it again, and propose it again."
_NOT_LAST: Final = "This is not the last checkpoint that is known of the ledger. Look at it again."


@dataclass(frozen=True, slots=True)
class Succession:
    """Which log ends, which one begins, and what it names. ``halted``: the old one takes no entry any more.

    ``last_known`` is of the log that ends, or of a later one that this database does not have. Where the old log is
    whole it may be any published checkpoint: what is added until the log is closed extends it.
    """

    ends: str
    begins: str
    last_known: Checkpoint
    halted: bool

    def action(self) -> Action:
        """What both people confirm."""
        said = shard_rules.content(self.ends, self.begins, self.last_known, halted=self.halted)
        return Action("new-shard", None, said)


@dataclass(frozen=True, slots=True)
class Waiting(proposals.Waiting):
    """A new shard that waits for a second admin."""

    succession: Succession


@dataclass(frozen=True, slots=True)
class State:
    """The ledger as admins see it: every shard, what a new one would follow, and what is proposed already.

    ``following`` is ``None`` while nothing was published that could be named, ``unknown`` then says why.
    """

    logs: tuple[Log, ...]
    following: Succession | None
    unknown: str | None
    waiting: tuple[Waiting, ...]


async def state(office: Office, admin: Principal) -> State:
    """How the ledger stands. While it is halted this asks everybody who may know more than the database."""
    require_may(admin, Act.KEEP_LEDGER)
    await office.log_book.refresh()
    proposed = tuple(await all_waiting(office, admin))
    try:
        return State(office.logs, await _following(office), None, proposed)
    except ForkError as unknown:
        return State(office.logs, None, str(unknown), proposed)


async def propose(office: Office, admin: Principal, last_known: Checkpoint, given: Given | None) -> Waiting:
    """Ask a second admin to open a new shard after ``last_known``. Raises ``Conflict`` if it is not the last."""
    require_may(admin, Act.KEEP_LEDGER)
    person = require_person(admin)
    await office.log_book.refresh()
    succession = await _after(office, last_known)
    confirmed = await step_up.require(office, admin, succession.action(), given)
    now = office.clock.now()
    kept = {"ceremony_id", "security_key_id", "action_digest", "evidence", "confirmed_at"}
    row = {
        "id": office.new_id(),
        "handle": office.new_handle(),
        "ends": succession.ends,
        "begins": succession.begins,
        "last_known": last_known.text(),
        "halted": int(succession.halted),
        "proposed_by": admin.actor,
        "authorisation_id": confirmed.id,
        "authorisation_handle": confirmed.handle,
        "account_id": person.account,
        **{name: confirmed.row[name] for name in kept},
        "created_at": now,
        "expires_at": now + PROPOSAL_SECONDS,
        "consumed_at": None,
    }
    await office.store.commit(WriteSet((*confirmed.preconditions, Insert(tables.shard_proposal, row))))
    return _waiting(row)


async def all_waiting(office: Office, admin: Principal) -> list[Waiting]:
    """Every new shard that waits for a second admin, oldest first."""
    require_may(admin, Act.KEEP_LEDGER)
    asked = {"at": office.clock.now(), "ends": office.log.origin}
    return [_waiting(row) for row in await office.store.fetch(queries.OPEN_SHARD_PROPOSALS, asked)]


async def waiting(office: Office, admin: Principal, handle: bytes) -> Waiting:
    """One proposal. Raises ``NotFound``."""
    require_may(admin, Act.KEEP_LEDGER)
    return _waiting(await _find(office, handle))


async def approve(office: Office, admin: Principal, handle: bytes, given: Given | None) -> Log:
    """Open the shard that another admin proposed; it is picked up by every process within a second."""
    require_may(admin, Act.KEEP_LEDGER)
    row = await _find(office, handle)
    taken = await taken_up(office, admin, tables.shard_proposal, row, row)
    await office.log_book.refresh()
    proposed = _waiting(row).succession
    if (proposed.ends, proposed.halted) != (office.log.origin, office.log_book.halted is not None):
        raise Conflict(_MOVED_ON)
    succession = await _after(office, proposed.last_known)
    confirmed = await step_up.require(office, admin, succession.action(), given)
    if succession != proposed or succession.action().digest() != row["action_digest"]:
        raise Conflict(_MOVED_ON)
    opening = _Opening(office, succession, taken, _first_person(row), confirmed)
    await office.store.write(opening.carry_out)
    await office.log_book.refresh()
    return office.log


@dataclass(frozen=True, slots=True)
class _Opening:
    """A shard on its way into the database."""

    office: Office
    succession: Succession
    taken: tuple[Write, ...]
    first: Authorisation
    second: Authorisation

    async def carry_out(self, transaction: Transaction) -> None:
        """Runs on the writer: nothing can be added to the old log between its close and the new log's start."""
        await self._require_current(transaction)
        previous = self.succession.last_known if self.succession.halted else await self._closed(transaction)
        origin = self.succession.begins
        await transaction.start_log(shard_of(origin), origin, genesis(origin), previous.text())
        await transaction.apply(WriteSet(self.taken, (self._start(previous),)))
        for confirmed in (self.first, self.second):
            await transaction.apply(WriteSet(confirmed.writes(None), confirmed.entries(self.office)))
        await record_waiting(transaction)

    async def _require_current(self, transaction: Transaction) -> None:
        *_, current = await transaction.fetch(queries.LOGS, {})
        if (current["origin"], current["halted"] is not None) != (self.succession.ends, self.succession.halted):
            raise Conflict(_MOVED_ON)

    async def _closed(self, transaction: Transaction) -> Checkpoint:
        """The checkpoint over the old log's last entry, which names the new log. It is published next."""
        digest = closing_digest(self.succession.begins)
        last = public_object(EntryType.SHARD_CLOSE, SHARD_CLOSE, self.office.new_handle(), digest)
        await transaction.apply(WriteSet((), (last,)))
        _, tree = await transaction.log()
        return Checkpoint(self.succession.ends, tree.size, tree.root())

    def _start(self, previous: Checkpoint) -> Recorded:
        ours = self.office.deployment
        identity = LogIdentity(self.succession.begins, ours.iss, ours.rp_id, ours.status_base, previous)
        return public_object(EntryType.LOG_START, LOG_START, self.office.new_handle(), identity.digest())


async def _after(office: Office, last_known: Checkpoint) -> Succession:
    """What would follow ``last_known``, if that is what is to be followed now."""
    log, halted = office.log, office.log_book.halted is not None
    if halted:
        try:
            last = await office.log_book.last_known() == last_known
        except ForkError as unknown:
            raise Conflict(str(unknown)) from unknown
    else:
        asked = {"shard": log.shard, "size": last_known.size}
        signed = await office.store.fetch_one(queries.SIGNED_ROOT, asked)
        last = signed is not None and (log.origin, signed["root"]) == (last_known.origin, last_known.root)
    if not last:
        raise Conflict(_NOT_LAST)
    newest = max(log.shard, shard_of(last_known.origin))
    return Succession(log.origin, origin_of(log.origin, newest + 1), last_known, halted)


async def _following(office: Office) -> Succession:
    if office.log_book.halted is not None:
        return await _after(office, await office.log_book.last_known())
    published = await office.log_book.published()
    if published is None:
        raise ForkError(f"no checkpoint of {office.log.origin} was published yet")
    return await _after(office, published)


async def _find(office: Office, handle: bytes) -> Any:
    row = await office.store.fetch_one(queries.SHARD_PROPOSAL, {"handle": handle})
    if row is None:
        raise NotFound(_UNKNOWN)
    return row


def _waiting(row: Any) -> Waiting:
    last_known, halted = Checkpoint.parse(row["last_known"]), bool(row["halted"])
    succession = Succession(row["ends"], row["begins"], last_known, halted)
    return Waiting(*waiting_columns(row), succession)


def _first_person(row: Any) -> Authorisation:
    """The confirmation that was kept with the proposal."""
    kept = {
        "id": row["authorisation_id"],
        "handle": row["authorisation_handle"],
        "ceremony_id": row["ceremony_id"],
        "account_id": row["account_id"],
        "security_key_id": row["security_key_id"],
        "act": shard_rules.ACT,
        "action_digest": row["action_digest"],
        "evidence": row["evidence"],
        "confirmed_at": row["confirmed_at"],
    }
    action = _waiting(row).succession.action()
    return Authorisation(row["authorisation_id"], row["authorisation_handle"], action, kept, ())
