"""Establishing a deployment: certificates under the offline root, and the ledger's first entries.

The walk: keys exist on both tokens -> a root certificate and an empty CRL per branch -> one signer certificate per role
-> one transaction that holds all of it, the deployment's identity and the first ledger entries. Running it again on an
established database changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.key_order import ACTIVE
from idverify.core.names import root_name
from idverify.core.security_act import SIGNING_KEY_TAKEN
from idverify.core.types import CREDENTIAL_TYPES
from idverify.errors import Conflict
from idverify.formats import x509_build
from idverify.formats.x509 import Purpose, not_after, read_certificate, read_crl
from idverify.formats.x509_build import LEAF_MAX_DAYS, Certified
from idverify.ledger.commitment import Record
from idverify.ledger.entry import EntryType
from idverify.ledger.identity import LogIdentity
from idverify.ledger.sequencer import genesis
from idverify.ports import Clock, Entropy, Signer
from idverify.services.branches import BRANCHES, DOCUMENTS, Branch, branch_of
from idverify.services.office import (
    ENTRIES_SIGNER,
    PAPER_SIGNER,
    STATUS_SIGNER,
    TIME_STAMP_SIGNER,
    TRUST_SIGNER,
    VERIFICATION_SIGNER,
    Deployment,
)
from idverify.services.records import LOG_START, about_ourselves, public_object
from idverify.services.revoked_keys import unlisted
from idverify.stores import queries, tables
from idverify.stores.store import FIRST_SHARD, Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Change, Insert, Recorded, WriteSet

DAY: Final = 86_400
ROOT_DAYS: Final = 10 * 365
CRL_DAYS: Final = 90
CRL_RENEWED_DAYS: Final = 30
BACKDATED_SECONDS: Final = 300
SERIAL_BYTES: Final = 16

ROOT_ROLE: Final = DOCUMENTS.root_role
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
    PAPER_SIGNER: Purpose.PAPER,
    TIME_STAMP_SIGNER: Purpose.TIME_STAMP,
}


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key on a token: ``public_key`` is DER SPKI, ``None`` for a secret key.

    ``sealed`` is set for a key in software: its seed, wrapped by the token's sealing key. ``transcript`` is the SHA-256
    of its ceremony's, where witnesses saw it made.
    """

    role: str
    token: str
    key_id: bytes
    algorithm: str
    public_key: bytes | None
    sealed: bytes | None = None
    transcript: bytes | None = None


@dataclass(frozen=True, slots=True)
class Ceremony:
    """The keys at hand, the root of each branch, and who signs with the roots."""

    roots: tuple[TokenKey, ...]
    online: tuple[TokenKey, ...]
    root_signer: Signer


async def establish(store: Store, deployment: Deployment, ceremony: Ceremony, clock: Clock, entropy: Entropy) -> None:
    """Certify the keys and open the ledger, unless this database was established already."""
    if await store.fetch_one(queries.DEPLOYMENT, {}) is not None:
        return
    maker = Maker(deployment, ceremony, clock.now(), entropy)
    roots = {branch: await maker.root(branch) for branch in BRANCHES}
    certificates = await maker.leaves({branch: made.certificate for branch, made in roots.items()})
    work = maker.rows(tuple(roots.values()), certificates)

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
    """Take further keys into use that the root of their branch certifies: roles that an earlier version did not know.

    A branch that it did not know gets its root and its first revocation list, too.
    """
    rows: list[Any] = await store.fetch(queries.KEYS_IN_USE, {})
    there = {branch: row["certificate"] for branch in BRANCHES for row in rows if row["role"] == branch.root_role}
    maker = Maker(deployment, ceremony, clock.now(), entropy)
    fresh = {branch: await maker.root(branch) for branch in maker.branches() if branch not in there}
    leaves = await maker.leaves(there | {branch: made.certificate for branch, made in fresh.items()})
    keys = [*((made.key, made.certificate) for made in fresh.values()), *leaves]
    await store.commit(
        WriteSet(
            (
                *(Insert(tables.crl, made.crl_row()) for made in fresh.values()),
                *(Insert(tables.signing_key, key_row(key, certificate, maker.now)) for key, certificate in keys),
            ),
            tuple(key_entry(key, certificate, entropy) for key, certificate in keys),
        )
    )


async def crl_is_due(store: Store, at: int) -> bool:
    """Whether the roots should be fetched to sign a new revocation list.

    One ends within ``CRL_RENEWED_DAYS``, or does not revoke a key that it should.
    """
    rows: list[Any] = await store.fetch(queries.CRLS, {})
    return bool(await unlisted(store)) or any(_ends_soon(row, at) for row in rows)


async def renew_crl(store: Store, root_signer: Signer, at: int) -> None:
    """Sign each revocation list that is due anew: the next number, a later end, and no revoked key is missing."""
    rows: list[Any] = await store.fetch(queries.CRLS, {})
    missing = await unlisted(store)
    due = [row for row in rows if row["issuer_key_id"] in missing or _ends_soon(row, at)]
    writes = [await renewed_crl(row, root_signer, at, missing.get(row["issuer_key_id"], ())) for row in due]
    await store.commit(WriteSet(tuple(writes)))


def _ends_soon(row: Any, at: int) -> bool:
    return bool(row["next_update"] < at + CRL_RENEWED_DAYS * DAY)


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
class MadeRoot:
    """A branch's root and its first revocation list, DER, which ends at ``next_update``."""

    key: TokenKey
    certificate: bytes
    crl: bytes
    next_update: int

    def crl_row(self) -> dict[str, object]:
        """The row of the list."""
        return {
            "issuer_key_id": self.key.key_id,
            "issuer_certificate": self.certificate,
            "der": self.crl,
            "number": 1,
            "next_update": self.next_update,
        }


@dataclass(frozen=True, slots=True)
class Maker:
    """What the roots sign, and the rows of it, as of ``now``."""

    deployment: Deployment
    ceremony: Ceremony
    now: int
    entropy: Entropy

    def branches(self) -> tuple[Branch, ...]:
        """Those of the keys at hand, in order."""
        needed = {branch_of(CERTIFIED_ROLES[key.role]) for key in self.ceremony.online if key.role in CERTIFIED_ROLES}
        return tuple(branch for branch in BRANCHES if branch in needed)

    async def root(self, branch: Branch) -> MadeRoot:
        """A branch's root, certified by itself, and a list that revokes nothing yet."""
        key, end = self._root_key(branch), self.now + CRL_DAYS * DAY
        certified = self._certified(root_name(self.deployment.name, branch.of), key, ROOT_DAYS)
        tbs = x509_build.tbs_root(certified, uri=self.deployment.iss, crl_uri=self._crl_uri(branch))
        certificate = x509_build.seal_certificate(tbs, await self._signed(key, tbs))
        tbs = x509_build.tbs_crl(certificate, number=1, this_update=self.now, next_update=end, revoked=())
        return MadeRoot(key, certificate, x509_build.seal_crl(tbs, await self._signed(key, tbs)), end)

    async def leaves(self, roots: Mapping[Branch, bytes]) -> list[tuple[TokenKey, bytes]]:
        """The certificate of each key at hand that gets one."""
        certified = [key for key in self.ceremony.online if key.role in CERTIFIED_ROLES]
        return [
            (key, await self.leaf_certificate(key, purpose, roots[branch_of(purpose)]))
            for key in certified
            for purpose in (CERTIFIED_ROLES[key.role],)
        ]

    async def leaf_certificate(self, key: TokenKey, purpose: Purpose, root: bytes) -> bytes:
        """A signer's under ``root``, that of its branch, DER; it ends before the root does."""
        branch = branch_of(purpose)
        days = min(LEAF_MAX_DAYS[purpose], (not_after(root) - self.now) // DAY)
        certified = self._certified(f"{self.deployment.name} {key.role}", key, days)
        tbs = x509_build.tbs_leaf(certified, purpose, root, iss=self.deployment.iss, crl_uri=self._crl_uri(branch))
        return x509_build.seal_certificate(tbs, await self._signed(self._root_key(branch), tbs))

    def rows(self, roots: tuple[MadeRoot, ...], leaves: list[tuple[TokenKey, bytes]]) -> WriteSet:
        """Everything that begins with them."""
        ours, certificates = self.deployment, {key.role: certificate for key, certificate in leaves}
        keys = [(made.key, made.certificate) for made in roots] + [
            (key, certificates.get(key.role)) for key in self.ceremony.online
        ]
        identity = {name: getattr(ours, name) for name in Deployment.__slots__} | {
            "demo": int(ours.demo),
            "created_at": self.now,
        }
        writes = [
            Insert(tables.deployment, identity),
            *(Insert(tables.crl, made.crl_row()) for made in roots),
            *(Insert(tables.signing_key, key_row(key, certificate, self.now)) for key, certificate in keys),
        ]
        return WriteSet(tuple(writes), tuple(self._entries(keys)))

    def _entries(self, keys: Iterable[tuple[TokenKey, bytes | None]]) -> Iterable[Recorded]:
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

    def _crl_uri(self, branch: Branch) -> str:
        return f"{self.deployment.iss}{branch.crl_path}"

    def _root_key(self, branch: Branch) -> TokenKey:
        return next(key for key in self.ceremony.roots if key.role == branch.root_role)

    async def _signed(self, root: TokenKey, tbs: bytes) -> bytes:
        return await self.ceremony.root_signer.sign(root.key_id, tbs)


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
    digest = hashlib.sha256(recorded).digest()
    record = Record(SIGNING_KEY_TAKEN, digest, key.key_id, decision=key.transcript)
    return about_ourselves(record, entropy(16), entropy)
