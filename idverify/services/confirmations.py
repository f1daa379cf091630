"""What people confirmed with their security keys: a list, and for each act a file that a third party can check again.

Officers see their own acts, admins those of all staff. The export is itself an act that is confirmed. An act about a
person is opened with that person's key, so whoever exports it leaves a look that the person can see.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.action import Action
from idverify.core.policy import Act, Principal, Role, require_may, require_person
from idverify.errors import Gone, NotFound
from idverify.ledger.errors import ProofError
from idverify.services import receipts, step_up
from idverify.services.ceremonies import Given
from idverify.services.evidence_file import EvidenceFile
from idverify.services.office import Office
from idverify.services.people import about, look
from idverify.services.receipts import LONGEST_WAIT, NotYetCovered
from idverify.services.records import About, split_opening
from idverify.services.step_up import action_place
from idverify.stores import queries
from idverify.stores.writes import WriteSet

_NEWEST: Final = b"\xff" * 16


@dataclass(frozen=True, slots=True)
class Confirmed:
    """That somebody confirmed an act: its handle, which act, who and when (Unix seconds), its place on the ledger."""

    handle: bytes
    act: str
    actor: str
    role: Role
    confirmed_at: int
    ledger_shard: int
    ledger_index: int


@dataclass(frozen=True, slots=True)
class Listed:
    """Confirmations, newest first. ``before`` asks for older ones; ``None``: there are none."""

    confirmations: tuple[Confirmed, ...]
    before: bytes | None


async def listed(office: Office, principal: Principal, before: bytes | None) -> Listed:
    """The newest confirmations, or those older than the one with the handle ``before``; never their content."""
    require_may(principal, Act.EXPORT_EVIDENCE)
    asked = {"before": _NEWEST if before is None else (await _find(office, principal, before))["id"]}
    if principal.role is Role.ADMIN:
        rows: list[Any] = await office.store.fetch(queries.CONFIRMATIONS, asked)
    else:
        rows = await office.store.fetch(queries.CONFIRMATIONS_OF_ACCOUNT, {**asked, "account_id": _own(principal)})
    shown = tuple(map(_confirmed, rows[: queries.CONFIRMATIONS_SHOWN]))
    return Listed(shown, shown[-1].handle if len(rows) > len(shown) else None)


async def export(office: Office, principal: Principal, handle: bytes, given: Given | None) -> bytes:
    """The evidence file of a confirmation. Raises ``StepUpRequired`` without ``given``, and ``NotYetCovered``."""
    require_may(principal, Act.EXPORT_EVIDENCE)
    require_person(principal)
    row = await _find(office, principal, handle)
    entry: Any = await office.store.fetch_one(queries.CONFIRMED, {"id": row["id"]})
    await _wait_covered(office, entry)
    said = {"act": row["act"], "confirmed_by": row["actor"]}
    confirmed = await step_up.require(office, principal, Action("export-evidence", handle.hex(), said), given)
    whom = await about(office, entry["person_id"])
    file = EvidenceFile(
        row["evidence"],
        _action(row, whom),
        await _receipt(office, entry, whom),
        await _key_receipt(office, entry["cose_key"]),
    )
    seen = () if whom is None else (look(office, principal, whom[0], "evidence", "exported"),)
    await office.store.commit(WriteSet((*confirmed.writes(whom), *seen), confirmed.entries(office, whom)))
    return file.encode()


async def _find(office: Office, principal: Principal, handle: bytes) -> Any:
    """The row of a confirmation that this person may see; nobody learns whether there are others."""
    row: Any = await office.store.fetch_one(queries.CONFIRMATION, {"handle": handle})
    if row is None or (principal.role is not Role.ADMIN and row["account_id"] != _own(principal)):
        raise NotFound("There is no such confirmation.")
    return row


def _own(principal: Principal) -> bytes:
    """Whose confirmations are one's own: a program has none."""
    return b"" if principal.signed_in is None else principal.signed_in.account


async def _wait_covered(office: Office, entry: Any) -> None:
    """Before anybody confirms the export: a confirmation is used up also where nothing comes of it."""
    try:
        await office.log_book.wait_covered(entry["shard"], entry["ledger_index"], LONGEST_WAIT)
    except TimeoutError as early:
        raise NotYetCovered("No checkpoint covers this entry yet. Ask again in a second.") from early
    except Gone:
        return  # the rest can still be checked


def _action(row: Any, whom: About | None) -> bytes | None:
    sealed: bytes | None = row["action"]
    if sealed is None or whom is None:
        return sealed
    return whom[1].unseal(sealed, action_place(row["id"]))


async def _receipt(office: Office, entry: Any, whom: About | None) -> bytes | None:
    """The receipt of an entry, if there is something left that opens it, and a checkpoint that covers it."""
    if not entry["opening"]:
        return None
    try:
        return await receipts.opened_proof(office, None if whom is None else whom[1], entry)
    except ProofError:
        return None


async def _key_receipt(office: Office, cose_key: bytes) -> bytes | None:
    """The receipt of the entry that bound a key of staff; keys that were bound while there was none have none."""
    digest = hashlib.sha256(cose_key).digest()
    rows: list[Any] = await office.store.fetch(queries.KEYS_BOUND_TO_STAFF, {})
    bound = next((row for row in rows if split_opening(row["opening"])[1].object_digest == digest), None)
    return None if bound is None else await _receipt(office, bound, None)


def _confirmed(row: Any) -> Confirmed:
    names = ("confirmed_at", "ledger_shard", "ledger_index")
    return Confirmed(row["handle"], row["act"], row["actor"], Role(row["role"]), *(row[name] for name in names))
