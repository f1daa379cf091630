"""Establishing a deployment: certificates under the offline root, and the ledger's first entries.

The walk: keys exist on both tokens -> root certificate -> one signer certificate per role -> empty CRL -> one
transaction that holds all of it, the deployment's identity and the first ledger entries. Running it again on an
established database changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.key_order import ACTIVE
from idverify.core.names import root_name
from idverify.core.security_act import SIGNING_KEY_TAKEN
from idverify.core.types import CREDENTIAL_TYPES
from idverify.errors import Conflict
from idverify.formats import x509_build
from idverify.formats.x509 import Purpose, not_after, read_certificate, read_crl
from idverify.formats.x509_build import Certified
from idverify.ledger.commitment import Record
from idverify.ledger.entry import EntryType
from idverify.ledger.identity import LogIdentity
from idverify.ledger.sequencer import genesis
from idverify.ports import Clock, Entropy, Signer
from idverify.services.office import ENTRIES_SIGNER, STATUS_SIGNER, TRUST_SIGNER, VERIFICATION_SIGNER, Deployment
from idverify.services.records import LOG_START, about_ourselves, public_object
from idverify.services.revoked_keys import unlisted
from idverify.stores import queries, tables
from idverify.stores.store import FIRST_SHARD, Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Change, Insert, Recorded, WriteSet

DAY: Final = 86_400
ROOT_DAYS: Final = 10 * 365
LEAF_DAYS: Final = 457
CRL_DAYS: Final = 90
CRL_RENEWED_DAYS: Final = 30
BACKDATED_SECONDS: Final = 300
SERIAL_BYTES: Final = 16

ROOT_ROLE: Final = "root/documents"
WRAPPING_ROLE: Final = "wrapping"
LOOKUP_ROLE: Final = "lookup"
PROBE_ROLE: Final = "probe"
SEALING_ROLE: Final = "sealing"

# Role -> what its certificate may sign; every credential type has a signer of its own.
CERTIFIED_ROLES: Final = {
    **{kind.key_role: Purpose.DOCUMENT for kind in CREDENTIAL_TYPES.values()},
    STATUS_SIGNER: Purpose.STATEMENT,
    TRUST_SIGNER: Purpose.TRUST_LIST,
    ENTRIES_SIGNER: Purpose.ENTRIES,
    VERIFICATION_SIGNER: Purpose.VERIFICATION,
}


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key on a token: ``public_key`` is DER SPKI, ``None`` for a secret key.

    ``sealed`` is set for a key in software: its seed, wrapped by the token's sealing key.
    """

    role: str
    token: str
    key_id: bytes
    algorithm: str
    public_key: bytes | None
    sealed: bytes | None = None


@dataclass(frozen=True, slots=True)
class Ceremony:
    """The keys at hand, and who signs with the root."""

    root: TokenKey
    online: tuple[TokenKey, ...]
    root_signer: Signer


async def establish(store: Store, deployment: Deployment, ceremony: Ceremony, clock: Clock, entropy: Entropy) -> None:
    """Certify the keys and open the ledger, unless this database was established already."""
    if await store.fetch_one(queries.DEPLOYMENT, {}) is not None:
        return
    maker = Maker(deployment, ceremony, clock.now(), entropy)
    root = await maker.root_certificate()
    certificates = {
        key.role: await maker.leaf_certificate(key, purpose, root)
        for key in ceremony.online
        if (purpose := CERTIFIED_ROLES.get(key.role)) is not None
    }
    crl = await maker.empty_crl(root)
    work = maker.rows(root, certificates, crl)

    async def first_transaction(transaction: Transaction) -> None:
        await transaction.start_log(FIRST_SHARD, deployment.log_origin, genesis(deployment.log_origin))
        await transaction.apply(work)

    await store.write(first_transaction)


async def add_keys(store: Store, keys: Iterable[TokenKey], clock: Clock, entropy: Entropy) -> None:
    """Take further keys into use that need no certificate: their rows, and an entry on the ledger for each."""
    added = tuple(keys)
    writes = tuple(Insert(tables.signing_key, key_row(key, None, clock.now())) for key in added)
    await store.commit(WriteSet(writes, tuple(key_entry(key, None, entropy) for key in added)))


async def certify_keys(
    store: Store, deployment: Deployment, ceremony: Ceremony, clock: Clock, entropy: Entropy
) -> None:
    """Take further keys into use that the root certifies: those of roles that an earlier version did not know."""
    rows: list[Any] = await store.fetch(queries.KEYS_IN_USE, {})
    root = next(row["certificate"] for row in rows if row["role"] == ROOT_ROLE)
    maker = Maker(deployment, ceremony, clock.now(), entropy)
    made = [(key, await maker.leaf_certificate(key, CERTIFIED_ROLES[key.role], root)) for key in ceremony.online]
    writes = tuple(Insert(tables.signing_key, key_row(key, leaf, maker.now)) for key, leaf in made)
    await store.commit(WriteSet(writes, tuple(key_entry(key, leaf, entropy) for key, leaf in made)))


async def crl_is_due(store: Store, at: int) -> bool:
    """Whether the root should be fetched to sign a new revocation list.

    It ends within ``CRL_RENEWED_DAYS``, or does not revoke a key that it should.
    """
    row = await store.fetch_one(queries.CRLS, {})
    return row is not None and (row["next_update"] < at + CRL_RENEWED_DAYS * DAY or bool(await unlisted(store)))


async def renew_crl(store: Store, root_signer: Signer, at: int) -> None:
    """Sign the revocation list anew with the root: the next number, a later end, and no revoked key is missing."""
    row: Any = await store.fetch_one(queries.CRLS, {})
    await store.commit(WriteSet((await renewed_crl(row, root_signer, at, await unlisted(store)),)))


async def renewed_crl(row: Any, root_signer: Signer, at: int, revoked: tuple[int, ...] = ()) -> Change:
    """The list of ``row`` signed anew, with the serial numbers ``revoked`` on it besides; what is on it stays on it.

    Raises ``Conflict`` when it is written, if the list was renewed meanwhile.
    """
    listed, end = read_crl(row["der"], row["issuer_certificate"]), at + CRL_DAYS * DAY
    entries = (*listed.entries, *((serial, at) for serial in revoked))
    tbs = x509_build.tbs_crl(
        row["issuer_certificate"], number=row["number"] + 1, this_update=at, next_update=end, revoked=entries
    )
    der = x509_build.seal_crl(tbs, await root_signer.sign(row["issuer_key_id"], tbs))
    known = {"issuer_key_id": row["issuer_key_id"], "number": row["number"]}
    fresh = {"der": der, "number": row["number"] + 1, "next_update": end}
    return Change(tables.crl, known, fresh, Conflict("The revocation list was renewed meanwhile. Nothing was done."))


@dataclass(frozen=True, slots=True)
class Maker:
    """What the root signs, and the rows of it, as of ``now``."""

    deployment: Deployment
    ceremony: Ceremony
    now: int
    entropy: Entropy

    @property
    def crl_uri(self) -> str:
        """Where verifiers find the revocation list."""
        return f"{self.deployment.iss}/pki/crl.der"

    async def root_certificate(self) -> bytes:
        """The root's own, DER."""
        certified = self._certified(root_name(self.deployment.name), self.ceremony.root, ROOT_DAYS)
        tbs = x509_build.tbs_root(certified, uri=self.deployment.iss, crl_uri=self.crl_uri)
        return x509_build.seal_certificate(tbs, await self._root_signs(tbs))

    async def leaf_certificate(self, key: TokenKey, purpose: Purpose, root: bytes) -> bytes:
        """A signer's under ``root``, DER; it ends before the root does."""
        days = min(LEAF_DAYS, (not_after(root) - self.now) // DAY)
        certified = self._certified(f"{self.deployment.name} {key.role}", key, days)
        tbs = x509_build.tbs_leaf(certified, purpose, root, iss=self.deployment.iss, crl_uri=self.crl_uri)
        return x509_build.seal_certificate(tbs, await self._root_signs(tbs))

    async def empty_crl(self, root: bytes) -> bytes:
        """The first revocation list, DER."""
        tbs = x509_build.tbs_crl(
            root, number=1, this_update=self.now, next_update=self.now + CRL_DAYS * DAY, revoked=()
        )
        return x509_build.seal_crl(tbs, await self._root_signs(tbs))

    def rows(self, root: bytes, certificates: dict[str, bytes], crl: bytes) -> WriteSet:
        """Everything that begins with them."""
        ours = self.deployment
        keys = [(self.ceremony.root, root)] + [(key, certificates.get(key.role)) for key in self.ceremony.online]
        listed = {
            "issuer_key_id": self.ceremony.root.key_id,
            "issuer_certificate": root,
            "der": crl,
            "number": 1,
            "next_update": self.now + CRL_DAYS * DAY,
        }
        identity = {name: getattr(ours, name) for name in Deployment.__slots__} | {
            "demo": int(ours.demo),
            "created_at": self.now,
        }
        writes = [
            Insert(tables.deployment, identity),
            Insert(tables.crl, listed),
            *(Insert(tables.signing_key, key_row(key, certificate, self.now)) for key, certificate in keys),
        ]
        return WriteSet(tuple(writes), tuple(self._entries(keys)))

    def _entries(self, keys: list[tuple[TokenKey, bytes | None]]) -> Iterable[Recorded]:
        ours = self.deployment
        identity = LogIdentity(ours.log_origin, ours.iss, ours.rp_id, ours.status_base)
        yield public_object(EntryType.LOG_START, LOG_START, self.entropy(16), identity.digest())
        for key, certificate in keys:
            yield key_entry(key, certificate, self.entropy)

    def _certified(self, name: str, key: TokenKey, days: int) -> Certified:
        assert key.public_key is not None
        serial = int.from_bytes(self.entropy(SERIAL_BYTES), "big") >> 1 | 1
        start = self.now - BACKDATED_SECONDS
        return Certified(self.deployment.country, name[:64], key.public_key, serial, start, start + days * DAY)

    async def _root_signs(self, tbs: bytes) -> bytes:
        return await self.ceremony.root_signer.sign(self.ceremony.root.key_id, tbs)


def key_row(key: TokenKey, certificate: bytes | None, now: int) -> dict[str, object]:
    """The row of a key that is in use from now on."""
    expires = None if certificate is None else read_certificate(certificate).not_valid_after_utc
    return {
        "key_id": key.key_id,
        "token": key.token,
        "role": key.role,
        "algorithm": key.algorithm,
        "public_key": key.public_key,
        "certificate": certificate,
        "state": ACTIVE,
        "not_after": None if expires is None else int(expires.timestamp()),
        "created_at": now,
        "sealed": key.sealed,
    }


def key_entry(key: TokenKey, certificate: bytes | None, entropy: Entropy) -> Recorded:
    """The ledger's entry of a key that is in use from now on."""
    recorded = certificate or key.public_key or key.key_id
    record = Record(SIGNING_KEY_TAKEN, hashlib.sha256(recorded).digest(), key.key_id)
    return about_ourselves(record, entropy(16), entropy)
