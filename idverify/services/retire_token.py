"""Retiring a token: none of its keys makes anything new, and what they made still verifies.

For a token that is gone for good, or that is going to be. The keys of its roles on another token go on alone, so the
act is refused before there is one that has them all. Orders of two admins that wait for the token are closed with it:
where one says that its key is compromised, the certificate goes on the revocation list in the same transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.key_order import ACTIVE, RETIRING, REVOKED, STATES
from idverify.core.security_act import SIGNING_KEY_RETIRED
from idverify.errors import Conflict, SetupError
from idverify.formats.x509 import read_certificate
from idverify.ledger.commitment import Record
from idverify.ports import Clock, Entropy, Signer
from idverify.services.branches import branch_of
from idverify.services.establish import CERTIFIED_ROLES, renewed_crl
from idverify.services.key_ceremony import KeyOrder
from idverify.services.records import act, entry
from idverify.services.revoked_keys import unlisted
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.writes import Change, Recorded, Write, WriteSet

TOKEN_RETIRED: Final = "token-retired"  # noqa: S105 - a reason on the ledger
_CHANGED: Final = "The keys of the token or an order were changed meanwhile. Nothing was done."


@dataclass(frozen=True, slots=True)
class Retirement:
    """The keys of a token that go, the orders that wait for it by the id of their key, and who goes on by role."""

    keys: tuple[Any, ...]
    orders: dict[bytes, KeyOrder]
    others: dict[str, Any]

    @property
    def compromised(self) -> list[Any]:
        """Keys that somebody else may have, by an order of two admins."""
        return [key for key in self.keys if _state(self.orders.get(key["key_id"])) == REVOKED]


async def retirement(
    store: Store, token: str, there: Collection[str], roles: Collection[str], orders: Iterable[KeyOrder]
) -> Retirement:
    """What retiring this token means. ``there`` are the tokens of the settings, ``roles`` what each must have.

    ``orders`` are those that two admins gave and nobody has carried out.
    Raises ``SetupError`` for one that has no keys in use, and where none of the others has all.
    """
    rows: list[Any] = await store.fetch(queries.KEYS_IN_USE, {})
    keys = tuple(row for row in rows if row["token"] == token and row["role"] in roles)
    if not keys:
        raise SetupError(f"There are no keys in use on a token {token}.", "Give the label of a token that signs now.")
    for other in sorted(set(there) - {token}):
        held = {row["role"]: row for row in rows if row["token"] == other and row["role"] in roles}
        if {key["role"] for key in keys} <= held.keys():
            ours = {key["key_id"] for key in keys}
            return Retirement(keys, {one.old_key_id: one for one in orders if one.old_key_id in ours}, held)
    raise SetupError(
        f"No other token of the settings has all the keys that {token} has.",
        "Name one as [[further]] and run up with the root's token. Then retire it again.",
    )


async def require_wrapped(store: Store, others: Collection[bytes]) -> None:
    """Raises ``SetupError`` unless one of these keys at least wraps everybody's key, and the deployment's own."""
    kept: list[Any] = await store.fetch(queries.DEPLOYMENT_SECRET, {})
    secret = {row["wrapping_key_id"] for row in kept}
    for key in others:
        asked = {"wrapping_key_id": key, "after": b"", "most": 1}
        if key in secret and not await store.fetch(queries.KEYS_TO_WRAP, asked):
            return
    raise SetupError(
        "Some people's keys are wrapped for this token alone.",
        "Bring it back and run `idverify tokens wrap`, or `idverify tokens recover` with the shares. "
        "Then retire it again.",
    )


async def carry_out(
    store: Store, retiring: Retirement, root_signer: Signer | None, clock: Clock, entropy: Entropy
) -> None:
    """In one transaction. ``root_signer`` signs the revocation list where a key is compromised."""
    now = clock.now()
    writes: list[Write] = []
    entries: list[Recorded] = []
    for key in retiring.keys:
        order = retiring.orders.get(key["key_id"])
        in_use, gone = {"key_id": key["key_id"], "state": ACTIVE}, {"state": _state(order)}
        writes.append(Change(tables.signing_key, in_use, gone, Conflict(_CHANGED)))
        if order is not None:
            done = {"carried_out_at": now, "new_key_id": retiring.others[key["role"]]["key_id"]}
            waiting = {"id": order.id, "carried_out_at": None}
            writes.append(Change(tables.key_order, waiting, done, Conflict(_CHANGED)))
        entries += _entries(key, TOKEN_RETIRED if order is None else order.reason.value, entropy)
    if retiring.compromised:
        if root_signer is None:
            raise SetupError(
                "Two admins said that keys of this token are compromised; the root must sign that they are revoked.",
                "Bring the root's token. Then retire it again.",
            )
        writes += await _revocations(store, retiring.compromised, root_signer, now)
    await store.commit(WriteSet(tuple(writes), tuple(entries)))


def _state(order: KeyOrder | None) -> str:
    return RETIRING if order is None else STATES[order.reason]


def _entries(key: Any, reason: str, entropy: Entropy) -> tuple[Recorded, Recorded]:
    """In the form of every act. No key came in its place, so nothing stands behind it."""
    recorded = key["certificate"] or key["public_key"] or key["key_id"]
    gone = Record(SIGNING_KEY_RETIRED, hashlib.sha256(recorded).digest(), key["key_id"], reason=reason)
    return act(entropy, None, deed=entry(gone, entropy, None))


async def _revocations(store: Store, compromised: list[Any], root_signer: Signer, now: int) -> list[Write]:
    """The list of each branch, with all of them on it and whatever it lacks."""
    rows: list[Any] = await store.fetch(queries.KEYS_IN_USE, {})
    lists: list[Any] = await store.fetch(queries.CRLS, {})
    missing = await unlisted(store)
    serials: dict[bytes, list[int]] = {}
    for key in compromised:
        role = branch_of(CERTIFIED_ROLES[key["role"]]).root_role
        root = next(row["key_id"] for row in rows if row["role"] == role)
        serials.setdefault(root, list(missing.get(root, ()))).append(read_certificate(key["certificate"]).serial_number)
    due = [row for row in lists if row["issuer_key_id"] in serials]
    return [await renewed_crl(row, root_signer, now, tuple(serials[row["issuer_key_id"]])) for row in due]
