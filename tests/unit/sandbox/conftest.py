"""Workers whose jobs go wrong on purpose."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from idverify.sandbox.workers import Workers, open_workers

HERE = Path(__file__).parent


def alive(pid: int) -> bool:
    """Whether there is such a process, and be it one that nobody waits for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def bad_jobs(monkeypatch: pytest.MonkeyPatch) -> str:
    """The table's name, importable here and in the workers."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    monkeypatch.syspath_prepend(str(HERE))
    for name in ("bad_jobs", "without_landlock"):
        sys.modules.pop(name, None)
    return "bad_jobs:JOBS"


@pytest.fixture
async def workers(bad_jobs: str) -> AsyncIterator[Workers]:
    """Two workers to each pool, gone afterwards."""
    async with open_workers(2, bad_jobs) as opened:
        yield opened
        pids = opened.pids
    assert not [pid for pid in pids if alive(pid)]
