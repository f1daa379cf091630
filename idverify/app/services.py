"""Opening everything in order and closing it in reverse: shared by the service, the commands and the tests."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from idverify.app.authenticators import judge_keys, keep_metadata_new, metadata_roots
from idverify.app.checkpoint_signers import checkpoint_signers
from idverify.app.same_deployment import require_same_deployment
from idverify.app.trust import keep_trust_new
from idverify.app.ways_to_tokens import open_tokens
from idverify.auth.key_policy import DEMO_KEY_POLICIES, KEY_POLICIES
from idverify.config import Config
from idverify.core.certificate_alarm import alarm
from idverify.errors import SetupError, Unavailable
from idverify.ledger.errors import MalformedError, UnreachableError
from idverify.ledger.guard import Guard
from idverify.ledger.log_signers import LogSigners
from idverify.ledger.policy import Policy
from idverify.ledger.publisher import Publisher
from idverify.ledger.witness_client import Standing, Witnesses, WitnessTransport
from idverify.ports import Clock, StatusFetcher, SystemClock, Tally, system_entropy
from idverify.sandbox.workers import open_workers
from idverify.services import letter_batch
from idverify.services.doors import Doors, adopt, doors
from idverify.services.log_book import Hands, Log, LogBook
from idverify.services.log_policy import NO_WITNESSES, LogPolicy, log_policy, log_url, require_witnesses
from idverify.services.office import STATUS_SIGNER, Keys, Office, load_deployment, load_keys
from idverify.services.outside import Nobody, WitnessesOutside
from idverify.services.policy_record import record_policy
from idverify.services.recorded_rules import doors_are_recorded
from idverify.services.recover import close_forgotten_issuances, close_open_issuances
from idverify.services.revoked_keys import require_listed
from idverify.services.seen_lists import StoredSeenLists
from idverify.services.status_lists import Board, StatusBoard
from idverify.services.status_source import StatusSource
from idverify.services.trust_book import TrustBook
from idverify.services.wrap_again import wrap_again
from idverify.stores import retention
from idverify.stores.guard_file import GuardFile
from idverify.stores.ledger import StoredLedger
from idverify.stores.open import open_store
from idverify.stores.schema import upgrade_existing
from idverify.stores.store import Store
from idverify.stores.vault import Vault
from idverify.stores.wal import write_anew
from idverify.web.letter.letterhead import PrintedLetterhead
from idverify.web.reach import Reach
from idverify.web.witness_transport import open_witness_transport

CERTIFICATES_EVERY_SECONDS = 3600
TOKENS_EVERY_SECONDS = 1
log = structlog.get_logger()


def reach(config: Config) -> Reach:
    """How far status lists of other issuers may be fetched from."""
    return Reach(config.service.demo, frozenset(config.fetching.private_hosts))


@asynccontextmanager
async def open_office(
    config: Config,
    fetcher: StatusFetcher | None,
    tally: Tally | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Office]:
    """Everything a service needs, opened; nothing runs in the background yet. ``told`` hears why the log is halted."""
    clock = SystemClock()
    upgrade_existing(config.location)
    async with AsyncExitStack() as stack:
        if isinstance(config.location, Path):
            await asyncio.to_thread(write_anew, config.location)
        store = await stack.enter_async_context(open_store(config.location, clock))
        ours = await load_deployment(store)
        require_same_deployment(config, ours)
        tokens = await stack.enter_async_context(open_tokens(config, store))
        signer, custodian, sealer = tokens.signer, tokens.custodian, tokens.sealer
        keys = await load_keys(store, ours.iss, signer.choose)
        signers = partial(checkpoint_signers, keys.log, signer=signer, sealer=sealer, clock=clock)
        policies = published_policies(config, ours.iss, keys)
        transport = await _witness_transport(stack, policies(ours.log_origin).policy)
        witnesses = cache(partial(_witnesses, policies, transport))
        hands = Hands(
            publisher=partial(_publisher, config, store, signers, clock, witnesses),
            policy=policies,
            guard=GuardFile(config.guard),
            outside=Nobody() if transport is None else WitnessesOutside(policies, transport),
            told=told,
        )
        source, ours_alone = StatusSource(fetcher, StoredSeenLists(store)), await doors(custodian)
        board = Board(ours.status_base, partial(keys.issuer, STATUS_SIGNER))
        yield Office(
            deployment=ours,
            log_book=await LogBook.read(store, hands),
            keys=keys,
            trust_book=await _trust_book(store, ours_alone),
            store=store,
            vault=Vault(custodian, system_entropy),
            signer=signer,
            custodian=custodian,
            doors=ours_alone,
            witnesses=witnesses,
            board=StatusBoard(board, store, signer, source, clock, system_entropy),
            statuses=source,
            sandbox=await stack.enter_async_context(open_workers(config.sandbox.workers, tally=tally)),
            letterhead=PrintedLetterhead(),
            key_policies=DEMO_KEY_POLICIES if config.service.demo else KEY_POLICIES,
            metadata_roots=metadata_roots(config),
            clock=clock,
            entropy=system_entropy,
            tally=tally or Tally(),
            related_origins=frozenset(config.service.related_origins),
            tokens=signer.states,
        )


async def _trust_book(store: Store, ours: Doors) -> TrustBook:
    """Raises ``SetupError`` where a key of ours that was compromised is not on the revocation list."""
    await require_listed(store)
    return await TrustBook.read(store, ours)


@asynccontextmanager
async def open_doors(config: Config, store: Store) -> AsyncIterator[Doors]:
    """What makes rows that open doors, where nothing else of the token is needed. Raises ``SetupError`` without it."""
    async with open_tokens(config, store) as tokens:
        yield await doors(tokens.custodian)


@asynccontextmanager
async def running(office: Office, metadata_url: str | None = None) -> AsyncIterator[asyncio.Future[Any]]:
    """The office with its background work: recovery done, lists and checkpoints published.

    Before anything is recorded, the log is held against what was signed; it may start halted. The yielded future ends
    if background work fails: then the process must stop, never go on in memory.
    """
    await _or_wait(office, office.log_book.begin)
    if not await doors_are_recorded(office):
        await adopt(office.store, office.doors)
    if office.log_book.halted is None:
        await close_open_issuances(office)
        await record_policy(office)
    await office.board.load()
    await publish_or_wait(office)
    tasks = [
        asyncio.create_task(office.board.run(), name="status list"),
        asyncio.create_task(_publish(office), name="checkpoints"),
        asyncio.create_task(_keep_house(office), name="retention"),
        asyncio.create_task(_drop_ceremonies(office), name="ceremonies"),
        asyncio.create_task(judge_keys(office), name="security keys"),
        asyncio.create_task(_watch_certificates(office), name="certificates"),
        asyncio.create_task(_watch_tokens(office), name="tokens"),
        asyncio.create_task(keep_trust_new(office), name="trusted issuers"),
        asyncio.create_task(letter_batch.run(office), name="letters"),
    ]
    if metadata_url is not None:
        tasks.append(asyncio.create_task(keep_metadata_new(office, metadata_url), name="metadata"))
    failed: asyncio.Future[Any] = asyncio.ensure_future(_first_failure(tasks))
    try:
        yield failed
    finally:
        failed.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(failed, *tasks, return_exceptions=True)


def hold(data: Path) -> int:
    """Hold the data directory for this process alone. Raises ``SetupError`` for a second instance."""
    descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise SetupError(f"Another idverify serves the data in {data}.", "Stop it, or choose --data DIR.") from error
    return descriptor


Policies = Callable[[str], LogPolicy]
"""Whom readers of a log may believe, by its origin."""


def published_policies(config: Config, iss: str, keys: Keys) -> Policies:
    """Whom readers of a log of ours, by its origin, may believe. Raises ``SetupError`` for witnesses that are none."""
    path = config.ledger.witnesses
    try:
        witnesses = NO_WITNESSES if path is None else path.read_text()
        require_witnesses(log_policy(iss, (), witnesses).policy)
        log_policy(iss, [key.verifier(iss) for key in keys.log], witnesses)
    except (OSError, UnicodeDecodeError, MalformedError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SetupError(f"The witnesses in {path} cannot be used ({why}).", "Correct ledger.witnesses.") from error

    @cache
    def policy(origin: str) -> LogPolicy:
        return log_policy(log_url(iss, origin), [key.verifier(origin) for key in keys.log], witnesses)

    return policy


async def _witness_transport(stack: AsyncExitStack, policy: Policy) -> WitnessTransport | None:
    """The way to the witnesses that have an address, if there are any."""
    if not any(witness.url for witness in policy.witnesses):
        return None
    return await stack.enter_async_context(open_witness_transport())


def _witnesses(policies: Policies, transport: WitnessTransport | None, origin: str) -> Witnesses | None:
    try:
        return None if transport is None else Witnesses(policies(origin).policy, transport)
    except MalformedError as error:
        raise SetupError(f"The witnesses cannot be used ({error}).", "Correct the file of ledger.witnesses.") from error


Signers = Callable[[str], Awaitable[LogSigners]]
"""The log's keys, under a log's origin."""


async def _publisher(
    config: Config,
    store: Store,
    signers: Signers,
    clock: Clock,
    witnesses: Callable[[str], Witnesses | None],
    log: Log,
    guard: Guard | None,
) -> Publisher:
    return Publisher(
        StoredLedger(store, log.shard),
        log.origin,
        await signers(log.origin),
        now=clock.now,
        holder=_holder(config.data),
        guard=guard,
        previous=log.previous,
        witnesses=witnesses(log.origin),
    )


def _holder(data: Path) -> bytes:
    """Who publishes: one process at a time holds a data directory, so the next one may go on under its lease."""
    return hashlib.sha256(f"{socket.gethostname()} {data.resolve()}".encode()).digest()


async def _publish(office: Office) -> None:
    """Checkpoints every second while the log grows. An HSM that is away for a while delays them, no more."""
    standings: dict[str, str] = {}
    late: str | None = None
    while True:
        await asyncio.sleep(1.0)
        if (reason := office.store.stopped_by()) is not None:  # though a cycle may find nothing to write
            raise Unavailable(f"The storage stopped ({reason}).")
        late = await publish_or_wait(office, late)
        standings = _tell_of_witnesses(office.witnesses(office.log.origin), standings)
        office.vault.sweep()


def _tell_of_witnesses(witnesses: Witnesses | None, before: dict[str, str]) -> dict[str, str]:
    """How each witness stands, by its address; whatever is not as ``before`` is logged."""
    now = {one.url: one for one in witnesses.outcomes} if witnesses is not None else {}
    for url, one in now.items():
        if before.get(url) != one.standing:
            level = log.info if one.standing is Standing.AGREES else log.warning
            level("witness", url=url, standing=one.standing.value, detail=one.detail)
    return {url: one.standing.value for url, one in now.items()}


async def _keep_house(office: Office) -> None:
    """Every hour: drop what is kept for a time only, close what a failure left open, add what a token missed."""
    while True:
        await close_forgotten_issuances(office)
        await _or_wait(office, partial(_catch_up, office))
        await retention.sweep(office.store, office.clock.now())
        await asyncio.sleep(retention.EVERY_SECONDS)


async def _catch_up(office: Office) -> None:
    """Whoever was recorded while a token was away comes to it, too."""
    wrapped = await wrap_again(office.store, office.vault, office.custodian)
    if wrapped.keys or wrapped.lookups or wrapped.twice:
        log.info("wrapped_again", keys=wrapped.keys, lookups=wrapped.lookups, twice=wrapped.twice)
    if wrapped.broken:
        log.warning("keys_do_not_open", people=sorted(str(UUID(bytes=person)) for person in wrapped.broken))


async def _watch_certificates(office: Office) -> None:
    """Every hour: whose certificate ends before long."""
    told: dict[str, int | None] = {}
    while True:
        told = tell_of_certificates(office, told)
        await asyncio.sleep(CERTIFICATES_EVERY_SECONDS)


def tell_of_certificates(office: Office, before: Mapping[str, int | None]) -> dict[str, int | None]:
    """Within how many days each signer's ends, by role (``core.certificate_alarm``); what is new is logged.

    So is what the tokens' own inventories tell of, by the key's label.
    """
    ends, at = office.keys.ends(), office.clock.now()
    now = {role: alarm(not_after, at) for role, not_after in ends.items()}
    for role, days in now.items():
        if days is not None and before.get(role) != days:
            log.warning("certificate_ends", role=role, within_days=days, not_after=ends[role])
    for token in office.tokens():
        for one in token.certificates:
            key = f"{token.token}/{one.label}"
            now[key] = one.within_days
            if before.get(key) != one.within_days:
                log.warning(
                    "certificate_ends",
                    token=token.token,
                    key=one.label,
                    within_days=one.within_days,
                    not_after=one.not_after,
                )
    return now


async def _watch_tokens(office: Office) -> None:
    """Every second: which token is not as it was; what is new is logged."""
    told: dict[str, tuple[str, str | None]] = {}
    while True:
        told = tell_of_tokens(office, told)
        await asyncio.sleep(TOKENS_EVERY_SECONDS)


def tell_of_tokens(office: Office, before: Mapping[str, tuple[str, str | None]]) -> dict[str, tuple[str, str | None]]:
    """The state of each token and the reason for it; whatever is not as ``before`` is logged, with the cure."""
    now = {token.token: (token.state, token.reason) for token in office.tokens()}
    for token, (state, reason) in now.items():
        if before.get(token, ("ready", None)) != (state, reason):
            level = log.info if state == "ready" else log.warning
            level("token", token=token, state=state, reason=reason)
    return now


async def _drop_ceremonies(office: Office) -> None:
    while True:
        await retention.sweep_ceremonies(office.store, office.clock.now())
        await asyncio.sleep(retention.CEREMONIES_EVERY_SECONDS)


async def publish_or_wait(office: Office, late: str | None = None) -> str | None:
    """One checkpoint; if a part is away it is tried again next time. A fork halts the log, anything else is fatal.

    Why it is late, ``None`` where it is not; logged where it is not as before (``late``).
    """
    return await _or_wait(office, office.log_book.publish, late)


async def _or_wait(office: Office, work: Callable[[], Awaitable[None]], late: str | None = None) -> str | None:
    try:
        await work()
    except UnreachableError as away:
        reason = str(away)
    except Unavailable as away:
        if office.store.stopped_by() is not None:
            raise
        reason = away.detail
    else:
        if late is not None:
            log.info("checkpoint_in_time")
        return None
    if reason != late:
        log.warning("checkpoint_late", error=reason)
    return reason


async def _first_failure(tasks: list[asyncio.Task[None]]) -> Any:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return next(iter(done)).exception()
