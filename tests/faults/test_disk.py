"""The disk refuses writes under load: errors are unknowns, the service stops, and the next start knows the truth."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from idverify.stores.sqlite import SPACE_CHECK_SECONDS
from tests.faults.commands import COULD_NOT_TELL
from tests.faults.load import ISSUERS, PATIENCE, acknowledged, prepared, restarted, rushing
from tests.simulators.service import DETAILS, Api, Deployment, client, start, stop

ROOM = 64 * 1024


async def test_a_disk_that_fails_under_load(deployment: Deployment) -> None:
    """The kernel lets no file grow further: no false 201, exit status 2 with the reason, and repeats succeed later."""
    log = deployment.data / "service.log"
    wal = deployment.location.with_name(deployment.location.name + "-wal")
    process = start(deployment)
    try:
        async with prepared(deployment) as issuers:
            async with rushing(issuers):
                await acknowledged(issuers, ISSUERS)
                limit = max(wal.stat().st_size, log.stat().st_size + ROOM)
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
                assert await asyncio.to_thread(process.wait, PATIENCE) == COULD_NOT_TELL
            reason = log.read_text().splitlines()[-1]
            assert "COMMIT failed" in reason
            assert "then start again" in reason
            assert len(issuers.answers) > 0
            assert len(issuers.unanswered) > 0
            process = await restarted(deployment)
            await issuers.settle(deployment.location)
    finally:
        stop(process)


def may_attach() -> bool:
    """Whether a process may be traced that is no child of the tracer: others than root need leave (Yama)."""
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    return os.geteuid() == 0 or not scope.exists() or scope.read_text().strip() == "0"


@pytest.mark.skipif(shutil.which("strace") is None or not may_attach(), reason="needs strace, and leave to attach it")
async def test_a_flush_that_fails_under_load(deployment: Deployment) -> None:
    """``fdatasync`` of the write-ahead log reports an error: nothing more is promised, and the process ends at once."""
    log = deployment.data / "service.log"
    process = start(deployment)
    try:
        async with prepared(deployment) as issuers:
            async with rushing(issuers):
                await acknowledged(issuers, ISSUERS)
                async with failing_flushes(process.pid, Path(deployment.location)):
                    assert await asyncio.to_thread(process.wait, PATIENCE) == COULD_NOT_TELL
            assert "COMMIT failed: disk I/O error" in log.read_text().splitlines()[-1]
            assert len(issuers.unanswered) > 0
            process = await restarted(deployment)
            await issuers.settle(Path(deployment.location))
    finally:
        stop(process)


@asynccontextmanager
async def failing_flushes(pid: int, database: Path) -> AsyncIterator[None]:
    """From now on a process cannot flush the write-ahead log."""
    wal = database.with_name(f"{database.name}-wal")
    command = ["strace", "-f", "-qq", "-p", str(pid), "-P", str(wal), "-o", "/dev/null", "-e", "trace=fdatasync"]
    tracer = await asyncio.create_subprocess_exec(*command, "-e", "inject=fdatasync:error=EIO")
    try:
        yield
    finally:
        async with asyncio.timeout(PATIENCE):
            await tracer.wait()


NEARLY_FULL = """
import os, pathlib, sys
from idverify.cli import main
room = os.statvfs
def statvfs(path):
    found = list(room(path))
    if pathlib.Path(FLAG).exists():
        found[4] = 0  # f_bavail
    return os.statvfs_result(found)
os.statvfs = statvfs
sys.exit(main())
"""


async def test_a_disk_that_is_nearly_full(deployment: Deployment) -> None:
    """Writes are refused with 503 while there is still room, what is public is served, and with more room all works."""
    flag = deployment.data / "nearly-full"
    process = start(deployment, ("-c", f"FLAG = {str(flag)!r}\n{NEARLY_FULL}"))
    try:
        async with client() as session:
            api = Api(session, deployment)
            await api.ok("POST", "/api/v1/people", "register", {"details": DETAILS})
            flag.touch()
            await asyncio.sleep(SPACE_CHECK_SECONDS)
            status, answer = await api.call("POST", "/api/v1/people", "register", {"details": DETAILS})
            assert (status, answer["type"]) == (503, "/problems/unavailable")
            assert "nearly full" in answer["detail"]
            for public in ("/log/1/checkpoint", "/log/1/tile/entries/000.p/1", "/status/1"):
                assert await api.ok("GET", public)
            assert (await api.call("GET", "/readyz"))[0] == 503
            assert process.poll() is None
            flag.unlink()
            await api.ok("POST", "/api/v1/people", "register", {"details": DETAILS})
    finally:
        flag.unlink(missing_ok=True)
        stop(process)
