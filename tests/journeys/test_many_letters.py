"""Five hundred letters: service and workers are no larger at the end than when they had found their size.

The figures are in the report that ``--junit-xml`` writes.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from hsm import HsmModuleMissing
from hsm.softhsm import find_module
from tests.simulators.printed_letters import photo
from tests.simulators.service import DETAILS, PERMISSION, VCT, Api, client, deploy, serving

PEOPLE, BATCHES = 100, 5
EARLY, LATE = (100, 200), (400, 500)  # letters made when a sample was taken
MIB = 1024 * 1024
NOISE = 16 * MIB
LOOK_SECONDS = 0.5
WORKER, MAKING = b"idverify.sandbox.worker", b"making"


@dataclass(frozen=True)
class Sample:
    """Resident bytes when so many letters were made: of the service, and of the largest worker that makes them."""

    made: int
    service: int
    worker: int


def resident(pid: int) -> int:
    """Bytes of memory that a process holds (proc(5), ``statm``)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def workers(service: int) -> list[int]:
    """The workers of the pool ``making``."""
    children = Path(f"/proc/{service}/task/{service}/children").read_text().split()
    others = [task for task in Path(f"/proc/{service}/task").iterdir() if task.name != str(service)]
    for task in others:  # a worker belongs to the thread that started it
        children += (task / "children").read_text().split()
    words = {int(child): Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0") for child in children}
    return [pid for pid, said in words.items() if WORKER in said and MAKING in said]


def sample(service: int, made: int) -> Sample:
    """One look."""
    return Sample(made, resident(service), max(map(resident, workers(service)), default=0))


def typical(samples: Iterable[Sample], window: tuple[int, int], what: str) -> float:
    """The middle one of a window."""
    least, most = window
    return median(getattr(one, what) for one in samples if least <= one.made <= most)


async def person(api: Api) -> str:
    """Somebody with a status and a photo."""
    picture = "data:image/jpeg;base64," + base64.b64encode(photo()).decode()
    made = await api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS | {"picture": picture}})
    granted = {"kind": "grant", "reason": "application-granted", "legal_basis": "Rules", "permission": PERMISSION}
    await api.ok("POST", f"/api/v1/people/{made['person']}/decisions", "officer", granted)
    return str(made["person"])


@pytest.mark.long
async def test_500_letters_without_growth(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """The last hundred of five hundred need no more memory than the second hundred, in the service and in workers."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    deployment = await deploy(tmp_path / "data")
    with serving(deployment) as service:
        async with client() as session:
            api = Api(session, deployment)
            people = [await person(api) for _ in range(PEOPLE)]
            samples, started = list[Sample](), time.monotonic()
            for batch in range(BATCHES):
                wanted = {"people": people, "choices": {"type": VCT}}
                ordered = await api.ok("POST", "/api/v1/letter-batches", "officer", wanted)
                while ordered["made"] < PEOPLE:
                    await asyncio.sleep(LOOK_SECONDS)
                    ordered = await api.ok("GET", f"/api/v1/letter-batches/{ordered['batch']}", "officer")
                    assert ordered["failed"] == 0
                    samples.append(sample(service.pid, batch * PEOPLE + ordered["made"]))
            record_property("letters a second", round(PEOPLE * BATCHES / (time.monotonic() - started), 2))

    for what in ("service", "worker"):
        early, late = typical(samples, EARLY, what), typical(samples, LATE, what)
        record_property(what, f"{early / MIB:.1f} MiB, then {late / MIB:.1f} MiB")
        assert late <= early + NOISE, what
