"""Whether two admins ordered a signing key, as far as the ledger and their signatures say: asked before the root signs.

The row of an order is written as easily as any other. What it takes besides are two confirmations that hold, over this
very order, by two admins whose keys the ledger bound and had not let go, and entries that say so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from idverify.auth.step_up import verify_evidence
from idverify.core import key_order, security_act
from idverify.core.policy import Role
from idverify.core.security_act import BOUND
from idverify.errors import IdverifyError
from idverify.stores.evidence import Rows, opening_findings
from idverify.stores.right_givers import entries_of
from idverify.stores.standing import AUTHORISATION, KEYS, Recorded, Standing

_ORDER: Final = "SELECT * FROM key_order WHERE id = :id"
_CONFIRMATION: Final = """
    SELECT a.handle AS confirmation, a.act, a.action_digest, a.evidence, a.account_id, a.security_key_id, k.cose_key,
    o.handle, o.role, o.actor, o.purpose FROM authorisation a JOIN account o ON o.id = a.account_id
    JOIN security_key k ON k.id = a.security_key_id AND k.account_id = a.account_id WHERE a.id = :id"""


def order_findings(rows: Rows, order_id: bytes) -> Iterator[str]:
    """What speaks against an order (its row id); nothing if two admins gave it."""
    (order,) = rows(_ORDER, {"id": order_id})
    ids = order["authorisation_id"], order["approval_id"]
    pair = [row for one in ids for row in rows(_CONFIRMATION, {"id": one})]
    if len(pair) != len(ids):
        yield "nobody confirmed it, or one alone did"
        return
    wanted = key_order.action(order["old_key_id"], order["role"], order["reason"])
    people, keys = ({row[name] for row in pair} for name in ("account_id", "cose_key"))
    if len(people) != len(pair) or len(keys) != len(pair) or any(row["role"] != Role.ADMIN for row in pair):
        yield "it was not confirmed by two admins"
    if any(not _signed(row, wanted.digest()) for row in pair):
        yield "a confirmation is not of this order, or does not hold"
    yield from _unrecorded(rows, order, pair)


def _signed(row: Any, wanted: bytes) -> bool:
    try:
        proven = verify_evidence(row["evidence"])
    except IdverifyError:
        return False
    account = hashlib.sha256(row["account_id"]).hexdigest()
    said = proven.action_digest, row["action_digest"], proven.cose_key, proven.context.account, row["act"]
    return said == (wanted, wanted, row["cose_key"], account, key_order.ACT)


@dataclass(slots=True)
class _Seen:
    """What of an order the ledger was found to say, and by which entries."""

    ordered: Recorded | None
    confirmed: list[Recorded]
    bound: list[Recorded]
    was_gone: bool


def _unrecorded(rows: Rows, order: Any, pair: list[Any]) -> Iterator[str]:
    seen = _seen(rows, order, pair)
    if seen.ordered is None or seen.ordered.confirmed_by != pair[1]["confirmation"]:
        yield "the ledger has no entry of it with the second admin's confirmation"
    if len(seen.confirmed) != len(pair) or len(seen.bound) < len(pair):
        yield "the ledger does not say that these two confirmed it, with keys that are theirs"
    if seen.was_gone:
        yield "a key that confirmed it had been removed or suspended"
    used = {one.place[1] for one in (seen.ordered, *seen.confirmed, *seen.bound) if one is not None}
    if used & {index for index, _ in opening_findings(rows)}:
        yield "what the database says of an entry is not what the ledger has"


def _seen(rows: Rows, order: Any, pair: list[Any]) -> _Seen:
    by_handle = {row["confirmation"]: row for row in pair}
    theirs = {(hashlib.sha256(row["cose_key"]).digest(), security_act.account_digest(row)) for row in pair}
    digest, standing = security_act.object_digest(security_act.SIGNING_KEY_ORDERED, order), Standing(rows(KEYS))
    seen = _Seen(None, [], [], was_gone=False)
    for entry in entries_of(rows):
        row = by_handle.get(entry.handle) if entry.type == AUTHORISATION else None
        if row is not None and entry.record.object_digest == hashlib.sha256(row["evidence"]).digest():
            seen.confirmed.append(entry)
            seen.was_gone |= standing.gone(hashlib.sha256(row["cose_key"]).digest())
        if entry.type == security_act.SIGNING_KEY_ORDERED and entry.record.object_digest == digest:
            seen.ordered = entry
        if entry.type == BOUND and _is_theirs(entry, theirs):
            seen.bound.append(entry)
        standing.after(entry)
    return seen


def _is_theirs(entry: Recorded, theirs: set[tuple[bytes, bytes]]) -> bool:
    """Whether a key was bound to the account that confirmed; entries of before do not say to which."""
    key, whose = entry.record.object_digest, entry.record.decision
    return any(key == one and whose in {None, account} for one, account in theirs)
