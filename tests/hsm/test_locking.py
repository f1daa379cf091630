# ruff: noqa: ASYNC240 -- one of these tests reads /proc
"""Threads and modules: the stock loader crashes with two, and nobody can start two in a module that is ours.

Every test here runs a process of its own: what it shows is how processes end.
"""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hsm import Algorithm, Hsm
from hsm.pins import read_pin

from .conftest import Prepared

pytestmark = pytest.mark.softhsm

_TRIES = 5  # 10 of 10 crashed when it was measured; one that survives by luck proves nothing
_LIMIT, _HANGS = 60.0, 12.0  # seconds; the program works for two


_SIGN_IN_THREADS = """
    import sys, threading, time
    from pkcs11 import Attribute, Mechanism, ObjectClass

    def sign_in_threads(library, label, pin, threads):
        token = library.get_token(token_label=label)
        anchor = token.open(user_pin=pin)
        until = time.monotonic() + 2
        signed, failed = [], []

        def work():
            try:
                session = token.open()
                key = next(iter(list(session.get_objects(
                    {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: "ES256"}))))
                while time.monotonic() < until:
                    signed.append(len(key.sign(bytes(32), mechanism=Mechanism.ECDSA)))
            except Exception as error:
                failed.append(error)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        assert signed and not failed, failed
        assert set(signed) == {64}
"""


def run(token: Prepared, program: str, limit: float = _LIMIT) -> subprocess.CompletedProcess[str]:
    """Run a program that is told module, label and PIN in `sys.argv`."""
    config = token.config
    return subprocess.run(
        [
            *(sys.executable, "-c", textwrap.dedent(_SIGN_IN_THREADS) + textwrap.dedent(program)),
            *(str(config.module), config.label, read_pin(config.pin_file)),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "SOFTHSM2_CONF": str(config.softhsm_conf)},
        capture_output=True,
        text=True,
        check=False,
        timeout=limit,
    )


def test_two_threads_on_the_stock_loader_crash(token: Prepared) -> None:
    """Each with a session of its own, as python-pkcs11 advises: the process dies, its signatures fail, or it hangs."""
    program = """
        import pkcs11
        module, label, pin = sys.argv[1:]
        sign_in_threads(pkcs11.lib(module), label, pin, threads=2)
    """

    assert any(_breaks(token, program) for _ in range(_TRIES))


def _breaks(token: Prepared, program: str) -> bool:
    try:
        return run(token, program, _HANGS).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def test_the_same_program_lives_with_locking(token: Prepared) -> None:
    """Initialised by us for four threads, four threads sign: SoftHSM keeps its word about locking."""
    done = run(
        token,
        """
        from hsm.locking import load
        module, label, pin = sys.argv[1:]
        loaded = load(module, threads=4)
        assert loaded.locking
        sign_in_threads(loaded.library, label, pin, threads=4)
        """,
    )

    assert done.returncode == 0, done.stderr


def test_nobody_starts_a_second_thread_in_a_module_for_one(token: Prepared) -> None:
    """Not by `Thread`, not by an executor, not by `_thread`: the assertion is raised and the program goes on."""
    done = run(
        token,
        """
        import _thread
        from concurrent.futures import ThreadPoolExecutor
        from hsm.locking import load
        module, label, pin = sys.argv[1:]
        library = load(module).library
        ways = (
            lambda: sign_in_threads(library, label, pin, threads=2),
            lambda: ThreadPoolExecutor().submit(print),
            lambda: _thread.start_new_thread(print, ()),
        )
        for way in ways:
            try:
                way()
            except AssertionError as error:
                assert "one thread" in str(error)
            else:
                sys.exit(3)
        print(len(list(library.get_slots())))
        """,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 1


def test_a_module_for_one_is_not_loaded_beside_threads(token: Prepared) -> None:
    """A process that has a second thread already is refused before the module hears C_Initialize(NULL)."""
    done = run(
        token,
        """
        from hsm.locking import load
        over = threading.Event()
        other = threading.Thread(target=over.wait)
        other.start()
        try:
            load(sys.argv[1])
        except AssertionError as error:
            print(error)
        over.set()
        """,
    )

    assert done.stdout.startswith("Expected one thread in a process that loads a module for one, got 2.")


def test_a_module_that_cannot_lock_is_loaded_for_one(token: Prepared) -> None:
    """CKR_CANT_LOCK: the module is initialised once more, for one thread, and a second is impossible."""
    done = run(
        token,
        """
        from hsm.locking import LockingLib, load
        initialise, asked = LockingLib._initialize, []

        def unable(self, flags):
            asked.append(flags)
            return 0x0A if flags else initialise(self, flags)

        LockingLib._initialize = unable
        loaded = load(sys.argv[1], threads=4)
        try:
            threading.Thread(target=print).start()
        except AssertionError:
            print(asked, loaded.locking, len(list(loaded.library.get_slots())) > 0)
        """,
    )

    assert done.stdout == "[2, 0] False True\n", done.stderr


def test_arguments_reach_the_module(token: Prepared) -> None:
    """What is given as `arguments` stands in pReserved, which SoftHSM refuses as the standard says it may."""
    done = run(
        token,
        """
        from hsm.ckr import Fault
        from hsm.locking import load
        try:
            load(sys.argv[1], arguments="configdir='sql:/nowhere'")
        except Fault as fault:
            print(fault.sentence)
        """,
    )

    assert "CKR 0x7" in done.stdout, done.stderr


async def test_a_worker_of_several_sessions_signs_with_them(token: Prepared) -> None:
    """Three threads in one worker: every request is answered, every signature holds, and health says three."""
    key = token.id(Algorithm.ES256)
    async with Hsm(token.having(sessions=3)) as hsm:
        assert hsm.health().sessions == 3
        signatures = await asyncio.gather(*(hsm.sign(key, b"%d" % n) for n in range(200)))
        (pid,) = hsm.health().workers
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))

    assert len(set(signatures)) == 200
    assert threads == 1 + 3


async def test_a_module_that_fails_the_test_of_its_locking_gets_one_thread(
    token: Prepared, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It gives a wrong answer to threads that meet: the worker serves with one session, and health says so."""
    _program(
        monkeypatch,
        tmp_path,
        """
        from hsm import lanes, worker
        lanes._digests = lambda session, data: False
        worker.run(worker.serve)
        """,
    )
    async with Hsm(token.having(sessions=3)) as hsm:
        assert hsm.health().sessions == 1
        assert len(await hsm.sign(token.id(Algorithm.ES256), b"message")) == 64


async def test_a_module_that_crashes_in_the_test_of_its_locking_gets_one_thread(
    token: Prepared, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The worker dies of it; the next one is started for one thread and serves."""
    _program(
        monkeypatch,
        tmp_path,
        """
        import os, signal
        from hsm import lanes, worker
        lanes._digests = lambda session, data: os.kill(os.getpid(), signal.SIGSEGV)
        worker.run(worker.serve)
        """,
    )
    async with Hsm(token.having(sessions=3)) as hsm:
        assert hsm.health().sessions == 1
        assert len(await hsm.sign(token.id(Algorithm.ES256), b"message")) == 64


def _program(monkeypatch: pytest.MonkeyPatch, directory: Path, program: str) -> None:
    """Have this program run as the signer process."""
    (directory / "altered_worker.py").write_text(textwrap.dedent(program))
    monkeypatch.setenv("PYTHONPATH", str(directory))
    monkeypatch.setattr("hsm.supervisor.WORKER", "altered_worker")
