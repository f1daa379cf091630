"""System calls fail, one at a time, by strace: the process stops, and the next one finds no fork and nothing lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.faults.log_driver import STOPPED, Job
from tests.faults.log_processes import PATIENCE, Forks, Kept
from tests.simulators.service import ROOT
from tests.unit.stores.conftest import sqlite
from tests.unit.stores.rows import with_entry

WAL, DATABASE, GUARD, FOLDER = "idverify.sqlite-wal", "idverify.sqlite", "last-checkpoint.new", "not-in-backups"


@dataclass(frozen=True)
class Fault:
    """From its ``call``-th time on file ``name`` on, a system call of the process fails with an error."""

    syscall: str
    error: str
    name: str
    call: int
    stops: bool = True
    """Whether the process must stop: moving what is durable already may fail, and is tried again."""


FAULTS = [
    Fault("fdatasync", "EIO", WAL, 2),
    Fault("fdatasync", "EIO", WAL, 9),
    Fault("fdatasync", "ENOSPC", WAL, 5),
    Fault("pwrite64", "EIO", WAL, 4),
    Fault("pwrite64", "ENOSPC", WAL, 30),
    Fault("pwrite64", "EDQUOT", WAL, 77),
    Fault("fsync", "EIO", GUARD, 2),
    Fault("write", "ENOSPC", GUARD, 2),
    Fault("rename", "EIO", GUARD, 3),
    Fault("fsync", "EIO", FOLDER, 3),
    Fault("fdatasync", "EIO", DATABASE, 1, stops=False),
    Fault("pwrite64", "EIO", DATABASE, 1, stops=False),
]

if shutil.which("strace") is None:
    pytest.skip("needs strace", allow_module_level=True)


@pytest.fixture
async def kept(tmp_path: Path) -> Kept:
    """A log of one entry, and nothing signed."""
    async with (await sqlite(tmp_path)).open() as store:
        await store.commit(with_entry(0))
    return Kept(tmp_path)


def trace(fault: Fault, folder: Path) -> list[str]:
    """The command that makes a process's system calls fail."""
    where = folder / FOLDER / fault.name if fault.name == GUARD else folder / fault.name
    inject = f"{fault.syscall}:error={fault.error}:when={fault.call}+"
    quiet = ["-f", "-qq", "--seccomp-bpf", "-e", "signal=none", "-o", str(folder / "trace")]
    return ["strace", *quiet, "-P", str(where), "-e", f"trace={fault.syscall}", "-e", f"inject={inject}"]


def run(job: Job, *under: str) -> int:
    """The exit status of a process under another command."""
    command = [*under, sys.executable, "-m", "tests.faults.log_driver", json.dumps(asdict(job))]
    return subprocess.run(command, cwd=ROOT, timeout=PATIENCE, check=False).returncode


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: f"{one.syscall} {one.error} {one.name} {one.call}")
async def test_a_system_call_that_fails(kept: Kept, forks: Forks, fault: Fault) -> None:
    """Exit status 2 and the reason; then all that was acknowledged is there, once, and the log goes on from it."""
    job = kept.job(appends=150, cycles=100)
    status = run(job, *trace(fault, kept.folder))
    kept.learn(job)
    assert "(INJECTED)" in (kept.folder / "trace").read_text()
    assert status == (STOPPED if fault.stops else 0)
    assert len(kept.facts.stopped) == fault.stops

    again = kept.job(first=kept.next_key(), appends=3, cycles=2)
    assert forks.wait(forks.begin(again)) == 0
    kept.learn(again)
    await kept.require_whole()
