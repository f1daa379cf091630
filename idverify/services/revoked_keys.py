"""Signing keys of ours that somebody else may have: revoked, whatever the revocation list in the database says.

The list is a row like any other, and an older one is signed as well. So a key is revoked whose row says so, or of which
the ledger says that it was replaced as compromised; nothing is served over a list that does not revoke it, and the next
one that the root signs does.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from idverify.core.key_order import REVOKED, Replacement
from idverify.core.security_act import SIGNING_KEY_RETIRED
from idverify.errors import SetupError
from idverify.formats.x509 import read_certificate, read_crl
from idverify.services.records import split_opening
from idverify.stores import queries
from idverify.stores.store import Store

_OLDER: Final = "The revocation list in the database does not revoke a signing key that was replaced as compromised."
_CURE: Final = (
    "Somebody put an older list back: find out who may write to the database. Then run up with the root's token at "
    "hand, which signs the list anew."
)


async def revoked_serials(store: Store) -> frozenset[tuple[str, int]]:
    """(issuer name, serial number) of every such key, in the form of ``TrustStore.revoked_serials``."""
    rows: list[Any] = await store.fetch(queries.OF_TYPE, {"type": SIGNING_KEY_RETIRED})
    records = [split_opening(row["opening"])[1] for row in rows]
    gone = {record.object_digest for record in records if record.reason == Replacement.COMPROMISED}
    keys: list[Any] = await store.fetch(queries.SIGNING_KEYS, {})
    certificates = [
        read_certificate(row["certificate"])
        for row in keys
        if row["certificate"] is not None
        and (row["state"] == REVOKED or hashlib.sha256(row["certificate"]).digest() in gone)
    ]
    return frozenset((one.issuer.rfc4514_string(), one.serial_number) for one in certificates)


async def unlisted(store: Store) -> dict[bytes, tuple[int, ...]]:
    """Serial numbers of such keys that the revocation list of their branch has not, by the key id of its root.

    Raises ``DocumentError`` for what is no list.
    """
    rows: list[Any] = await store.fetch(queries.CRLS, {})
    revoked = await revoked_serials(store)
    missing = {}
    for row in rows:
        listed = read_crl(row["der"], row["issuer_certificate"]).revoked
        root = read_certificate(row["issuer_certificate"]).subject.rfc4514_string()
        if serials := sorted(serial for issuer, serial in revoked - listed if issuer == root):
            missing[row["issuer_key_id"]] = tuple(serials)
    return missing


async def require_listed(store: Store) -> None:
    """Raises ``SetupError`` where the revocation list is older than what happened."""
    if await unlisted(store):
        raise SetupError(_OLDER, _CURE)
