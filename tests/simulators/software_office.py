"""An office on a token in memory and a clock that only moves when told: every service, no PKCS#11."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

import pytest
from aiohttp import web, web_app
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from idverify.app.checkpoint_signers import checkpoint_signers
from idverify.app.services import running
from idverify.auth.key_policy import DEMO_KEY_POLICIES, KeyPolicies
from idverify.core.action import Action, StepUpRequired
from idverify.core.policy import Principal
from idverify.errors import IdverifyError, NotAuthenticated
from idverify.ledger.guard import Guard
from idverify.ledger.publisher import Publisher, Witnesses
from idverify.ports import Sandbox, TokenStanding, system_entropy
from idverify.sandbox.workers import Workers, open_workers
from idverify.services import step_up
from idverify.services.administration import approve, propose
from idverify.services.branches import BRANCHES
from idverify.services.ceremonies import Given
from idverify.services.cosigning_key import make_cosigning_key
from idverify.services.doors import doors
from idverify.services.establish import CERTIFIED_ROLES, Ceremony, TokenKey, add_keys, establish
from idverify.services.invite import SecondPart
from idverify.services.key_ceremony import KeyCeremony
from idverify.services.log_book import Hands, Log, LogBook
from idverify.services.log_keys import CHECKPOINT_SIGNER
from idverify.services.log_policy import NO_WITNESSES, LogPolicy, log_policy, log_url
from idverify.services.office import (
    RECEIPT_SIGNER,
    STATUS_SIGNER,
    Deployment,
    Keys,
    Office,
    load_deployment,
    load_keys,
)
from idverify.services.outside import Nobody, Outside
from idverify.services.sessions import recognise
from idverify.services.status_lists import Board, StatusBoard
from idverify.services.status_source import StatusSource
from idverify.services.trust_book import TrustBook
from idverify.stores.ledger import StoredLedger
from idverify.stores.open import Location, open_store
from idverify.stores.store import Store
from idverify.stores.vault import SealBroken, Vault
from idverify.web.letter.letterhead import PrintedLetterhead
from idverify.web.metrics import Metrics
from idverify.web.server import make_app, make_runner
from tests.simulators import service
from tests.simulators.databases import migrated_file
from tests.simulators.ledger_memory import GuardMemory
from tests.simulators.service import Api, client, free_port

PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey
LABEL: Final = "in memory"
T = TypeVar("T")


class StandingClock:
    """``ports.Clock`` that starts at the machine's time and then only moves by ``advance``."""

    def __init__(self) -> None:
        self._now = int(time.time())

    def now(self) -> int:
        """Unix seconds."""
        return self._now

    def advance(self, seconds: int) -> None:
        """Let ``seconds`` go by."""
        self._now += seconds


def _spki(key: MLDSA44PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class SoftToken:
    """``ports.Signer``, ``ports.Custodian`` and the log's ``CheckpointSigner`` over keys in memory.

    While ``away`` is set, every call raises it, as when the HSM is gone. ``notes`` is what it signed of logs,
    ``standing`` what the office is told of tokens.
    """

    name: str
    away: IdverifyError | None = None
    recovery_key: bytes | None = None
    wrapping_keys: frozenset[bytes] = frozenset({b"wrapping"})
    lookup_keys: frozenset[bytes] = frozenset({b"lookup.."})
    notes: list[bytes] = field(default_factory=list)
    standing: tuple[TokenStanding, ...] = ()
    _keys: dict[bytes, PrivateKey] = field(default_factory=dict)
    _secret: bytes = field(default_factory=lambda: os.urandom(32))

    def generate(self, role: str) -> TokenKey:
        """A new key pair for a role."""
        ed25519 = role == CHECKPOINT_SIGNER
        key: PrivateKey = Ed25519PrivateKey.generate() if ed25519 else ec.generate_private_key(ec.SECP256R1())
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        key_id = hashlib.sha256(spki).digest()[:8]
        self._keys[key_id] = key
        return TokenKey(role, LABEL, key_id, "EdDSA" if ed25519 else "ES256", spki)

    async def sign(self, key_id: bytes, message: bytes) -> bytes:
        """``r || s``, or Ed25519."""
        self._require_here()
        key = self._keys[key_id]
        if isinstance(key, Ed25519PrivateKey):
            self.notes.append(message)
            return key.sign(message)
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    async def probe(self) -> None:
        """Whether the token is there."""
        self._require_here()

    async def standings(self) -> Mapping[str, str]:
        """There is one token."""
        return {}

    async def wrap(self, name: bytes, secret: bytes) -> Mapping[bytes, bytes]:
        """AES-KWP."""
        del name
        return {key: await self.seal(secret) for key in self.wrapping_keys}

    async def unwrap(self, name: bytes, wrapped: Mapping[bytes, bytes]) -> bytes:
        """What ``wrap`` took."""
        del name
        return await self.unseal(next(wrapped[key] for key in self.wrapping_keys if key in wrapped))

    async def seal(self, seed: bytes) -> bytes:
        """AES-KWP; the sealing key is the same as the wrapping key here."""
        self._require_here()
        return aes_key_wrap_with_padding(self._secret, seed)

    async def unseal(self, sealed: bytes) -> bytes:
        """What ``seal`` took."""
        self._require_here()
        try:
            return aes_key_unwrap_with_padding(self._secret, sealed)
        except InvalidUnwrap as broken:
            raise SealBroken("The wrapping was changed.") from broken

    async def make_sealed(self) -> tuple[bytes, bytes]:
        """Its seed is sealed like any secret."""
        key = MLDSA44PrivateKey.generate()
        return _spki(key), await self.seal(key.private_bytes_raw())

    async def open_sealed(self, public_key: bytes, sealed: bytes) -> bool:
        """Whether it is the seed of this key."""
        return _spki(await self._unsealed(sealed)) == public_key

    async def sign_sealed(self, public_key: bytes, sealed: bytes, message: bytes) -> bytes:
        """ML-DSA-44."""
        key = await self._unsealed(sealed)
        assert _spki(key) == public_key
        return key.sign(message)

    async def _unsealed(self, sealed: bytes) -> MLDSA44PrivateKey:
        return MLDSA44PrivateKey.from_seed_bytes(await self.unseal(sealed))

    async def blind(self, value: bytes) -> Mapping[bytes, bytes]:
        """HMAC-SHA256."""
        self._require_here()
        return {key: hmac.digest(self._secret, value, "sha256") for key in self.lookup_keys}

    async def secret(self) -> bytes:
        """Another one of its own."""
        self._require_here()
        return hmac.digest(self._secret, b"the deployment", "sha256")

    def _require_here(self) -> None:
        if self.away is not None:
            raise self.away


@dataclass(frozen=True)
class SoftwareOffice:
    """An office with its background work running, what it stands on, and a caller of its API."""

    office: Office
    token: SoftToken
    clock: StandingClock
    api: Api

    def ceremony(self) -> KeyCeremony:
        """The root at hand, to carry out what admins ordered."""
        office = self.office
        return KeyCeremony(office.store, office.deployment, self.token, self.clock, office.entropy)

    async def principal(self, who: str) -> Principal:
        """Somebody signed in, as services see them."""
        await self.api.identity(who)
        person = self.api.deployment.people[who]
        try:
            return (await recognise(self.office, person.token)).principal
        except NotAuthenticated:
            await self.api.sign_in(person)
            return (await recognise(self.office, person.token)).principal

    async def confirmed(self, who: str, act: Callable[[Principal, Given | None], Awaitable[T]]) -> T:
        """What ``act`` gives once ``who`` has confirmed with their security key what it asks to be confirmed."""
        principal, person = await self.principal(who), self.api.deployment.people[who]
        with pytest.raises(StepUpRequired) as asked:
            await act(principal, None)
        begun = await step_up.begin(self.office, principal, asked.value.action)
        return await act(principal, Given(begun.ceremony, person.key.get(begun.options, self.office.deployment.iss)))

    async def agreed(self, action: Action, first: str = "admin", second: str = "abel") -> SecondPart | None:
        """What comes of an act of administration that ``first`` has proposed and ``second`` approved."""
        waiting = await self.confirmed(first, lambda who, given: propose(self.office, who, action, given))
        return await self.confirmed(second, lambda who, given: approve(self.office, who, waiting.handle, given))


@dataclass(frozen=True)
class Premises:
    """An established deployment that is opened, closed and opened again; its token and its guard stay what they are."""

    location: Location
    token: SoftToken
    clock: StandingClock
    api: Api
    guard: GuardMemory = field(default_factory=GuardMemory)
    outside: Outside = field(default_factory=Nobody)
    told: list[str] = field(default_factory=list)
    witnesses: Callable[[LogPolicy], Witnesses | None] = lambda _: None
    witness_lines: str = NO_WITNESSES
    key_policies: KeyPolicies = field(default_factory=lambda: DEMO_KEY_POLICIES)
    related_origins: frozenset[str] = frozenset()
    metadata_roots: tuple[bytes, ...] = ()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[SoftwareOffice]:
        """Serve it on its port, with the background work running."""
        async with open_store(self.location, self.clock) as store, open_workers() as workers:
            office = await self.office(store, workers)
            async with running(office), _listening(office, self.api.deployment.port):
                self.api.deployment.store = store
                try:
                    yield SoftwareOffice(office, self.token, self.clock, self.api)
                finally:
                    self.api.deployment.store = None

    async def office(self, store: Store, sandbox: Sandbox | None = None) -> Office:
        """The office over an open store, with nothing running: as another process has it."""
        ours, token, clock = await load_deployment(store), self.token, self.clock
        keys, source = await load_keys(store, ours.iss), StatusSource(None)
        board = Board(ours.status_base, lambda: keys.issuer(STATUS_SIGNER))
        return Office(
            deployment=ours,
            log_book=await LogBook.read(store, self._hands(store, ours.iss, keys)),
            keys=keys,
            trust_book=await TrustBook.read(store, await doors(token)),
            store=store,
            vault=Vault(token, system_entropy),
            signer=token,
            custodian=token,
            doors=await doors(token),
            witnesses=lambda _: None,
            board=StatusBoard(board, store, token, source, clock, system_entropy),
            statuses=source,
            sandbox=sandbox or Workers(),  # which starts none before it is asked
            letterhead=PrintedLetterhead(),
            key_policies=self.key_policies,
            metadata_roots=self.metadata_roots,
            clock=clock,
            entropy=system_entropy,
            tally=Metrics(),
            related_origins=self.related_origins,
            tokens=lambda: token.standing,
        )

    def _hands(self, store: Store, iss: str, keys: Keys) -> Hands:
        async def publisher(log: Log, guard: Guard | None) -> Publisher:
            return Publisher(
                StoredLedger(store, log.shard),
                log.origin,
                await checkpoint_signers(keys.log, log.origin, self.token, self.token, self.clock),
                now=self.clock.now,
                holder=b"office",
                guard=guard,
                previous=log.previous,
                witnesses=self.witnesses(policy(log.origin)),
            )

        @cache
        def policy(origin: str) -> LogPolicy:
            return log_policy(log_url(iss, origin), [key.verifier(origin) for key in keys.log], self.witness_lines)

        return Hands(publisher, policy, self.guard, self.outside, self.told.append)


@asynccontextmanager
async def premises(data: Path, location: Location | None = None) -> AsyncIterator[Premises]:
    """Establish a deployment in a migrated database, by default a new file in ``data``."""
    port, token, clock = free_port(), SoftToken(LABEL), StandingClock()
    deployment = service.Deployment(data, port, location or data / "idverify.sqlite", await doors(token), clock)
    if location is None:
        (data / "idverify.sqlite").write_bytes(migrated_file())
    async with open_store(deployment.location, clock) as store:
        await _establish(store, deployment.url, token, clock)
        await deployment.make_keys(store)
    async with client() as session:
        yield Premises(deployment.location, token, clock, Api(session, deployment))


@asynccontextmanager
async def software_office(data: Path, location: Location | None = None) -> AsyncIterator[SoftwareOffice]:
    """Establish a deployment in a database (by default a file in ``data``) and serve it on a port of this process."""
    async with premises(data, location) as made, made.open() as served:
        yield served


@asynccontextmanager
async def _listening(office: Office, port: int) -> AsyncIterator[None]:
    runner = make_runner(make_app(office))
    await runner.setup()
    try:
        await web.TCPSite(runner, "localhost", port).start()
        yield
    finally:
        await runner.cleanup()
        web_app._cached_build_middleware.cache_clear()  # it holds on to applications, each with a status list of 5 MB


async def _establish(store: Store, url: str, token: SoftToken, clock: StandingClock) -> None:
    ours = Deployment(
        "1", url, "localhost", f"{url}/status", f"{url.partition('//')[2]}/log/1", "Utopia", "UT", demo=True
    )
    online = tuple(token.generate(role) for role in (*CERTIFIED_ROLES, CHECKPOINT_SIGNER, RECEIPT_SIGNER))
    roots = tuple(token.generate(branch.root_role) for branch in BRANCHES)
    await establish(store, ours, Ceremony(roots, online, token), clock, system_entropy)
    await add_keys(store, [await make_cosigning_key(token, LABEL)], clock, system_entropy)


@asynccontextmanager
async def both(house: Premises) -> AsyncIterator[tuple[SoftwareOffice, Office]]:
    """A service that runs, and another process over the same database that has loaded its lists."""
    async with house.open() as served, open_store(house.location, house.clock) as elsewhere:
        other = await house.office(elsewhere)
        await other.board.load()
        yield served, other
