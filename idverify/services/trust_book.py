"""Whom this service relies on, as it has it in memory: read from the database, and anew when it changes there.

A change is a row, and whoever may write to the database could write one. So it counts only if two admins signed it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import structlog

from idverify.core import issuer_trust
from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.types import wire_types
from idverify.formats.issuer_document import crl_issuer
from idverify.formats.x509 import trust_store
from idverify.services.branches import DOCUMENTS, TIME_STAMPS
from idverify.services.confirmed_by import is_by_two_admins
from idverify.services.doors import Doors
from idverify.services.office import PAPER_SIGNER
from idverify.services.revoked_keys import revoked_serials
from idverify.services.trusted_issuers import added_up
from idverify.stores import queries
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction

log = structlog.get_logger()


class TrustBook:
    """The trust store in force. Everything that checks something takes ``current`` once, and keeps to it."""

    def __init__(self, current: TrustStore, doors: Doors, version: int = 0) -> None:
        self.current = current
        self._doors, self._version = doors, version

    @classmethod
    async def read(cls, store: Store, doors: Doors) -> TrustBook:
        """As the database has it."""
        book = cls(TrustStore({}), doors)
        await book.reload(store)
        return book

    async def reload(self, store: Store) -> None:
        """Take what the database has now."""
        changes: list[Any] = await store.fetch(queries.ISSUER_CHANGES, {})
        ours, crls = await own_issuer(store), await store.fetch(queries.CRLS, {})
        known = added_up([row for row in changes if await self._is_decided(store, ours.iss, row)])
        issuers = {**known.issuers, ours.key: ours}
        listed = [(row["issuer_certificate"], row["der"]) for row in crls]
        trust = trust_store(issuers, [*listed, *of_others(known.issuers.values())])
        self.current = replace(trust, revoked_serials=trust.revoked_serials | await revoked_serials(store))
        self._version = max((row["version"] for row in changes), default=0)

    async def _is_decided(self, store: Store, origin: str, change: Any) -> bool:
        digest = issuer_trust.action(change["version"], json.loads(change["document"])).digest()
        by_two = await is_by_two_admins(
            store, self._doors, origin, digest, (change["authorisation_id"], change["approval_id"])
        )
        if not by_two:
            log.error("trusted_issuers_not_decided", version=change["version"])
        return by_two

    async def reload_if_changed(self, store: Store) -> bool:
        """Whether another process changed it, and this one has it now, too. A change that is gone was not undone."""
        newest: Any = await store.fetch_one(queries.NEWEST_ISSUER_CHANGE, {})
        if (newest["version"] or 0) <= self._version:
            return False
        await self.reload(store)
        return True


def of_others(issuers: Iterable[TrustedIssuer]) -> Iterator[tuple[bytes, bytes]]:
    """The lists of revoked certificates that came with the decisions on issuers: (root, list), both DER."""
    for issuer in issuers:
        yield from ((crl_issuer(crl, issuer.crl_roots), crl) for crl in issuer.crls)


async def own_issuer(reader: Store | Transaction) -> TrustedIssuer:
    """Ourselves: our root, our types and our status lists are what they are, and nobody's decision."""
    (ours,) = await reader.fetch(queries.DEPLOYMENT, {})
    keys: list[Any] = await reader.fetch(queries.KEYS_IN_USE, {})
    roots, stamp_roots = (
        tuple(row["certificate"] for row in keys if row["role"] == branch.root_role)
        for branch in (DOCUMENTS, TIME_STAMPS)
    )
    signers: list[Any] = await reader.fetch(queries.CERTIFICATES_OF_ROLE, {"role": PAPER_SIGNER})
    return TrustedIssuer(
        ours["iss"],
        ours["name"],
        roots,
        frozenset(wire_types()),
        ours["status_base"],
        ours["country"],
        signers=tuple(row["certificate"] for row in signers),
        stamp_roots=stamp_roots,
    )


async def load_trust(store: Store, doors: Doors) -> TrustStore:
    """The issuers we rely on, and the certificates that their CRLs, or our own ledger, revoke."""
    return (await TrustBook.read(store, doors)).current
