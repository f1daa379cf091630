# ruff: noqa: ASYNC240 -- /proc is read without waiting for anything
"""Where the PIN may be read, and what a wrong one costs."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from hsm import Algorithm, Hsm, HsmPinMissing, HsmPinRefused, HsmState, TokenConfig, init_token
from hsm.pins import create_pin, read_pin
from hsm.softhsm import render

from .conftest import Prepared

CANARY = "pin-canary-48151623"


def _seen_in_proc(pid: int) -> bytes:
    """What other processes can read of this one: its arguments and its environment."""
    seen = b""
    for name in ("cmdline", "environ"):
        try:
            seen += Path(f"/proc/{pid}/{name}").read_bytes()
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue  # gone, or hidden from us by PR_SET_DUMPABLE: not seen is what we want
    return seen


async def _watch(seen: dict[int, bytes], stop: asyncio.Event) -> None:
    """Read, as often as possible, everything our child processes show."""
    while not stop.is_set():
        for children in Path("/proc/self/task").glob("*/children"):
            for pid in map(int, children.read_text().split()):
                seen[pid] += _seen_in_proc(pid)
        await asyncio.sleep(0.001)


@pytest.mark.softhsm
async def test_pins_are_in_no_argument_and_no_environment(module: Path, tmp_path: Path) -> None:
    """Neither making a token nor serving it shows a PIN to whoever reads /proc."""
    conf = render(tmp_path)
    pin_file = tmp_path / "pin"
    pin_file.touch(mode=0o600)
    pin_file.write_text(CANARY)
    seen: dict[int, bytes] = defaultdict(bytes)
    stop = asyncio.Event()
    watcher = asyncio.create_task(_watch(seen, stop))
    await init_token(module, "canary", CANARY + "-so", CANARY, conf)
    async with Hsm(TokenConfig(module, "canary", None, pin_file, conf)) as hsm:
        await hsm.random(8)
        (worker,) = hsm.health().workers
        limits = [line for line in Path(f"/proc/{worker}/limits").read_text().splitlines() if "core file" in line]
        status = Path(f"/proc/{worker}/status").read_text()
    stop.set()
    await watcher

    assert any(b"hsm.initialise" in text for text in seen.values())
    assert any(b"hsm.worker" in text for text in seen.values())
    assert not [text for text in seen.values() if CANARY.encode() in text]
    assert len(limits) == 1
    assert limits[0].split()[4:6] == ["0", "0"]
    ignored = int(next(line for line in status.splitlines() if line.startswith("SigIgn")).split()[1], 16)
    assert ignored & 1 << signal.SIGINT - 1
    assert ignored & 1 << signal.SIGTERM - 1


WEB = """
import asyncio, logging, os, resource, signal, sys
from pathlib import Path
from hsm import Hsm, HsmError, HsmState, TokenConfig, init_token

async def main():
    module, label, pin_file, conf = sys.argv[1:]
    await init_token(Path(module), "new", Path("so-pin").absolute(), Path("pin").absolute(), Path(conf))
    token = TokenConfig(Path(module), label, None, Path(pin_file), Path(conf), workers=2)
    async with Hsm(token) as hsm:
        for _ in range(2):
            for pid in hsm.health().workers:
                os.kill(pid, signal.SIGABRT)  # which leaves a core where one may be left
            await asyncio.sleep(0.1)
            while hsm.health().state is not HsmState.READY:
                await asyncio.sleep(0.02)
            await hsm.random(8)
        try:
            await hsm.sign(b"no such key", b"message")
        except HsmError:
            logging.exception("failed")
        print("serves", *hsm.health().workers, flush=True)
        await asyncio.sleep(600)

resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
logging.basicConfig(level=logging.DEBUG, filename="log")
asyncio.run(main(), debug=True)
"""


def _memory(pid: int) -> Iterator[bytes]:
    """All that a process has mapped and that can be read: what its core would hold."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_ = line.split()
            if "r" not in rights or line.endswith(("[vvar]", "[vsyscall]")):
                continue
            begin, end = (int(address, 16) for address in place.split("-"))
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except OSError:
                continue  # a guard page, or a mapping that has gone since


@pytest.mark.softhsm
def test_the_web_process_never_knows_a_pin(module: Path, tmp_path: Path) -> None:
    """It made a token, started workers, replaced them: no PIN in memory, environment, arguments, log or a core."""
    conf = render(tmp_path)
    pin_file = create_pin(tmp_path / "pin")
    pin_file.write_text(CANARY)
    asyncio.run(init_token(module, "canary", CANARY + "-so", CANARY, conf))
    command = [sys.executable, "-c", WEB, *map(str, (module, "canary", pin_file, conf))]
    away = tmp_path / "away"
    away.mkdir()
    with (away / "errors").open("wb") as errors:
        web = subprocess.Popen(
            command,
            cwd=away,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    with web:
        assert web.stdout is not None
        said = web.stdout.readline().split()
        assert said[:1] == [b"serves"], (away / "errors").read_text()
        regions = list(_memory(web.pid))
        seen = _seen_in_proc(web.pid)
        workers = b"".join(_seen_in_proc(int(pid)) for pid in said[1:])
        web.send_signal(signal.SIGABRT)

    drawn = [(away / name).read_bytes().strip() for name in ("so-pin", "pin")]
    assert [len(pin) for pin in drawn] == [32, 32]
    assert not [region for region in regions for pin in drawn if pin in region]
    canary = CANARY.encode()
    assert sum(map(len, regions)) > 2**20
    assert any(str(pin_file).encode() in region for region in regions), "the path is known, so memory is really read"
    assert not [region for region in regions if canary in region]
    assert canary not in seen
    assert canary not in workers
    assert b"Traceback" in (away / "log").read_bytes()
    assert not [left.name for left in away.iterdir() if canary in left.read_bytes()]


def _shown_by_a_traceback(error: BaseException) -> str:
    """The local variables that a verbose log of this error would show."""
    shown, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals["__name__"].startswith("hsm."):
            shown += repr(trace.tb_frame.f_locals)
        trace = trace.tb_next
    return shown


@pytest.mark.softhsm
async def test_a_wrong_pin_is_terminal(own_token: Prepared, tmp_path: Path) -> None:
    """SoftHSM refuses the PIN: one clear error; the next good login reports that somebody tried."""
    wrong = create_pin(tmp_path / "wrong-pin")
    with pytest.raises(HsmPinRefused, match="not tried again") as caught:
        async with Hsm(own_token.having(pin_file=wrong, workers=3)):
            pytest.fail("opened with a wrong PIN")
    assert read_pin(wrong) not in str(caught.value)
    assert read_pin(wrong) not in _shown_by_a_traceback(caught.value)

    async with Hsm(own_token.config) as hsm:
        assert hsm.health().pin_count_low
        assert len(await hsm.sign(own_token.id(Algorithm.ES256), b"message")) == 64
    async with Hsm(own_token.config) as hsm:
        assert (hsm.health().pin_count_low, hsm.health().state) == (False, HsmState.READY)


async def test_a_wrong_pin_is_terminal_without_a_security_officer_too(nss_token: Prepared, tmp_path: Path) -> None:
    """NSS counts no tries and locks nothing: it is asked once all the same."""
    wrong = create_pin(tmp_path / "wrong-pin")
    with pytest.raises(HsmPinRefused, match="not tried again"):
        async with Hsm(nss_token.having(pin_file=wrong, workers=2)):
            pytest.fail("opened with a wrong PIN")


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o606])
def test_a_pin_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """The cure is in the message."""
    path = create_pin(tmp_path / "pin")
    path.chmod(mode)
    with pytest.raises(HsmPinMissing, match="chmod 600"):
        read_pin(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 256, b"\xff\xfe"])
def test_a_pin_file_without_a_pin_is_refused(tmp_path: Path, content: bytes) -> None:
    """Nothing, too much, and bytes that are no text are told apart from a wrong PIN before the token sees them."""
    path = create_pin(tmp_path / "pin")
    path.write_bytes(content)
    with pytest.raises(HsmPinMissing, match="Expected a PIN"):
        read_pin(path)


def test_a_missing_pin_file_is_refused(tmp_path: Path) -> None:
    """The message says how to make one."""
    with pytest.raises(HsmPinMissing, match="mode 0600"):
        read_pin(tmp_path / "nowhere")


def test_pin_files_are_private_random_and_kept(tmp_path: Path) -> None:
    """A new PIN file has mode 0600 and a PIN of its own; an existing one is left alone."""
    first, second = create_pin(tmp_path / "a" / "pin"), create_pin(tmp_path / "b" / "pin")
    pin = read_pin(first)

    assert first.stat().st_mode & 0o777 == 0o600
    assert len(pin) == 32
    assert pin != read_pin(second)
    assert read_pin(create_pin(first)) == pin
