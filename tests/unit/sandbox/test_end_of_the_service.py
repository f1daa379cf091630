"""However the service ends, its workers end with it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import idverify

from .conftest import HERE, alive


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_workers_end_with_the_service(how: signal.Signals) -> None:
    """Told to stop, or killed without a chance to say anything, while its workers are busy: none is left."""
    root = Path(idverify.__file__).parents[1]
    environment = {"PYTHONPATH": f"{root}:{HERE}"}
    with subprocess.Popen(
        [sys.executable, str(HERE / "service.py"), "bad_jobs:JOBS"], stdout=subprocess.PIPE, text=True, env=environment
    ) as service:
        assert service.stdout is not None
        pids = [int(pid) for pid in service.stdout.readline().split()]
        started = [pid for pid in pids if alive(pid)]
        service.send_signal(how)
        code = service.wait(10)
        left = time.monotonic() + 5
        while any(map(alive, pids)) and time.monotonic() < left:
            time.sleep(0.02)

    assert len(started) == 2
    assert code == (0 if how is signal.SIGTERM else -how)
    assert not [pid for pid in pids if alive(pid)]


def test_ctrl_c_is_for_the_service(bad_jobs: str) -> None:
    """A worker ignores the signals that reach whole groups: the service ends it when it has finished."""
    program = (
        "import asyncio, os, signal, sys\n"
        "from idverify.sandbox.workers import open_workers\n"
        "async def main():\n"
        "    async with open_workers(1, sys.argv[1]) as workers:\n"
        "        pid = await workers.do('reading pid', {})\n"
        "        for one in (signal.SIGINT, signal.SIGTERM): os.kill(pid, one)\n"
        "        assert await workers.do('reading pid', {}) == pid\n"
        "asyncio.run(main())\n"
    )
    root = Path(idverify.__file__).parents[1]
    environment = {"PYTHONPATH": f"{root}:{HERE}"}
    done = subprocess.run([sys.executable, "-c", program, bad_jobs], env=environment, check=False)

    assert done.returncode == 0
