"""Status lists: signing a million entries again, and what that does to whoever verifies meanwhile.

A list of 2^20 entries of which one in a hundred is set, as after some years. Signing it again is all of it: the change
in memory, decoys, digest, compression, both forms, two signatures by the HSM, the commit with its ledger entry.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson

from hsm.rows import Pair, Row, row
from idverify.app.bench.deployment import Deployment, Holder, deploy
from idverify.app.bench.effort import Effort
from idverify.app.bench.load import Request, drive
from idverify.app.bench.programs import Program, answer_of, cpu_seconds, running
from idverify.app.services import open_office
from idverify.errors import IdverifyError
from idverify.formats.status_list import StatusValue
from idverify.services.office import Office
from idverify.services.own_list import SIZE
from idverify.stores import tables
from idverify.stores.writes import Put, WriteSet

_SET: Final = SIZE // 100
_AT_ONCE: Final = 512
_HOLDERS: Final = 32
_CONNECTIONS: Final = 4
_SIGNINGS: Final = 10


async def measure(effort: Effort) -> list[Row]:
    """Sign the list again on a token of its own; then verify over HTTP, with and without that going on."""
    with tempfile.TemporaryDirectory(prefix="idverify-bench-") as name:
        directory = Path(name)
        deployment = await deploy(directory / "data", _HOLDERS)
        async with open_office(deployment.config, None) as office:
            await office.board.load()
            await _withdraw_many(office)
            resigned = [await _resigned(office) for _ in range(effort.rounds)]
        return [
            row(
                f"status list of {SIZE:,} entries signed again, both forms",
                "per CPU-second of all processes",
                "zlib alone at level 9, which the draft advises, over the same packed bytes",
                1 / 1.5,
                resigned,
            ),
            await _verified_meanwhile(directory, deployment, effort),
        ]


async def _withdraw_many(office: Office) -> None:
    """One entry in a hundred, a few of them suspended."""
    references = [office.board.allocate() for _ in range(_SET)]
    for start in range(0, _SET, _AT_ONCE):
        some = references[start : start + _AT_ONCE]
        values = [StatusValue.SUSPENDED if one.index % 16 == 0 else StatusValue.INVALID for one in some]
        rows = [
            {"status_list": one.uri, "status_index": one.index, "value": int(value)}
            for one, value in zip(some, values, strict=True)
        ]
        await office.store.commit(WriteSet(tuple(Put(tables.status_entry, one) for one in rows)))
    await office.board.publish()


async def _resigned(office: Office) -> Pair:
    before = cpu_seconds(os.getpid())
    for _ in range(_SIGNINGS):
        place = office.board.allocate()
        row_ = {"status_list": place.uri, "status_index": place.index, "value": int(StatusValue.INVALID)}
        await office.store.commit(WriteSet((Put(tables.status_entry, row_),)))
        await office.board.publish()
    ours = (cpu_seconds(os.getpid()) - before) / _SIGNINGS
    kept = office.statuses.kept_at(office.board.uri)
    assert kept is not None
    started = time.thread_time()
    for _ in range(_SIGNINGS):
        zlib.compress(kept.statuses.packed, 9)
    return Pair(ours, (time.thread_time() - started) / _SIGNINGS)


async def _verified_meanwhile(directory: Path, deployment: Deployment, effort: Effort) -> Row:
    data, port = str(deployment.config.data), deployment.config.service.port
    async with running(directory / "service.log", "idverify.app.bench.resigning", data) as service:
        requests = await _documents(deployment, port)
        wanted = [requests[place % len(requests)] for place in range(effort.requests)]
        await _slowest(port, wanted)  # warms up
        rounds = []
        for _ in range(effort.rounds):
            quiet = await _slowest(port, wanted)
            rounds.append(Pair(await _slowest_meanwhile(service, port, wanted), quiet))
    return row(
        f"HTTP verify, {_CONNECTIONS} connections, while the list is signed again all the time",
        "per p99 of the answers, in seconds",
        "the same service with the same requests while nothing is signed",
        0.5,
        rounds,
    )


async def _slowest_meanwhile(service: Program, port: int, requests: Sequence[Request]) -> float:
    os.kill(service.pid, signal.SIGUSR1)
    try:
        return await _slowest(port, requests)
    finally:
        os.kill(service.pid, signal.SIGUSR2)


async def _slowest(port: int, requests: Sequence[Request]) -> float:
    """The time within which 99 of 100 answers came, seconds."""
    question = {"port": port, "connections": _CONNECTIONS, "requests": [one.encode() for one in requests]}
    answers = orjson.loads(await answer_of("idverify.app.bench.latencies", orjson.dumps(question)))
    wrong = [status for status, _ in answers if status != 200]
    if wrong:
        raise IdverifyError(f"The service answered {wrong[0]} instead of 200.")
    seconds = sorted(taken for _, taken in answers)
    return float(seconds[len(seconds) * 99 // 100])


async def _documents(deployment: Deployment, port: int) -> list[Request]:
    """Collect credentials; each is then a document to be verified."""
    holders = [Holder(offer) for offer in deployment.offers]
    collecting = [
        _post(
            "/api/v1/credentials",
            {"code": holder.offer.code, "proof": holder.proof()},
            {"Idempotency-Key": holder.offer.nonce},
        )
        for holder in holders
    ]
    for holder, answer in zip(holders, await drive(port, collecting, 201), strict=True):
        holder.credential = orjson.loads(answer)["credential"]
    known = {"Authorization": f"Bearer {deployment.api_key}"}
    return [_post("/api/v1/verify", {"document": holder.shown()}, known) for holder in holders]


def _post(path: str, body: dict[str, str], headers: dict[str, str]) -> Request:
    return Request(path, orjson.dumps(body), headers)
