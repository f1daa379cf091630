"""`/metrics`: what this process did and how it is, in Prometheus' text format.

Labels come from closed sets, and from route patterns and rules that stand in our own code: never from a client,
never about a person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from typing import Final

from aiohttp import hdrs, web
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from idverify.core.policy import Act, Role, require_may
from idverify.core.suspension import Suspension
from idverify.core.types import CREDENTIAL_TYPES
from idverify.core.verdict import Channel, Outcome
from idverify.errors import IdverifyError
from idverify.ports import TOKEN_STATES, Tally, TokenStanding
from idverify.sandbox.jobs import JOBS, Pool
from idverify.sandbox.workers import OUTCOMES
from idverify.services.office import Office
from idverify.stores.ledger import StoredLedger
from idverify.web.endpoint import Call, Reply
from idverify.web.pages.explanation import REASONS

LATENCY_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
JOB_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
HELD: Final = "held"

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter, which nobody asks for


# Name: what it says, and where it stands in a token's standing
TOKEN_GAUGES: Final[Mapping[str, tuple[str, Callable[[TokenStanding], float | None]]]] = {
    "idverify_hsm_workers": ("Signer processes that serve", lambda token: token.workers),
    "idverify_hsm_pending": ("Requests that wait for the token's answer", lambda token: token.pending),
    "idverify_hsm_restarts": ("Signer processes that were lost and replaced", lambda token: token.restarts),
    "idverify_hsm_pin_refused": ("1 until somebody corrects a PIN that was refused", lambda token: token.pin_refused),
    "idverify_hsm_pin_count_low": ("1: a wrong PIN before the last login", lambda token: token.pin_count_low),
    "idverify_hsm_probe_age_seconds": ("Time since the probe key last signed", lambda token: token.since_probe),
}

ENDING: Final = "idverify_hsm_certificate_seconds_left"
STAGES: Final = ("proposed", "made")
REPLACED, LOST = "replaced", "lost"


async def _status_list_age(office: Office) -> float:
    kept = (office.statuses.kept_at(uri) for uri in office.board.uris)
    return office.clock.now() - min((listed.issued_at for listed in kept if listed is not None), default=0)


async def _status_indices_left(office: Office) -> float:
    return office.board.room()


async def _ledger_entries(office: Office) -> float:
    return (await StoredLedger(office.store, office.log.shard).tree_state()).size


async def _signed_entries(office: Office) -> float:
    shown = await office.log_book.snapshot(office.log.shard)
    return 0 if shown is None else shown.latest.tree.size


async def _witnessed_entries(office: Office) -> float:
    shown = await office.log_book.snapshot(office.log.shard)
    return 0 if shown is None or shown.quorum is None else shown.quorum.tree.size


async def _ledger_halted(office: Office) -> float:
    return float(office.log_book.halted is not None)


# Name: what it says, and how it is read when somebody asks
GAUGES: Final[Mapping[str, tuple[str, Callable[[Office], Awaitable[float]]]]] = {
    "idverify_status_list_age_seconds": ("Time since that of our status lists was signed that waits", _status_list_age),
    "idverify_status_indices_left": ("Documents that our status lists have room for", _status_indices_left),
    "idverify_ledger_entries": ("Entries on the ledger, published or not yet", _ledger_entries),
    "idverify_ledger_signed_entries": ("Entries under the latest checkpoint", _signed_entries),
    "idverify_ledger_witnessed_entries": ("Entries under the checkpoint that receipts rest on", _witnessed_entries),
    "idverify_ledger_halted": ("1 while the ledger is halted: nothing is recorded or signed", _ledger_halted),
}


class Metrics(Tally):
    """The figures of one application: each method counts one thing that happened."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Histogram(
            "idverify_http_request_seconds",
            "Time from a request's head to its answer",
            ("method", "route", "status"),
            buckets=LATENCY_SECONDS,
            registry=self.registry,
        )
        self._answered: dict[tuple[str, str, int], Histogram] = {}  # looking for a series costs as much as counting
        self._verdicts = self._counter("verdicts", "Documents checked", outcome=Outcome, channel=Channel)
        self._sessions = self._counter("sessions_opened", "Sessions opened", role=Role)
        self._suspended = self._counter("security_keys_suspended", "Security keys of staff suspended", why=Suspension)
        self._decisions = self._counter("decisions", "Decisions on people", stage=STAGES)
        self._issued = self._counter("credentials_issued", "Credentials issued", type=CREDENTIAL_TYPES)
        self._ceremonies = Counter(
            "idverify_ceremonies",
            "Security keys' answers: held, or the rule that they broke",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self._browsers = self._counter("browser_errors", "Browsers' errors instead of a key's answer", reason=REASONS)
        self._jobs = self._counter("worker_jobs", "Jobs of workers", job=JOBS, outcome=OUTCOMES)
        self._job_times = Histogram(
            "idverify_worker_job_seconds",
            "Time from asking for a worker's job to its end",
            ("job",),
            buckets=JOB_SECONDS,
            registry=self.registry,
        )
        self._waiting = self._by_pool("worker_jobs_waiting", "Jobs that wait for a worker")
        self._workers = self._by_pool("workers", "Workers that are there")
        self._ended = self._counter("workers_ended", "Workers that ended while we ran", pool=Pool, why=(REPLACED, LOST))
        self._certificates = Gauge(
            "idverify_certificate_seconds_left",
            "Time until the certificate of a signer ends; below zero: nothing is signed with it",
            ("role",),
            registry=self.registry,
        )
        self._gauges = {name: Gauge(name, says, registry=self.registry) for name, (says, _) in GAUGES.items()}
        self._token_states = Gauge(
            "idverify_hsm_state",
            "1 for the state that the token is in",
            ("token", "state"),
            registry=self.registry,
        )
        self._ending = Gauge(
            ENDING,
            "Time until a certificate ends of which the token's inventory tells, in its last 30 days",
            ("token", "key"),
            registry=self.registry,
        )
        self._tokens = {
            name: Gauge(name, says, ("token",), registry=self.registry) for name, (says, _) in TOKEN_GAUGES.items()
        }

    def _counter(self, name: str, says: str, **labels: Iterable[str]) -> Counter:
        """A counter with every series at 0 from the start, so that the first event is a rise."""
        counter = Counter(f"idverify_{name}", says, tuple(labels), registry=self.registry)
        for values in product(*labels.values()):
            counter.labels(*values)
        return counter

    def _by_pool(self, name: str, says: str) -> Gauge:
        """A gauge with a series for each pool of workers."""
        gauge = Gauge(f"idverify_{name}", says, ("pool",), registry=self.registry)
        for pool in Pool:
            gauge.labels(pool)
        return gauge

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered. ``route`` is the pattern, not the path."""
        counted = self._answered.get((method, route, status))
        if counted is None:
            known = method if method in hdrs.METH_ALL else "other"  # a parser may let a client make up its own
            counted = self._requests.labels(known, route, status)
            if known is method:  # else a client would fill the memory
                self._answered[method, route, status] = counted
        counted.observe(seconds)

    def checked(self, outcome: Outcome, channel: Channel) -> None:
        """A document got its verdict."""
        self._verdicts.labels(outcome, channel).inc()

    def session_opened(self, role: Role) -> None:
        """Somebody signed in."""
        self._sessions.labels(role).inc()

    def key_suspended(self, why: Suspension) -> None:
        """A security key of staff was suspended."""
        self._suspended.labels(why).inc()

    def decided(self, stage: str) -> None:
        """A decision was ``proposed`` or ``made``."""
        self._decisions.labels(stage).inc()

    def issued(self, type_id: str) -> None:
        """A credential of this type was collected."""
        self._issued.labels(type_id).inc()

    def browser_failed(self, reason: str) -> None:
        """A browser gave the name of an error instead of a key's answer; ``reason`` is of ``REASONS``."""
        self._browsers.labels(reason).inc()

    def job_ended(self, job: str, outcome: str, seconds: float) -> None:
        """A job of a worker ended: how, and so long after it was asked for."""
        self._jobs.labels(job, outcome).inc()
        self._job_times.labels(job).observe(seconds)

    def jobs_waiting(self, pool: str, more: int) -> None:
        """So many more jobs, or fewer, wait for a worker."""
        self._waiting.labels(pool).inc(more)

    def worker_started(self, pool: str) -> None:
        """A worker is ready."""
        self._workers.labels(pool).inc()

    def worker_ended(self, pool: str, *, lost: bool) -> None:
        """A worker was killed or crashed; or it has done enough."""
        self._workers.labels(pool).dec()
        self._ended.labels(pool, LOST if lost else REPLACED).inc()

    @contextmanager
    def ceremony(self, kind: str) -> Iterator[None]:
        """Around the call that finishes a ceremony: counts what became of it, by rule where it was refused."""
        try:
            yield
        except IdverifyError as error:
            self._ceremonies.labels(kind, getattr(error, "rule", error.slug)).inc()
            raise
        self._ceremonies.labels(kind, HELD).inc()

    async def text(self, office: Office) -> bytes:
        """Everything counted so far, and the gauges as they stand now."""
        for name, (_, read) in GAUGES.items():
            self._gauges[name].set(await read(office))
        for role, ends in office.keys.ends().items():
            self._certificates.labels(role).set(ends - office.clock.now())
        self._ending.clear()  # a key that was replaced is told of no longer
        for token in office.tokens():
            self._stands(token)
            for one in token.certificates:
                self._ending.labels(token.token, one.label).set(one.not_after - office.clock.now())
        return generate_latest(self.registry)

    def _stands(self, token: TokenStanding) -> None:
        """How a token is doing. Its label is of the settings."""
        for state in TOKEN_STATES:
            self._token_states.labels(token.token, state).set(state == token.state)
        for name, (_, read) in TOKEN_GAUGES.items():
            if (value := read(token)) is not None:
                self._tokens[name].labels(token.token).set(value)


METRICS: Final = web.AppKey("metrics", Metrics)


async def metrics(call: Call) -> Reply:
    """What this process did and how it is (Prometheus text format)."""
    require_may(call.caller, Act.READ_METRICS)
    text = await call.request.app[METRICS].text(call.office)
    return Reply(text, content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
