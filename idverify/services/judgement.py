"""Staff's keys judged again: every night, when the list or the metadata change, and before a list is proposed.

A model that the metadata call weak stops at once. What a new list no longer takes stops with it: two admins saw which
keys those are. Whatever else speaks against a key is shown to admins, who decide.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import structlog

from idverify.auth.authenticator_list import AuthenticatorList
from idverify.auth.authenticator_trust import SUSPENDS, AuthenticatorRules
from idverify.auth.key_policy import KeyPolicies
from idverify.auth.mds import Metadata
from idverify.core.policy import Act, Principal, Role, require_may
from idverify.core.suspension import Suspension
from idverify.errors import KeyNotAllowed
from idverify.services import authenticators
from idverify.services.authenticators import verdict_columns
from idverify.services.office import Office
from idverify.services.suspension import suspend
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.writes import Change, WriteSet

DAY: Final = 86_400
LOCKED_OUT: Final = "With this list fewer than two admins could still sign in, so nobody could change it back."
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _StoredKey:
    """A row as ``authenticator_trust`` takes a key."""

    credential_id: bytes
    cose_key: bytes
    attestation_object: bytes
    client_data_hash: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A key that a list does not take: whose, which, and why (``rule`` is stable). ``is_suspended`` already."""

    key: bytes
    name: str
    actor: str
    role: Role
    rule: str
    why: str
    is_suspended: bool


async def dry_run(office: Office, admin: Principal, listed: AuthenticatorList) -> list[Refused]:
    """Which registered keys a list would refuse, with the metadata that there are."""
    require_may(admin, Act.KEEP_AUTHENTICATORS)
    return await refused_in(office, listed)


async def refused_in(office: Office, listed: AuthenticatorList) -> list[Refused]:
    """Which registered keys a list would refuse; the caller has looked whether whoever asks may know."""
    keys = await attested_keys(office.store, office.key_policies)
    return await refused_by(keys, listed.rules(await _metadata(office)), office.clock.now())


async def refused_by(keys: list[Any], rules: AuthenticatorRules, at: int) -> list[Refused]:
    """Those of ``attested_keys`` that these rules refuse."""
    found = []
    for row in keys:
        try:
            _verdict(row, rules, 0, at)
        except KeyNotAllowed as wrong:
            said = row["handle"], row["name"], row["actor"], Role(row["role"]), wrong.rule, wrong.detail
            found.append(Refused(*said, row["suspended_at"] is not None))
        await asyncio.sleep(0)
    return found


async def judged_by(office: Office) -> tuple[int, int | None, int]:
    """What keys are judged by: the list's version, the metadata's number, and the day. Another asks to judge again."""
    rows: list[Any] = await office.store.fetch(queries.NEWEST_METADATA_NUMBER, {})
    version = (await authenticators.current(office.store)).version
    return version, rows[0]["number"] if rows else None, office.clock.now() // DAY


async def judge_again(office: Office) -> int:
    """Judge every key of staff by the list in force; how many were suspended."""
    version = await authenticators.current(office.store)
    if version.listed is None:
        return 0
    metadata = await _metadata(office)
    if metadata is None and (await judged_by(office))[1] is not None:
        log.warning("metadata_unusable", why="not signed under security_keys.metadata_roots")
    rules, suspended = version.listed.rules(metadata), 0
    for row in await attested_keys(office.store, office.key_policies):
        if row["suspended_at"] is None:
            suspended += await _judge_one(office, row, rules, version.version)
        await asyncio.sleep(0)
    return suspended


async def _judge_one(office: Office, row: Any, rules: AuthenticatorRules, version: int) -> bool:
    """Whether the key was suspended for it."""
    now, suspended = office.clock.now(), False
    try:
        judged = _verdict(row, rules, version, now)
    except KeyNotAllowed as wrong:
        judged = {"list_version": version, "judged_at": now}
        why = _suspension(wrong.rule, row, version)
        suspended = why is not None and await suspend(office, row, why)
        log.warning("security_key_refused", key=row["handle"].hex(), rule=wrong.rule, suspended=suspended)
    await office.store.commit(WriteSet((Change(tables.security_key, {"id": row["id"]}, judged),)))
    return suspended


def _suspension(rule: str, row: Any, version: int) -> Suspension | None:
    if rule in SUSPENDS:
        return Suspension.MODEL
    return Suspension.LIST if row["list_version"] != version else None


def _verdict(row: Any, rules: AuthenticatorRules, version: int, at: int) -> dict[str, Any]:
    key = _StoredKey(
        row["credential_id"], row["cose_key"], row["attestation_object"] or b"", row["client_data_hash"] or b""
    )
    return verdict_columns(key, rules, version, at, row["created_at"])


async def attested_keys(store: Store, policies: KeyPolicies) -> list[Any]:
    """Rows of the keys in use that have to prove their make, with their accounts."""
    rows: list[Any] = await store.fetch(queries.STAFF_KEYS, {})
    return [row for row in rows if policies[Role(row["role"])].attested]


async def _metadata(office: Office) -> Metadata | None:
    return await authenticators.metadata(office.store, office.metadata_roots)


async def leaves_two_admins(office: Office, refused: list[Refused]) -> bool:
    """Whether two active admins keep a key that works, though these are refused."""
    gone = {one.key for one in refused}
    rows = await attested_keys(office.store, office.key_policies)
    keys = [row for row in rows if row["role"] == Role.ADMIN and row["suspended_at"] is None]
    left = {row["account_id"] for row in keys if row["handle"] not in gone and row["active_since"] is not None}
    return len(left) >= 2
