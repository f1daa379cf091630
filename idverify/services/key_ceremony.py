"""Carrying out the order of a signing key, by whoever has the root's token: certify, and exchange in one transaction.

From then on the new key signs. What the old one signed still verifies, since trust rests on the root; unless somebody
else may have it: then its certificate goes on the revocation list in the same transaction.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.key_order import ACTIVE, REVOKED, STATES, Replacement
from idverify.core.security_act import SIGNING_KEY_RETIRED
from idverify.errors import Conflict
from idverify.formats.x509 import read_certificate
from idverify.ledger.commitment import Record
from idverify.ports import Clock, Entropy, Signer
from idverify.services.branches import branch_of
from idverify.services.establish import (
    CERTIFIED_ROLES,
    Ceremony,
    Maker,
    TokenKey,
    key_entry,
    key_row,
    renewed_crl,
)
from idverify.services.office import Deployment
from idverify.services.records import act, entry
from idverify.services.revoked_keys import unlisted
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.writes import Change, Insert, Recorded, Write, WriteSet

_CHANGED: Final = "The key or its order was changed meanwhile. Nothing was done."


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """The replacement of a key that two admins ordered and nobody has carried out."""

    id: bytes
    role: str
    reason: Replacement
    old_key_id: bytes
    label: str
    """Of the new key on the token: of this order alone, so that a run that was cut off finds the key that it made."""


async def open_orders(store: Store) -> list[KeyOrder]:
    """Orders that wait, oldest first."""
    rows: list[Any] = await store.fetch(queries.OPEN_KEY_ORDERS, {})
    return [
        KeyOrder(
            row["id"],
            row["role"],
            Replacement(row["reason"]),
            row["old_key_id"],
            f"{row['role']} {row['handle'][:8].hex()}",
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class KeyCeremony:
    """The root at hand, and where what it certifies is written."""

    store: Store
    deployment: Deployment
    root_signer: Signer
    clock: Clock
    entropy: Entropy

    async def carry_out(self, order: KeyOrder, fresh: TokenKey) -> None:
        """Put ``fresh``, a key of the order's role on the online token, in the place of the old one.

        Raises ``Conflict`` if it was carried out meanwhile, ``LogHalted`` where the ledger takes no entries.
        """
        keys: list[Any] = await self.store.fetch(queries.KEYS_IN_USE, {})
        purpose = CERTIFIED_ROLES[order.role]
        root = next(row for row in keys if row["role"] == branch_of(purpose).root_role)
        old = next((row for row in keys if row["key_id"] == order.old_key_id), None)
        if old is None:
            raise Conflict(_CHANGED)
        now = self.clock.now()
        root_key = TokenKey(root["role"], root["token"], root["key_id"], root["algorithm"], root["public_key"])
        maker = Maker(self.deployment, Ceremony((root_key,), (fresh,), self.root_signer), now, self.entropy)
        certificate = await maker.leaf_certificate(fresh, purpose, root["certificate"])
        writes = (
            *_exchange(order, Insert(tables.signing_key, key_row(fresh, certificate, now)), now),
            *await self._revocation(order, old["certificate"], root["key_id"], now),
        )
        await self.store.commit(WriteSet(writes, self._entries(order, old, fresh, certificate)))

    async def _revocation(self, order: KeyOrder, certificate: bytes, root: bytes, now: int) -> tuple[Write, ...]:
        if STATES[order.reason] != REVOKED:
            return ()
        rows: list[Any] = await self.store.fetch(queries.CRLS, {})
        row = next(row for row in rows if row["issuer_key_id"] == root)
        missing = (await unlisted(self.store)).get(root, ())
        serials = *missing, read_certificate(certificate).serial_number
        return (await renewed_crl(row, self.root_signer, now, serials),)

    def _entries(self, order: KeyOrder, old: Any, fresh: TokenKey, certificate: bytes) -> tuple[Recorded, ...]:
        """In the form of every act: the deed is what went, behind it stands what came."""
        gone = Record(
            SIGNING_KEY_RETIRED, hashlib.sha256(old["certificate"]).digest(), old["key_id"], reason=order.reason.value
        )
        deed = act(self.entropy, None, deed=entry(gone, self.entropy, None))
        return *deed, key_entry(fresh, certificate, self.entropy)


def _exchange(order: KeyOrder, inserting: Insert, now: int) -> tuple[Write, ...]:
    done = {"carried_out_at": now, "new_key_id": inserting.row["key_id"]}
    return (
        inserting,
        Change(
            tables.signing_key,
            {"key_id": order.old_key_id, "state": ACTIVE},
            {"state": STATES[order.reason]},
            Conflict(_CHANGED),
        ),
        Change(tables.key_order, {"id": order.id, "carried_out_at": None}, done, Conflict(_CHANGED)),
    )
