"""HTTP: verifying and issuing, against a bare endpoint that does nothing but what the work cannot do without.

CPU of all the service's processes is counted, the load's is not. In each round the service, its commits in plain
``sqlite3``, the bare endpoint under the same load and the raw HSM are measured one right after the other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import orjson

from hsm.rows import Pair, Row, row
from idverify.app.bench import commits, primitives
from idverify.app.bench.commits import Commits, Replay
from idverify.app.bench.deployment import Deployment, Holder, deploy
from idverify.app.bench.effort import Effort
from idverify.app.bench.load import CONNECTIONS, Request, drive
from idverify.app.bench.programs import Program, cpu_seconds, running
from idverify.config import DATABASE, Config
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.errors import IdverifyError

BATCH: Final = 32
_UNIT: Final = "per CPU-second of all processes"
_BARE: Final = "a bare aiohttp endpoint that reads and answers as much JSON and does"
_ROWS: Final = "the rows it commits in plain sqlite3, batched alike"


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of request: what it answers, what it must at least do, and how near to that we must come."""

    name: str
    status: int
    commits: Commits
    primitives: tuple[str, ...]
    hsm: Callable[[Config, float], Awaitable[float]]
    limit_is: str
    target: float


@dataclass(frozen=True, slots=True)
class Bench:
    """A service that runs, and where to put files."""

    directory: Path
    deployment: Deployment
    service: Program
    effort: Effort

    async def measure(
        self, work: Work, requests: Sequence[Request], each_round: int | None = None
    ) -> tuple[Row, list[bytes]]:
        """The row of one kind of work, and every answer. The first requests warm up and are not counted."""
        config, rounds, count = self.deployment.config, [], each_round or self.effort.requests
        port = config.service.port
        answers = await drive(port, requests[:CONNECTIONS], work.status)
        usual = self.directory / "answer.json"
        usual.write_bytes(answers[0])
        log, copy = self.directory / "floor.log", self.directory / f"{work.name}.sqlite"
        async with running(log, "idverify.app.bench.floor", str(usual), *work.primitives) as bare:
            await _bare(bare, requests[:CONNECTIONS])
            with Replay(config.data / DATABASE, copy, work.commits) as replay:
                for start in range(CONNECTIONS, len(requests), count):
                    some = requests[start : start + count]
                    ours, answered = await _load(self.service, port, some, work.status)
                    least = replay.cpu_seconds() / len(some) + await _bare(bare, some)
                    rounds.append(Pair(ours, least + await work.hsm(config, self.effort.probe_seconds)))
                    answers += answered
        return row(work.name, _UNIT, work.limit_is, work.target, rounds), answers


async def measure(effort: Effort) -> list[Row]:
    """Issue credentials to people, then verify them: as answers to requests, and as documents."""
    with tempfile.TemporaryDirectory(prefix="idverify-bench-") as name:
        directory = Path(name)
        deployment = await deploy(directory / "data", CONNECTIONS + effort.rounds * effort.requests)
        holders = [Holder(offer) for offer in deployment.offers]
        data = str(deployment.config.data)
        async with running(directory / "service.log", "idverify.cli", "serve", "--data", data) as service:
            bench = Bench(directory, deployment, service, effort)
            issued = await _issue(bench, holders)
            verified = [await _answers(bench, holders), await _documents(bench, holders)]
            return [*verified, await _batches(bench, holders), issued]


async def _issue(bench: Bench, holders: Sequence[Holder]) -> Row:
    work = Work(
        f"HTTP issue, {CONNECTIONS} connections",
        201,
        commits.ISSUE,
        ("holder-signature", "seals"),
        primitives.hsm_of_one_issuance,
        f"{_BARE} 1 ECDSA verification and 4 AES-GCM; 1 raw HSM signature verified and 1 unwrapping; {_ROWS}",
        0.4,
    )
    requests = [
        _post("/api/v1/credentials", {"code": holder.offer.code, "proof": holder.proof()}, key=holder.offer.nonce)
        for holder in holders
    ]
    measured, answers = await bench.measure(work, requests)
    for holder, answer in zip(holders, answers, strict=True):
        holder.credential = orjson.loads(answer)["credential"]
    return measured


async def _answers(bench: Bench, holders: Sequence[Holder]) -> Row:
    work = Work(
        f"HTTP verify with key binding, {CONNECTIONS} connections",
        200,
        commits.CHECK_ANSWER,
        ("issuer-signature", "holder-signature"),
        primitives.hsm_of_no_issuance,
        f"{_BARE} 2 ECDSA verifications; {_ROWS}",
        0.6,
    )
    asked = {"type": IMMIGRATION_STATUS.id}
    key, port = bench.deployment.api_key, bench.deployment.config.service.port
    wanted = [_post("/api/v1/verification-requests", asked, bearer=key)] * len(holders)
    requests = []
    for holder, made in zip(holders, map(orjson.loads, await drive(port, wanted, 201)), strict=True):
        document = holder.presented(made["audience"], made["nonce"])
        answer = {"document": document, "verification_request": made["verification_request"]}
        requests.append(_post("/api/v1/verify", answer, bearer=key))
    return await _accepted(bench, work, requests, "accept")


async def _documents(bench: Bench, holders: Sequence[Holder]) -> Row:
    work = Work(
        f"HTTP verify without key binding, {CONNECTIONS} connections",
        200,
        commits.CHECK,
        ("issuer-signature",),
        primitives.hsm_of_no_issuance,
        f"{_BARE} 1 ECDSA verification; {_ROWS}",
        0.6,
    )
    key = bench.deployment.api_key
    requests = [_post("/api/v1/verify", {"document": holder.shown()}, bearer=key) for holder in holders]
    return await _accepted(bench, work, requests, "refer")


async def _batches(bench: Bench, holders: Sequence[Holder]) -> Row:
    """As many documents to a request as there are connections; each is verified a few times in all."""
    work = Work(
        f"HTTP verify {BATCH} at once, {CONNECTIONS} connections",
        200,
        commits.CHECK,
        ("issuer-signature",) * BATCH,
        primitives.hsm_of_no_issuance,
        f"{_BARE} {BATCH} ECDSA verifications; {_ROWS}",
        0.8,
    )
    each_round = max(1, bench.effort.requests // BATCH) * 2
    wanted = CONNECTIONS + bench.effort.rounds * each_round
    shown = cycle({"document": holder.shown()} for holder in holders)
    key = bench.deployment.api_key
    requests = [_post("/api/v1/verify", {"documents": list(islice(shown, BATCH))}, bearer=key) for _ in range(wanted)]
    measured, answers = await bench.measure(work, requests, each_round)
    for answer in map(orjson.loads, answers):
        _require_verdicts(answer["results"], "refer")
    return measured


async def _accepted(bench: Bench, work: Work, requests: Sequence[Request], verdict: str) -> Row:
    """The row, once every verdict was the right one: a fast refusal is no verification."""
    measured, answers = await bench.measure(work, requests)
    _require_verdicts(map(orjson.loads, answers), verdict)
    return measured


def _require_verdicts(answers: Iterable[Any], verdict: str) -> None:
    for answer in answers:
        if answer.get("verdict") != verdict:
            raise IdverifyError(f"Expected the verdict {verdict}, got {answer}")


async def _load(program: Program, port: int, requests: Sequence[Request], status: int) -> tuple[float, list[bytes]]:
    """CPU seconds per request, and the answers."""
    begin = cpu_seconds(program.pid)
    answers = await drive(port, requests, status)
    return (cpu_seconds(program.pid) - begin) / len(requests), answers


async def _bare(program: Program, requests: Sequence[Request]) -> float:
    """CPU seconds per request of the bare endpoint, for the same requests."""
    cost, _ = await _load(program, int(program.announced), [replace(request, path="/") for request in requests], 200)
    return cost


def _post(path: str, body: object, *, bearer: str | None = None, key: str | None = None) -> Request:
    named = {"Authorization": bearer and f"Bearer {bearer}", "Idempotency-Key": key}
    return Request(path, orjson.dumps(body), {name: value for name, value in named.items() if value is not None})
