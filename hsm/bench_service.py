"""How the service as a whole compares with what it is made of: rates, latencies, recovery, and a long run.

Every limit is measured next to what it limits, in rounds, and the round in the middle counts. Throughput is compared by
CPU time of all processes, which is what a busy machine has too little of, and does not depend on who else uses it.
"""

import asyncio
import json
import os
import resource
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hsm.bench import cpu_used, run_programs, throw_away_token
from hsm.client import Hsm
from hsm.config import TokenConfig
from hsm.frames import Op
from hsm.health import HsmState, Latencies
from hsm.keys import Algorithm
from hsm.link import connect
from hsm.pins import read_pin
from hsm.process import BASELINE, BENCH_EXECUTOR, BENCH_WORKER, LATENCY, NOOP, SLOW
from hsm.rows import Pair, Row, row
from hsm.verify import verify_signature

SOAK = 600.0
"""Seconds of the long run."""

_MESSAGE = bytes(128)
_WORKERS = 2
_MANY, _FEW = 128, 32  # callers
_SESSIONS = 8
_FEW_OBJECTS, _MORE_OBJECTS = 10, 1000  # in the token
_START_LIMIT = 30.0  # seconds
_SAMPLES = 20  # of memory in a long run
_FLAT = 0.98  # the second half of a long run takes no more memory than the first, but for what an allocator keeps
_KIB = 1024
_UNIT = "per CPU-second of all processes"
_RAW = f"{_WORKERS} raw signing processes"


@dataclass(frozen=True, slots=True)
class _Bench:
    token: TokenConfig
    key: bytes
    seconds: float

    @asynccontextmanager
    async def hsm(
        self, program: str | None = None, *, workers: int = _WORKERS, sessions: int = 1
    ) -> AsyncIterator[Hsm]:
        """The service, warm."""
        token = replace(self.token, writable=False, workers=workers, sessions=sessions)
        async with Hsm(token, program=program) as hsm:
            await asyncio.gather(*(hsm.sign(self.key, _MESSAGE) for _ in range(_MANY)))
            yield hsm

    async def raw(self, clock: str = "cpu") -> list[float]:
        """Seconds of a raw signature and of a raw verification, as many processes at once as there are workers."""
        asked = {"algorithm": Algorithm.ES256.value, "key": self.key.hex(), "seconds": self.seconds / 2, "clock": clock}
        answers = [json.loads(answer) for answer in await run_programs(BASELINE, self.token, _WORKERS, asked)]
        return [sum(each) / len(answers) for each in zip(*answers, strict=True)]


async def measure_service(*, seconds: float = 2.0, rounds: int = 3) -> list[Row]:
    """Every row but the long run, on SoftHSM tokens made for the purpose and thrown away."""
    with tempfile.TemporaryDirectory(prefix="hsm-bench-") as directory:
        token = await throw_away_token(Path(directory), _WORKERS)
        async with Hsm(token) as hsm:
            key = (await hsm.generate(Algorithm.ES256, "bench")).id
        bench = _Bench(token, key, seconds / rounds)
        rows: list[Row] = []
        for name, unit, limit_is, target, pair in _ROWS:
            rows.append(row(name, unit, limit_is, target, [await pair(bench) for _ in range(rounds)]))
        rows.append(await _objects(bench, rounds))
        return rows


# Rates ------------------------------------------------------------------------------------------------


async def _under_load(hsm: Hsm, key: bytes, seconds: float, callers: int) -> tuple[float, list[float]]:
    """Seconds per answer under so many callers, and how long each of them waited, shortest first."""
    waits: list[float] = []
    begin = time.monotonic()

    async def caller() -> None:
        while (asked := time.monotonic()) < begin + seconds:
            await hsm.sign(key, _MESSAGE)
            waits.append(time.monotonic() - asked)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return (time.monotonic() - begin) / len(waits), sorted(waits)


async def _cost(hsm: Hsm, bench: _Bench) -> float:
    """CPU seconds of a signature in all processes under the load of many callers."""
    begin = cpu_used(hsm)
    _, waits = await _under_load(hsm, bench.key, bench.seconds, _MANY)
    return (cpu_used(hsm) - begin) / len(waits)


async def _unverified(bench: _Bench) -> Pair:
    sign, _ = await bench.raw()
    async with bench.hsm(BENCH_WORKER) as hsm:
        return Pair(await _cost(hsm, bench), sign)


async def _verified(bench: _Bench) -> Pair:
    least = sum(await bench.raw())
    async with bench.hsm() as hsm:
        return Pair(await _cost(hsm, bench), least)


async def _executor(bench: _Bench) -> Pair:
    asked = {"key": bench.key.hex(), "seconds": bench.seconds, "callers": _MANY, "sessions": _WORKERS}
    (theirs,) = await run_programs(BENCH_EXECUTOR, bench.token, 1, asked)
    async with bench.hsm(BENCH_WORKER) as hsm:
        return Pair(await _cost(hsm, bench), json.loads(theirs))


async def _latency_bound(bench: _Bench) -> Pair:
    async with bench.hsm(BENCH_WORKER, workers=1, sessions=_SESSIONS) as hsm:
        ours, _ = await _under_load(hsm, SLOW, bench.seconds, _FEW)
    return Pair(ours, LATENCY / _SESSIONS)


# Latency and CPU --------------------------------------------------------------------------------------


async def _slowest(bench: _Bench) -> Pair:
    signature = sum(await bench.raw("wall"))
    async with bench.hsm(BENCH_WORKER) as hsm:
        _, noop = await _under_load(hsm, NOOP, bench.seconds, _FEW)
    async with bench.hsm() as hsm:
        _, ours = await _under_load(hsm, bench.key, bench.seconds, _FEW)
    return Pair(_p99(ours), _p99(noop) + signature)


def _p99(waits: list[float]) -> float:
    return waits[int(0.99 * len(waits))]


async def _turns(bench: _Bench) -> Pair:
    """Callers who share a worker wait for each other's signatures, whatever brings them there and back."""
    signature = sum(await bench.raw("wall"))
    async with bench.hsm() as hsm:
        _, ours = await _under_load(hsm, bench.key, bench.seconds, _FEW)
    return Pair(_p99(ours), signature * _FEW / _WORKERS)


async def _own_cpu(bench: _Bench) -> Pair:
    sign, _ = await bench.raw()
    async with bench.hsm() as hsm:
        return Pair(await _asking(hsm, bench), sign)


async def _own_cpu_verified(bench: _Bench) -> Pair:
    least = sum(await bench.raw())
    async with bench.hsm() as hsm:
        return Pair(await _asking(hsm, bench), least)


async def _asking(hsm: Hsm, bench: _Bench) -> float:
    """CPU seconds of this process per signature, under many callers who do nothing but ask."""
    done, over = 0, asyncio.Event()

    async def caller() -> None:
        nonlocal done
        while not over.is_set():
            await hsm.sign(bench.key, _MESSAGE)
            done += 1

    begin = time.process_time()
    asyncio.get_running_loop().call_later(bench.seconds, over.set)
    await asyncio.gather(*(caller() for _ in range(_MANY)))
    return (time.process_time() - begin) / done


# Recovery ---------------------------------------------------------------------------------------------


async def _recovery(bench: _Bench) -> Pair:
    """The only worker is killed under load: how long nobody is answered, against the start of a bare process.

    A caller who got an error would end the run, and each signature is verified for the message of its own caller.
    """
    least = await _bare_start(bench)
    answered = {}
    async with bench.hsm(workers=1) as hsm:
        spki = await hsm.public_key(bench.key)
        (pid,) = hsm.health().workers
        over = asyncio.Event()
        last = [time.monotonic()]
        longest = 0.0

        async def caller(number: int) -> None:
            nonlocal longest
            count = 0
            while not over.is_set():
                message, count = b"%d %d" % (number, count), count + 1
                answered[message] = await hsm.sign(bench.key, message)
                now = time.monotonic()
                longest, last[0] = max(longest, now - last[0]), now

        callers = [asyncio.create_task(caller(number)) for number in range(_FEW)]
        await asyncio.sleep(bench.seconds / 4)
        os.kill(pid, signal.SIGKILL)
        while pid in hsm.health().workers or hsm.health().state is not HsmState.READY:  # noqa: ASYNC110 tells nobody
            await asyncio.sleep(0.005)
        await asyncio.sleep(bench.seconds / 4)
        over.set()
        await asyncio.gather(*callers)
    for message, signature in answered.items():
        verify_signature(spki, message, signature)
    return Pair(longest, least)


async def _bare_start(bench: _Bench) -> float:
    """Seconds from starting a process to its being logged in, with nothing of ours but the login."""
    token = bench.token
    settings = {
        "module": str(token.module),
        "label": token.label,
        "serial": token.serial,
        "pin": read_pin(token.pin_file),
        "writable": False,
        "algorithm": Algorithm.ES256.value,
        "key": bench.key.hex(),
    }
    begin = time.monotonic()
    link = await connect(BASELINE, token.softhsm_conf, Latencies())
    try:
        await link.ask(Op.CONFIGURE, json.dumps(settings).encode(), _START_LIMIT)
        return time.monotonic() - begin
    finally:
        await link.close()


# A full token, and a long run -------------------------------------------------------------------------


async def _objects(bench: _Bench, rounds: int) -> Row:
    """The same load on two tokens, one of them with a hundred times as many objects."""
    prefix, found = "hsm-bench-", []
    with tempfile.TemporaryDirectory(prefix=prefix) as one, tempfile.TemporaryDirectory(prefix=prefix) as other:
        small = await _filled(Path(one), _FEW_OBJECTS, bench.seconds)
        full = await _filled(Path(other), _MORE_OBJECTS, bench.seconds)
        async with small.hsm() as few, full.hsm() as many:
            for _ in range(rounds):
                least = await _cost(few, small)
                found.append(Pair(await _cost(many, full), least))
    name = f"HSM signs with {_MORE_OBJECTS} objects in the token"
    return row(name, _UNIT, f"with {_FEW_OBJECTS} objects", 0.95, found)


async def _filled(directory: Path, objects: int, seconds: float) -> _Bench:
    """A token of its own with so many objects, a key pair that signs among them."""
    token = await throw_away_token(directory, _WORKERS)
    async with Hsm(replace(token, workers=1)) as hsm:
        key = (await hsm.generate(Algorithm.ES256, "bench")).id
        await hsm.generate(Algorithm.HS256, "filling")
    await asyncio.to_thread(_fill, directory, objects)
    async with Hsm(replace(token, workers=1)) as hsm:
        found = len(await hsm.inventory()) + 1  # a key pair is two objects and one key
    if found != objects:
        raise AssertionError(f"Expected {objects} objects in the token, got {found}.")
    return _Bench(token, key, seconds)


def _fill(directory: Path, objects: int) -> None:
    """Copy the token's newest object, which SoftHSM keeps in a file of its own, until there are so many."""
    kept = sorted(directory.glob("tokens/*/*.object"), key=lambda path: path.stat().st_mtime_ns)
    kept = [path for path in kept if path.name != "token.object"]
    for _ in range(objects - len(kept)):
        shutil.copy(kept[-1], kept[-1].with_name(f"{uuid.uuid4()}.object"))


async def soak(seconds: float = SOAK) -> list[Row]:
    """Load for so long: everything asked is answered, no worker ends, and memory stays as it was."""
    with tempfile.TemporaryDirectory(prefix="hsm-bench-") as directory:
        token = await throw_away_token(Path(directory), _WORKERS)
        async with Hsm(token) as hsm:
            key = (await hsm.generate(Algorithm.ES256, "bench")).id
        async with _Bench(token, key, seconds).hsm() as hsm:
            await _asked_for(hsm, key, seconds / _SAMPLES)  # memory has its size after that
            done, held = 0, [_resident(hsm)]
            for _ in range(_SAMPLES):
                done += await _asked_for(hsm, key, seconds / _SAMPLES)
                held.append(_resident(hsm))
            health = hsm.health()
    minutes = f"{seconds / 60:g} minutes"
    half = len(held) // 2
    most, before = max(held[half:]) / _KIB, max(held[:half]) / _KIB
    return [
        row(f"HSM {minutes}: memory", "per MiB", "the memory in the first half", _FLAT, [Pair(most, before)]),
        row(
            f"HSM {minutes}: lives of workers",
            "per worker started",
            f"no worker ending in {done} signatures",
            1.0,
            [Pair(len(health.workers) + health.restarts, len(health.workers))],
        ),
    ]


async def _asked_for(hsm: Hsm, key: bytes, seconds: float) -> int:
    """How many signatures so many seconds of load came to; nothing of them is kept."""
    done, end = 0, time.monotonic() + seconds

    async def caller() -> None:
        nonlocal done
        while time.monotonic() < end:
            await hsm.sign(key, _MESSAGE)
            done += 1

    await asyncio.gather(*(caller() for _ in range(_MANY)))
    return done


def _resident(hsm: Hsm) -> float:
    """KiB that this process and the workers hold in memory."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in (*hsm.health().workers, "self"))
    return pages * resource.getpagesize() / _KIB


_ROWS: tuple[tuple[str, str, str, float, Callable[[_Bench], Awaitable[Pair]]], ...] = (
    (f"HSM signs, not verified, {_MANY} callers", _UNIT, _RAW, 0.75, _unverified),
    (f"HSM signs, verified, {_MANY} callers", _UNIT, f"{_RAW} that verify", 0.65, _verified),
    (
        f"HSM signs, not verified, {_MANY} callers, against threads",
        _UNIT,
        f"run_in_executor over {_WORKERS} sessions, with locking",
        2.0,
        _executor,
    ),
    (
        f"HSM signs, p99 at {_FEW} callers",
        "per second waited",
        "p99 of frames that ask for nothing, and one raw signature and verification",
        1 / 3,
        _slowest,
    ),
    (
        f"HSM signs, p99 at {_FEW} callers, against their turns",
        "per second waited",
        f"{_FEW // _WORKERS} raw signatures and verifications: {_FEW} callers share {_WORKERS} workers",
        0.5,
        _turns,
    ),
    (
        "HSM signs, CPU of the asking process",
        "per CPU-second of the asking process",
        "one raw signature",
        1 / 0.15,
        _own_cpu,
    ),
    (
        "HSM signs, verified, CPU of the asking process",
        "per CPU-second of the asking process",
        "one raw signature and verification",
        1 / 0.15,
        _own_cpu_verified,
    ),
    (
        "HSM recovers from SIGKILL, every caller answered",
        "per second",
        "starting a bare worker",
        1 / 3,
        _recovery,
    ),
    (
        f"HSM that answers after {LATENCY * 1000:g} ms, {_SESSIONS} sessions",
        "per second",
        f"{_SESSIONS} / latency",
        0.8,
        _latency_bound,
    ),
)
"""(name, unit, what the limit is, target, one round of measuring)."""
