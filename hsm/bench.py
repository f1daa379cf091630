"""How close the signing path comes to what its primitives cost, as ratios measured in one run.

CPU is counted in every process, ours and the workers', so the figure does not depend on how many cores are free.
"""

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from hsm.client import Hsm
from hsm.config import TokenConfig
from hsm.frames import Op
from hsm.health import Latencies
from hsm.keys import Algorithm
from hsm.link import connect
from hsm.pins import create_pin, read_pin
from hsm.process import BASELINE
from hsm.rows import Pair, Row, row
from hsm.softhsm import find_module, render
from hsm.tokens import init_token

_LABEL = "bench"
_MESSAGE = bytes(128)
_BASELINE_LIMIT = 60.0  # seconds
_TICKS = os.sysconf("SC_CLK_TCK")

_UNIT = "per CPU-second of all processes"
_LIMIT_IS = "one raw PKCS#11 signature on a held handle and one raw verification, in plain processes"

TARGETS = {Algorithm.ES256: 0.6, Algorithm.EDDSA: 0.6}
"""The share of the primitives' speed that each signing path must keep."""


async def measure(*, seconds: float = 2.0, workers: int = 2, callers: int = 128, rounds: int = 3) -> list[Row]:
    """Measure every signing algorithm on a SoftHSM token of its own, made for the purpose and thrown away.

    `seconds` of load per algorithm, in so many rounds.
    """
    with tempfile.TemporaryDirectory(prefix="hsm-bench-") as directory:
        token = await throw_away_token(Path(directory), workers)
        rows = []
        async with Hsm(token) as hsm:
            for algorithm, target in TARGETS.items():
                key = (await hsm.generate(algorithm, algorithm.value)).id
                pairs = [await _pair(hsm, token, (algorithm, key), seconds / rounds, callers) for _ in range(rounds)]
                signs = "HSM signs" if algorithm is Algorithm.ES256 else f"HSM signs {algorithm}"
                name = f"{signs}, verified, {workers} workers, {callers} callers"
                rows.append(row(name, _UNIT, _LIMIT_IS, target, pairs))
        return rows


async def _pair(hsm: Hsm, token: TokenConfig, key: tuple[Algorithm, bytes], seconds: float, callers: int) -> Pair:
    before = await raw_cpu(token, *key, seconds / 4)
    ours = await _our_cpu(hsm, key[1], seconds, callers)
    after = await raw_cpu(token, *key, seconds / 4)
    return Pair(ours, (before + after) / 2)


async def raw_cpu(token: TokenConfig, algorithm: Algorithm, key: bytes, seconds: float) -> float:
    """CPU seconds of the algorithm's raw calls with nothing of ours around them.

    They are a signature and its verification for the signing algorithms, an unwrapping for A256KWP.

    As many processes run at once as there are workers: cores that share caches or are threads of one core slow
    each other down, which is no fault of ours.
    """
    asked = {"algorithm": algorithm.value, "key": key.hex(), "seconds": seconds}
    costs = [json.loads(answer) for answer in await run_programs(BASELINE, token, token.workers, asked)]
    return sum(sum(map(float, each)) for each in costs) / len(costs)


async def run_programs(program: str, token: TokenConfig, processes: int, asked: dict[str, Any]) -> list[bytes]:
    """Let so many processes of a measuring program log in, then work at once; what each of them measured."""
    settings = {
        "module": str(token.module),
        "label": token.label,
        "serial": token.serial,
        "pin": read_pin(token.pin_file),
        "writable": False,
        "module_arguments": token.module_arguments,
        **asked,
    }
    links = [await connect(program, token.softhsm_conf, Latencies()) for _ in range(processes)]
    try:
        for link in links:  # one login at a time: SoftHSM fails some of those that meet
            await link.ask(Op.CONFIGURE, json.dumps(settings).encode(), _BASELINE_LIMIT)
        return await asyncio.gather(*(link.ask(Op.SIGN, b"", _BASELINE_LIMIT) for link in links))
    finally:
        for link in links:
            await link.close()


async def throw_away_token(directory: Path, workers: int) -> TokenConfig:
    """A new SoftHSM token in a directory that the caller removes."""
    module, configuration = find_module(), render(directory)
    so_pin_file, pin_file = create_pin(directory / "so-pin"), create_pin(directory / "pin")
    await init_token(module, _LABEL, read_pin(so_pin_file), read_pin(pin_file), configuration)
    return TokenConfig(module, _LABEL, None, pin_file, configuration, workers=workers, writable=True)


async def _our_cpu(hsm: Hsm, key: bytes, seconds: float, callers: int) -> float:
    """CPU seconds per signature of this process and the workers together, under load."""
    await hsm.probe(key)
    done = 0
    end = time.monotonic() + seconds

    async def caller() -> None:
        nonlocal done
        while time.monotonic() < end:
            await hsm.sign(key, _MESSAGE)
            done += 1

    begin = cpu_used(hsm)
    await asyncio.gather(*(caller() for _ in range(callers)))
    return (cpu_used(hsm) - begin) / done


def cpu_used(hsm: Hsm) -> float:
    """CPU seconds used so far, here and in every worker (proc(5): utime and stime of /proc/PID/stat)."""
    ticks = 0
    for pid in hsm.health().workers:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / _TICKS
