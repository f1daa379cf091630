"""The ledger as everybody may see it: the files of every shard, and COSE Receipts of its entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from idverify.ledger.description import LogDescription
from idverify.ledger.identity import LogIdentity
from idverify.ledger.note import NoteVerifier, vkey
from idverify.ledger.published import PublishedLog, StoredSnapshots
from idverify.ledger.receipt_issuer import ReceiptIssuer
from idverify.ledger.receipt_key import ES256, ReceiptKey
from idverify.ports import Signer
from idverify.services.log_policy import LogPolicy
from idverify.services.office import Deployment, Keys, Log, Office
from idverify.stores.sqlite import SqliteStore
from idverify.stores.sqlite_ledger import SqliteLedger


@dataclass(frozen=True, slots=True)
class Shard:
    """One log as it is shown, and who makes receipts of it."""

    published: PublishedLog
    receipts: ReceiptIssuer


@dataclass(frozen=True, slots=True)
class TokenRootSigner:
    """``ledger.receipt_key.RootSigner`` over a token."""

    signer: Signer
    key: ReceiptKey

    async def sign(self, message: bytes) -> bytes:
        """``r || s``."""
        return await self.signer.sign(self.key.kid, message)


def published_shards(office: Office) -> Mapping[int, Shard]:
    """Every shard by its number: the one that is written to as its publisher shows it, others as they are stored."""
    logs = stored_logs(office.store, office.deployment, office.logs, office.keys, office.log_policy)
    logs[office.log.shard] = replace(logs[office.log.shard], snapshot=office.publisher.snapshot)
    return {log.shard: Shard(logs[log.shard], _receipts(office, log)) for log in office.logs}


def stored_logs(
    store: SqliteStore, ours: Deployment, logs: Sequence[Log], keys: Keys, policy: LogPolicy
) -> dict[int, PublishedLog]:
    """Every shard by its number as it is stored, without its publisher and without the token; oldest first."""

    def stored(log: Log) -> PublishedLog:
        storage, verifiers = SqliteLedger(store, log.shard), log_verifiers(log, keys)
        snapshots = StoredSnapshots(storage, verifiers[:1], witnessed=policy.policy.quorum is not None)
        described = describe(ours, log, keys, policy, closed=log != logs[-1])
        return PublishedLog(storage, snapshots, described.encode())

    return {log.shard: stored(log) for log in logs}


def log_verifiers(log: Log, keys: Keys) -> tuple[NoteVerifier, ...]:
    """The keys of a shard, the token's first: the one that has signed every checkpoint."""
    return tuple(key.verifier(log.origin) for key in keys.log)


def describe(ours: Deployment, log: Log, keys: Keys, policy: LogPolicy, *, closed: bool) -> LogDescription:
    """What ``log.json`` says of a shard."""
    identity = LogIdentity(log.origin, ours.iss, ours.rp_id, ours.status_base)
    vkeys = tuple(map(vkey, log_verifiers(log, keys)))
    return LogDescription(identity, log.shard, vkeys, policy.text, _receipt_key(keys), log.previous, closed)


def _receipts(office: Office, log: Log) -> ReceiptIssuer:
    signer = TokenRootSigner(office.signer, _receipt_key(office.keys))
    return ReceiptIssuer(signer, office.deployment.iss, log.origin)


def _receipt_key(keys: Keys) -> ReceiptKey:
    key_id, spki = keys.receipts
    point = load_der_public_key(spki)
    assert isinstance(point, EllipticCurvePublicKey)
    return ReceiptKey(key_id, ES256, point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:])
