"""What every service works with: the ports, the deployment's identity, its keys and its memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from idverify.auth.key_policy import KeyPolicies
from idverify.core.credential import Issuer
from idverify.core.key_order import REVOKED
from idverify.core.trust import TrustStore
from idverify.errors import SetupError, Unavailable
from idverify.formats import x509
from idverify.ledger.note import vkey
from idverify.ledger.publisher import Publisher
from idverify.ledger.witness_client import Witnesses
from idverify.ports import Clock, Custodian, Entropy, Letterhead, Sandbox, Signer, Tally, TokenStanding, uuid7
from idverify.services.doors import Doors
from idverify.services.log_book import Log, LogBook
from idverify.services.log_keys import LogKey, log_keys
from idverify.services.recent_requests import RecentRequests
from idverify.services.status_lists import StatusBoard
from idverify.services.status_source import StatusSource
from idverify.stores import queries
from idverify.stores.connection import Row
from idverify.stores.store import Store
from idverify.stores.vault import PersonKey, Vault

if TYPE_CHECKING:
    from idverify.services.trust_book import TrustBook

STATUS_SIGNER: Final = "status-list-signer"
TRUST_SIGNER: Final = "trust-list-signer"
ENTRIES_SIGNER: Final = "entries-signer"
VERIFICATION_SIGNER: Final = "verification-signer"
PAPER_SIGNER: Final = "paper-signer"
TIME_STAMP_SIGNER: Final = "time-stamp-signer"
RECEIPT_SIGNER: Final = "receipt-signer"
HANDLE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Deployment:
    """Who we are: fixed at init, recorded in the ledger's first entry."""

    issuer_id: str
    iss: str
    rp_id: str
    status_base: str
    log_origin: str
    name: str
    country: str
    demo: bool


Choice = Callable[[str, Sequence[Issuer]], Issuer]


def _first(_role: str, among: Sequence[Issuer]) -> Issuer:
    return among[0]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys in use: signers with a certificate by role, the log's, and those of COSE receipts (id, DER SPKI).

    The log's and those of receipts are of every token, the first to sign comes first. Of both there are also those
    that sign no more, as what they signed holds.
    """

    issuers: Mapping[str, Issuer]
    log: tuple[LogKey, ...]
    receipts: tuple[tuple[bytes, bytes], ...]
    further: Mapping[str, tuple[Issuer, ...]] = field(default_factory=dict)
    """Signers of the same roles on other tokens."""
    former_receipts: tuple[tuple[bytes, bytes], ...] = ()
    choose: Choice = _first
    """Which of a role's signers, of those that will do: called each time, for tokens come and go."""

    def ends(self) -> dict[str, int]:
        """When the first signer of each role ceases to sign (Unix seconds): with its certificate, or long before."""
        return {role: min(x509.signs_until(one.chain[0]) for one in self._of(role)) for role in self.issuers}

    @property
    def tokens(self) -> int:
        """On how many tokens a role has keys, at most."""
        return 1 + max(map(len, self.further.values()), default=0)

    def issuer(self, role: str) -> Issuer:
        """The signer of this role to be used now. Raises ``Unavailable`` if there is none."""
        found = self._of(role)
        if not found:
            raise Unavailable(f"There is no active key for the role {role}.")
        return self.choose(role, found) if len(found) > 1 else found[0]

    def _of(self, role: str) -> tuple[Issuer, ...]:
        first = self.issuers.get(role)
        return (() if first is None else (first,)) + self.further.get(role, ())

    def issuer_until(self, role: str, at: int, until: int) -> Issuer:
        """The signer of this role for what is signed ``at`` this time and holds ``until`` then.

        Nothing is signed that would outlive its certificate. Raises ``Unavailable``.
        """
        found = self._of(role) or (self.issuer(role),)
        in_use = [one for one in found if x509.signs_from(one.chain[0]) <= at <= x509.signs_until(one.chain[0])]
        if not in_use:
            raise Unavailable("The signing key is no longer in use. It must be renewed first.")
        lasting = [one for one in in_use if x509.not_after(one.chain[0]) >= until]
        if not lasting:
            raise Unavailable("The signing certificate would expire before the credential. It must be renewed first.")
        return self.choose(role, lasting) if len(lasting) > 1 else lasting[0]


@dataclass(frozen=True, slots=True)
class Office:
    """Everything a service needs; made once by ``app``. ``witnesses`` are those of a log, by its origin.

    ``metadata_roots`` (DER) are whom we believe about authenticators. ``tokens`` says how those that sign are doing.
    """

    deployment: Deployment
    log_book: LogBook
    keys: Keys
    trust_book: TrustBook
    store: Store
    vault: Vault
    signer: Signer
    custodian: Custodian
    doors: Doors
    witnesses: Callable[[str], Witnesses | None]
    board: StatusBoard
    statuses: StatusSource
    sandbox: Sandbox
    letterhead: Letterhead
    key_policies: KeyPolicies
    metadata_roots: tuple[bytes, ...]
    clock: Clock
    entropy: Entropy
    tally: Tally
    related_origins: frozenset[str] = frozenset()
    tokens: Callable[[], tuple[TokenStanding, ...]] = tuple
    recent_requests: RecentRequests = field(default_factory=RecentRequests)

    @property
    def trust(self) -> TrustStore:
        """Whom we rely on now, with all that was ever decided on them."""
        return self.trust_book.current

    @property
    def logs(self) -> tuple[Log, ...]:
        """Every shard of the ledger, oldest first."""
        return self.log_book.logs

    @property
    def log(self) -> Log:
        """The shard that is written to."""
        return self.log_book.current

    @property
    def publisher(self) -> Publisher:
        """Whoever publishes it."""
        return self.log_book.publisher

    @property
    def log_vkeys(self) -> list[str]:
        """The verifier keys of every shard, oldest first, as people configure them."""
        return [vkey(key.verifier(log.origin)) for log in self.log_book.logs for key in self.keys.log]

    def new_id(self) -> bytes:
        """A fresh row id."""
        return uuid7(self.clock, self.entropy)

    def new_handle(self) -> bytes:
        """A fresh 128-bit handle for the outside."""
        return self.entropy(HANDLE_BYTES)

    async def person_key(self, row: Row, person_id: bytes) -> PersonKey:
        """The key of the person; ``row`` has its wrappings as ``wrapped_keys``."""
        return await self.vault.open(person_id, row["wrapped_keys"])


async def load_deployment(store: Store) -> Deployment:
    """The deployment of a database. Raises ``SetupError`` for one that was never established."""
    row = await store.fetch_one(queries.DEPLOYMENT, {})
    if row is None:
        raise SetupError("The database has no deployment in it.", "Run: python3 -m idverify up")
    kept = {name: row[name] for name in Deployment.__slots__}
    return Deployment(**kept | {"demo": row["demo"] != 0})


async def load_keys(store: Store, iss: str, choose: Choice = _first) -> Keys:
    """The active keys that the database names, with their certificates; ``choose`` is among those of one role."""
    active: list[Any] = await store.fetch(queries.KEYS_IN_USE, {})
    signers: dict[str, tuple[Issuer, ...]] = {}
    for row in active:
        if row["certificate"] is not None:
            issuer = Issuer(iss, (row["certificate"],), row["key_id"])
            signers[row["role"]] = (*signers.get(row["role"], ()), issuer)
    rows: list[Any] = await store.fetch(queries.SIGNING_KEYS, {})
    of_receipts = [row for row in rows if row["role"] == RECEIPT_SIGNER and row["state"] != REVOKED]
    receipts = tuple((row["key_id"], row["public_key"]) for row in active if row["role"] == RECEIPT_SIGNER)
    each = ((row["key_id"], row["public_key"]) for row in of_receipts)
    return Keys(
        {role: first for role, (first, *_) in signers.items()},
        log_keys(rows),
        receipts,
        {role: tuple(others) for role, (_, *others) in signers.items() if others},
        tuple(key for key in each if key not in receipts),
        choose,
    )
