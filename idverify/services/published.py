"""The ledger as everybody may see it: the files of every shard, and COSE Receipts of its entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from idverify.errors import TokenAway
from idverify.ledger.description import LogDescription
from idverify.ledger.identity import LogIdentity
from idverify.ledger.note import vkey
from idverify.ledger.published import PublishedLog, SignedTree, StoredSnapshots
from idverify.ledger.receipt_issuer import ReceiptIssuer
from idverify.ledger.receipt_key import ES256, ReceiptKey
from idverify.ports import Signer
from idverify.services.log_book import Log
from idverify.services.log_policy import LogPolicy
from idverify.services.office import Deployment, Keys, Office
from idverify.services.urgency import for_everybody
from idverify.stores.ledger import StoredLedger
from idverify.stores.store import Store


@dataclass(frozen=True, slots=True)
class Shard:
    """One log as it is shown, and who makes receipts of it."""

    published: PublishedLog
    receipts: Receipts


@dataclass(frozen=True, slots=True)
class TokenRootSigner:
    """``ledger.receipt_key.RootSigner`` over a token."""

    signer: Signer
    key: ReceiptKey

    async def sign(self, message: bytes) -> bytes:
        """``r || s``."""
        with for_everybody():
            return await self.signer.sign(self.key.kid, message)


@dataclass(frozen=True, slots=True)
class Receipts:
    """COSE Receipts of one log, by the first token that is there; readers know the keys of all of them."""

    issuers: tuple[ReceiptIssuer, ...]

    async def inclusion(self, signed: SignedTree, index: int) -> bytes:
        """As ``ReceiptIssuer.inclusion``. Raises ``TokenAway`` where no token is there."""
        *others, last = self.issuers
        for issuer in others:
            with suppress(TokenAway):
                return await issuer.inclusion(signed, index)
        return await last.inclusion(signed, index)


class PublishedShards:
    """Every shard by its number: the one that is written to as its publisher shows it, others as they are stored.

    Shards are opened while this lives, and what one shows changes when it ends, so it is asked each time.
    """

    def __init__(self, office: Office) -> None:
        self._office = office
        self._kept: dict[tuple[int, bool], Shard] = {}

    def get(self, number: int) -> Shard | None:
        """The shard of this number, ``None`` if there is none."""
        office = self._office
        log = next((log for log in office.logs if log.shard == number), None)
        if log is None:
            return None
        state = number, number != office.log.shard
        if state not in self._kept:
            self._kept[state] = _shard(office, log)
        return self._kept[state]


def stored_logs(
    store: Store, ours: Deployment, logs: Sequence[Log], keys: Keys, policy: Callable[[str], LogPolicy]
) -> dict[int, PublishedLog]:
    """Every shard by its number as it is stored, without its publisher and without the token; oldest first."""

    def stored(log: Log) -> PublishedLog:
        storage, believed = StoredLedger(store, log.shard), policy(log.origin)
        snapshots = StoredSnapshots(storage, believed.foremost, witnessed=believed.witnessed)
        described = describe(ours, log, keys, believed, closed=log != logs[-1])
        return PublishedLog(storage, snapshots, described.encode())

    return {log.shard: stored(log) for log in logs}


def describe(ours: Deployment, log: Log, keys: Keys, policy: LogPolicy, *, closed: bool) -> LogDescription:
    """What ``log.json`` says of a shard."""
    identity = LogIdentity(log.origin, ours.iss, ours.rp_id, ours.status_base, log.previous)
    vkeys = tuple(map(vkey, policy.verifiers))
    first, *further = map(_receipt_key, (*keys.receipts, *keys.former_receipts))
    return LogDescription(identity, log.shard, vkeys, policy.text, first, tuple(further), closed)


def _shard(office: Office, log: Log) -> Shard:
    logs = stored_logs(office.store, office.deployment, office.logs, office.keys, office.log_book.policy_of)
    shown = replace(logs[log.shard], snapshot=partial(office.log_book.snapshot, log.shard))
    return Shard(shown, _receipts(office, log))


def _receipts(office: Office, log: Log) -> Receipts:
    signers = [TokenRootSigner(office.signer, _receipt_key(key)) for key in office.keys.receipts]
    return Receipts(tuple(ReceiptIssuer(signer, office.deployment.iss, log.origin) for signer in signers))


def _receipt_key(key: tuple[bytes, bytes]) -> ReceiptKey:
    key_id, spki = key
    point = load_der_public_key(spki)
    assert isinstance(point, EllipticCurvePublicKey)
    return ReceiptKey(key_id, ES256, point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:])
