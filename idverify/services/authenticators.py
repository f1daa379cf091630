"""The list of authenticators and FIDO's metadata, as they are kept, and what they say of staff's keys.

The operator sets the list on the command line while fewer than two admins are active; afterwards two of them change it
(``change_authenticators``). Metadata are signed, and only ever replaced by newer ones, so whoever has them loads them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from idverify.auth import mds
from idverify.auth.authenticator_list import AuthenticatorList, read_list
from idverify.auth.authenticator_trust import AuthenticatorRules, judge
from idverify.auth.webauthn import RegisteredKey
from idverify.core import security_act
from idverify.core.policy import Role
from idverify.errors import Conflict, DocumentError, KeyNotAllowed, Unprocessable
from idverify.ledger.commitment import Record
from idverify.ports import Clock, Entropy
from idverify.services.first_admins import two_admins_are_active
from idverify.services.office import Office
from idverify.services.records import act, entry
from idverify.services.security_acts import deed
from idverify.services.waiting import apply_or_wait
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Insert, Remove, WriteSet

_NO_LIST: Final = "No list of authenticators is set yet, so no key of staff can be taken. Ask the operator to set it."
_CHANGED: Final = "The list of authenticators has changed since. Look at it again, and start from there."
_TWO: Final = "Two admins are active, so the list of authenticators takes them both: one proposes it at their desk."


@dataclass(frozen=True, slots=True)
class Version:
    """A list in force, since ``decided_at`` (Unix seconds); version 0 is that there is none."""

    version: int
    listed: AuthenticatorList | None
    decided_by: str
    approved_by: str | None
    decided_at: int


async def current(store: Store) -> Version:
    """The list in force."""
    row: Any = await store.fetch_one(queries.NEWEST_AUTHENTICATOR_LIST, {})
    if row is None:
        return Version(0, None, "", None, 0)
    listed = read_list(json.loads(row["document"]))
    return Version(row["version"], listed, row["decided_by"], row["approved_by"], row["decided_at"])


async def set_by_operator(store: Store, clock: Clock, entropy: Entropy, listed: AuthenticatorList) -> int:
    """The next version, made where only the operator can. Raises ``Conflict`` once two admins are active."""
    if await two_admins_are_active(store):
        raise Conflict(_TWO)
    row = list_row((await current(store)).version + 1, listed, "command line", clock.now())
    entries = act(entropy, None, deed=deed(security_act.AUTHENTICATORS_CHANGED, row, entropy))
    await store.commit(WriteSet((inserting(row),), entries))
    return int(row["version"])


def list_row(version: int, listed: AuthenticatorList, decided_by: str, at: int) -> dict[str, Any]:
    """The row of a version, as the operator makes it."""
    return {
        "version": version,
        "document": listed.document(),
        "decided_by": decided_by,
        "approved_by": None,
        "authorisation_id": None,
        "approval_id": None,
        "decided_at": at,
    }


def inserting(row: dict[str, Any]) -> Insert:
    """Puts a version in force, unless somebody else's came first."""
    return Insert(tables.authenticator_list, row, Conflict(_CHANGED))


async def metadata(store: Store, roots: tuple[bytes, ...]) -> mds.Metadata | None:
    """The newest metadata; ``None`` where there are none, or none that these roots vouch for."""
    row: Any = await store.fetch_one(queries.NEWEST_METADATA, {})
    return None if row is None else metadata_in(row, roots)


def metadata_in(row: Any, roots: tuple[bytes, ...]) -> mds.Metadata | None:
    """The metadata of a row; ``None`` where these roots do not vouch for them."""
    try:
        return _read(row["blob"], roots, row["loaded_at"])
    except DocumentError:  # other roots than when they were loaded
        return None


async def load_metadata(
    store: Store, entropy: Entropy, roots: tuple[bytes, ...], at: int, blob: bytes, loaded_by: str
) -> mds.Metadata:
    """Keep newer metadata in place of those that are there; also while the log is halted.

    The entry stands alone, like that of a change of rules. Raises ``Unprocessable`` for any that do not hold, and
    ``Conflict`` for any that are no newer.
    """
    if not roots:
        raise Unprocessable("Nobody is trusted to sign metadata yet: set security_keys.metadata_roots.")

    try:
        newer = mds.read_blob(blob, roots, at)  # here, and not while others wait for the writer
    except DocumentError as wrong:
        raise Unprocessable(wrong.detail) from wrong

    async def replace(transaction: Transaction) -> None:
        held = await transaction.fetch(queries.NEWEST_METADATA_NUMBER, {})
        number = held[0]["number"] if held else None
        mds.require_newer(newer, number)
        row = {
            "number": newer.number,
            "next_update": newer.next_update,
            "blob": blob,
            "loaded_by": loaded_by,
            "loaded_at": at,
        }
        older = () if number is None else (Remove(tables.metadata_blob, {"number": number}),)
        loaded = entry(_metadata_loaded(newer.number, blob), entropy, None)
        await apply_or_wait(transaction, WriteSet((*older, Insert(tables.metadata_blob, row)), (loaded,)))

    try:
        await store.write(replace)
    except DocumentError as wrong:
        raise Conflict(wrong.detail) from wrong
    return newer


def _metadata_loaded(number: int, blob: bytes) -> Record:
    reason = f"{security_act.METADATA_NUMBER}{number}"
    return Record(security_act.METADATA_LOADED, hashlib.sha256(blob).digest(), reason=reason)


async def judged(office: Office, role: Role, registered: RegisteredKey) -> dict[str, Any]:
    """What the row of a new key keeps of its make, once the list was found to take it. Raises ``KeyNotAllowed``.

    Of a key that need not prove its make nothing is kept: it could tell one citizen from another.
    """
    if not office.key_policies[role].attested:
        return dict.fromkeys(KEPT)
    version, known = await current(office.store), await metadata(office.store, office.metadata_roots)
    if version.listed is None:
        raise KeyNotAllowed("no-list", _NO_LIST)
    return {
        "attestation_type": registered.attestation_type,
        "attestation_object": registered.attestation_object,
        "client_data_hash": registered.client_data_hash,
        **verdict_columns(registered, version.listed.rules(known), version.version, office.clock.now()),
    }


def verdict_columns(
    key: Any, rules: AuthenticatorRules, version: int, at: int, registered_at: int | None = None
) -> dict[str, Any]:
    """What a key's row says of its judgement. Raises ``KeyNotAllowed``."""
    trusted = judge(key, rules, at, registered_at)
    return {
        "attestation_anchor": trusted.root,
        "list_version": version,
        "metadata_number": trusted.metadata_number,
        "metadata_status": trusted.certification,
        "judged_at": at,
    }


KEPT: Final = (
    "attestation_type",
    "attestation_object",
    "client_data_hash",
    "attestation_anchor",
    "list_version",
    "metadata_number",
    "metadata_status",
    "judged_at",
)
_read = lru_cache(maxsize=1)(mds.read_blob)
