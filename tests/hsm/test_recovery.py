# ruff: noqa: ASYNC110, ASYNC220, ASYNC240 -- these tests poll states and /proc, which announce nothing
"""Real workers on a real token: killed, stopped, orphaned, and their token taken away."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hsm import Algorithm, Hsm, HsmState, HsmTokenMissing, HsmUnavailable
from hsm.verify import verify_signature

from .conftest import Prepared

pytestmark = pytest.mark.softhsm

CALLERS = 40
EACH = 25


async def test_kill_under_load_loses_no_request(provided: Prepared) -> None:
    """Workers killed again and again under 40 callers: every request is answered once, rightly."""
    key = provided.id(Algorithm.ES256)
    answered: dict[bytes, bytes] = {}

    async def caller(number: int) -> None:
        for n in range(EACH):
            message = b"%d/%d" % (number, n)
            assert message not in answered
            answered[message] = await hsm.sign(key, message)

    async def killer() -> None:
        for _ in range(4):
            await asyncio.sleep(0.1)
            for pid in hsm.health().workers[:1]:
                os.kill(pid, signal.SIGKILL)

    async with Hsm(provided.having(workers=2)) as hsm:
        spki = await hsm.public_key(key)
        await asyncio.gather(killer(), *(caller(number) for number in range(CALLERS)))
        while hsm.health().state is not HsmState.READY:
            await asyncio.sleep(0.02)
        assert hsm.health().restarts >= 1
        assert hsm.health().pending == 0

    assert len(answered) == CALLERS * EACH
    for message, signature in answered.items():
        verify_signature(spki, message, signature)


async def test_signers_give_way_to_who_asks_them(token: Prepared) -> None:
    """A worker that serves is less urgent than this process, and no less than it must be."""
    async with Hsm(token.config) as hsm:
        await hsm.sign(token.id(Algorithm.ES256), b"message")
        (pid,) = hsm.health().workers
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)


async def test_a_stopped_worker_is_killed_and_its_requests_answered(provided: Prepared) -> None:
    """A worker that no longer runs is replaced after `hang_after` seconds of silence."""
    key = provided.id(Algorithm.ES256)
    async with Hsm(provided.having(hang_after=0.4)) as hsm:
        await hsm.sign(key, b"warm")
        (stopped,) = hsm.health().workers
        os.kill(stopped, signal.SIGSTOP)
        signatures = await asyncio.gather(*(hsm.sign(key, b"m%d" % n) for n in range(10)))

        assert len(signatures) == 10
        assert hsm.health().restarts == 1
        assert stopped not in hsm.health().workers
        assert not Path(f"/proc/{stopped}").exists()


async def test_a_token_that_goes_away_and_comes_back(own_token: Prepared) -> None:
    """While the storage is away calls fail with HsmUnavailable or HsmTokenMissing; when it is back they succeed."""
    key = own_token.id(Algorithm.ES256)
    assert own_token.config.softhsm_conf is not None
    tokens = own_token.config.softhsm_conf.parent / "tokens"
    async with Hsm(own_token.config) as hsm:
        await hsm.sign(key, b"before")
        tokens.rename(tokens.with_name("away"))
        with pytest.raises((HsmUnavailable, HsmTokenMissing)):
            await hsm.sign(key, b"while away")
        assert hsm.health().state is HsmState.DOWN

        tokens.with_name("away").rename(tokens)
        while hsm.health().state is not HsmState.READY:
            await asyncio.sleep(0.05)
        assert len(await hsm.sign(key, b"after")) == 64


async def test_a_worker_gone_blind_does_not_call_keys_missing(own_token: Prepared) -> None:
    """A key that was never asked for is not reported missing because the token has gone: it is still there."""
    assert own_token.config.softhsm_conf is not None
    tokens = own_token.config.softhsm_conf.parent / "tokens"
    async with Hsm(own_token.config) as hsm:
        tokens.rename(tokens.with_name("away"))
        with pytest.raises((HsmUnavailable, HsmTokenMissing)):
            await hsm.sign(own_token.id(Algorithm.ES256), b"while away")


async def test_workers_do_not_outlive_a_killed_parent(token: Prepared) -> None:
    """The socket closes with its parent, however that ended, and the worker with it."""
    program = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from hsm import Hsm, TokenConfig

        async def main() -> None:
            module, label, pin_file, conf = sys.argv[1:]
            async with Hsm(TokenConfig(Path(module), label, None, Path(pin_file), Path(conf))) as hsm:
                print(*hsm.health().workers, flush=True)
                await asyncio.sleep(600)

        asyncio.run(main())
        """
    )
    config = token.config
    parent = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, (config.module, config.label, config.pin_file, config.softhsm_conf))],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with parent:
        assert parent.stdout is not None
        worker = int(await asyncio.to_thread(parent.stdout.readline))
        assert _running(worker)
        parent.kill()
    async with asyncio.timeout(20):
        while _running(worker):
            await asyncio.sleep(0.02)


def _running(pid: int) -> bool:
    """Whether the process exists and is no zombie waiting for init to notice."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def test_closing_at_once_leaves_no_worker(provided: Prepared) -> None:
    """A client that is left as soon as it is open has ended its workers."""
    async with Hsm(provided.having(workers=2)) as hsm:
        workers = hsm.health().workers

    assert len(workers) == 2
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]
