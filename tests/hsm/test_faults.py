# ruff: noqa: ASYNC110 -- these tests poll states and /proc, which announce nothing
"""What can happen to a real token under a running service: each has its error, its cure, and a way back.

The `Hsm` of each test is opened once: nothing of the process that would serve people is restarted.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hsm import (
    Algorithm,
    BreakerState,
    Hsm,
    HsmAmbiguous,
    HsmKeyMissing,
    HsmPinMissing,
    HsmPinRefused,
    HsmPolicy,
    HsmState,
    HsmTimeout,
    HsmTokenMissing,
    HsmUnavailable,
    TokenConfig,
    init_token,
)
from hsm.config import PROBE_LABEL
from hsm.pins import create_pin, read_pin
from hsm.softhsm import render
from hsm.supervisor import Supervisor

from .conftest import LABEL, Prepared

pytestmark = pytest.mark.softhsm

PATIENCE = 30.0
AWAY = (HsmUnavailable, HsmTokenMissing)
TOKEN_FLAGS = bytes.fromhex("000000000000042d")  # of SoftHSM's token.object: a token with a PIN that works
LOCKED, FINAL_TRY, COUNT_LOW = 0x40000, 0x20000, 0x10000  # CKF_USER_PIN_*, PKCS#11 v2.40 section 3.2


@pytest.fixture
async def probed(own_token: Prepared) -> Prepared:
    """A token of the test's own with a probe key, which signs twice a second when nobody asks for anything."""
    async with Hsm(own_token.having(writable=True)) as hsm:
        await hsm.generate(Algorithm.ES256, PROBE_LABEL)
    return Prepared(own_token.having(probe_every=0.5), own_token.keys)


def storage(token: TokenConfig) -> Path:
    """The directory in which SoftHSM keeps this token."""
    assert token.softhsm_conf is not None
    return token.softhsm_conf.parent / "tokens"


def hands(token: TokenConfig, *arguments: str) -> None:
    """Run `token_hands`."""
    program = Path(__file__).with_name("token_hands.py")
    command = [sys.executable, program, token.module, token.label, token.pin_file, *arguments]
    subprocess.run([*map(str, command)], env={**os.environ, "SOFTHSM2_CONF": str(token.softhsm_conf)}, check=True)


async def until(hsm: Hsm, *states: HsmState) -> None:
    """Wait until the token is in one of these states."""
    async with asyncio.timeout(PATIENCE):
        while hsm.health().state not in states:
            await asyncio.sleep(0.02)


def kill_workers(hsm: Hsm) -> None:
    """End every signer process."""
    for pid in hsm.health().workers:
        os.kill(pid, signal.SIGKILL)


@contextmanager
def away(token: TokenConfig) -> Iterator[None]:
    """The token's directory is somewhere else for a while."""
    here = storage(token)
    there = here.rename(here.with_name("away"))
    yield
    there.rename(here)


@asynccontextmanager
async def serving(token: TokenConfig, key: bytes) -> AsyncIterator[Hsm]:
    """An Hsm that signed before and signs after whatever happens inside, without having been opened again."""
    async with Hsm(token) as hsm:
        assert len(await hsm.sign(key, b"before")) == 64
        yield hsm
        await until(hsm, HsmState.READY)
        assert len(await hsm.sign(key, b"after")) == 64
        assert (hsm.health().reason, hsm.health().refused) == (None, False)


# The token goes and comes back ----------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_token_directory_is_removed_and_put_back(probed: Prepared, workers: int) -> None:
    """Typed errors at once while it is away; the breaker opens; when it is back the probe key signs before anybody."""
    key = probed.id(Algorithm.ES256)
    async with serving(probed.having(workers=workers), key) as hsm:
        with away(probed.config):
            with pytest.raises(AWAY) as caught:
                await asyncio.gather(*(hsm.sign(key, b"while away") for _ in range(4)))
            assert re.search(r"[Cc]heck|Run|Correct", str(caught.value))
            await until(hsm, HsmState.DOWN)
            begin = time.monotonic()
            with pytest.raises(AWAY):
                await hsm.sign(key, b"nobody waits for a token that is down")
            assert time.monotonic() - begin < 1
            assert hsm.health().breaker in {BreakerState.OPEN, BreakerState.HALF_OPEN}
            assert hsm.health().reason
            out = hsm.health().since_probe
        await until(hsm, HsmState.READY)
        assert out is not None
        assert (hsm.health().since_probe or 0.0) < out + PATIENCE
        assert hsm.health().breaker is BreakerState.CLOSED


async def test_a_token_that_goes_while_idle_is_noticed(probed: Prepared) -> None:
    """Nobody asks for anything, yet the state says that the token is away, and that it is back."""
    key = probed.id(Algorithm.ES256)
    async with serving(probed.having(probe_every=0.1), key) as hsm:
        with away(probed.config):
            await until(hsm, HsmState.DOWN)


async def test_a_token_that_comes_back_without_its_probe_key_does_not_serve(probed: Prepared) -> None:
    """A login is no proof: the breaker stays open until the objects are back too."""
    key = probed.id(Algorithm.ES256)
    whole = storage(probed.config).with_name("whole")
    shutil.copytree(storage(probed.config), whole)
    async with serving(probed.config, key) as hsm:
        probe = hsm.health().probe_key
        assert probe is not None
        hands(probed.config, "destroy", probe.hex())
        kill_workers(hsm)
        await until(hsm, HsmState.DOWN)
        with pytest.raises(HsmUnavailable, match=rf"probe key {probe.hex()}.*Bring its objects back"):
            await hsm.sign(key, b"the token is there, and logs in")

        shutil.rmtree(storage(probed.config))
        whole.rename(storage(probed.config))


async def test_a_probe_key_that_is_named_is_the_one(probed: Prepared) -> None:
    """By its id, whatever its label; one that is not there is said to be missing."""
    key = probed.id(Algorithm.EDDSA)
    async with Hsm(probed.having(probe_key=key)) as hsm:
        assert hsm.health().probe_key == key
        assert hsm.health().since_probe is not None
    with pytest.raises(HsmKeyMissing, match="inventory"):
        async with Hsm(probed.having(probe_key=bytes(8))):
            pytest.fail("opened")


async def test_logins_are_one_at_a_time(probed: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start and when every worker has to be replaced at once."""
    at_once: list[int] = []
    inside = 0
    configure = Supervisor._configure

    async def counted(supervisor: Supervisor, link: object) -> None:
        nonlocal inside
        inside += 1
        at_once.append(inside)
        try:
            await configure(supervisor, link)  # type: ignore[arg-type]
        finally:
            inside -= 1

    monkeypatch.setattr(Supervisor, "_configure", counted)
    async with serving(probed.having(workers=4), probed.id(Algorithm.ES256)) as hsm:
        kill_workers(hsm)
        await asyncio.sleep(0.1)
        await until(hsm, HsmState.READY)

    assert len(at_once) >= 8
    assert set(at_once) == {1}


async def test_programs_that_open_one_token_together(probed: Prepared) -> None:
    """Each staggers its own logins, and repeats a start that met another's."""

    async def program() -> bytes:
        async with Hsm(probed.having(workers=2)) as hsm:
            return await hsm.sign(probed.id(Algorithm.ES256), b"message")

    assert [len(signature) for signature in await asyncio.gather(*(program() for _ in range(3)))] == [64] * 3


def p11_kit() -> tuple[str, Path]:
    """Its command and the module of its client, or a skip."""
    command = shutil.which("p11-kit")
    if command is None:
        pytest.skip("needs p11-kit (Debian: apt install p11-kit p11-kit-modules)")
    client = next(Path(command).parent.parent.glob("lib*/**/pkcs11/p11-kit-client.so"), None)
    if client is None:
        pytest.skip("needs p11-kit's client module (Debian: apt install p11-kit-modules)")
    return command, client


@contextmanager
def p11_kit_server(command: str, token: TokenConfig, socket: Path) -> Iterator[None]:
    """`p11-kit server` over the token; unplugged, with all that it has started, on the way out."""
    server = subprocess.Popen(
        [command, "server", "-f", "--provider", token.module, "-n", socket, f"pkcs11:token={token.label}"],
        env={**os.environ, "SOFTHSM2_CONF": str(token.softhsm_conf)},
        stdout=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not socket.exists():
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        socket.unlink(missing_ok=True)


async def test_the_module_is_unplugged(probed: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other end of the module is killed, as when a network HSM is switched off, and later is there again."""
    command, client = p11_kit()
    socket = tmp_path / "p11"
    monkeypatch.setenv("P11_KIT_SERVER_ADDRESS", f"unix:path={socket}")
    key = probed.id(Algorithm.ES256)
    async with asyncio.timeout(4 * PATIENCE):
        with p11_kit_server(command, probed.config, socket):
            hsm = Hsm(probed.having(module=client, softhsm_conf=None, workers=2))
            await hsm.__aenter__()
            assert len(await hsm.sign(key, b"before")) == 64
        try:
            with pytest.raises(AWAY, match=r"DeviceError|signer process|token"):
                await asyncio.gather(*(hsm.sign(key, b"unplugged") for _ in range(4)))
            await until(hsm, HsmState.DOWN)
            with p11_kit_server(command, probed.config, socket):
                await until(hsm, HsmState.READY)
                assert len(await hsm.sign(key, b"after")) == 64
                assert hsm.health().breaker is BreakerState.CLOSED
        finally:
            await hsm.__aexit__(None, None, None)


# PINs -----------------------------------------------------------------------------------------------------


def notes(token: TokenConfig) -> list[Path]:
    """What is noted of refusals beside this PIN file."""
    return list(token.pin_file.parent.glob(f"{token.pin_file.name}.*.refused"))


@pytest.fixture
def right_pin(probed: Prepared) -> str:
    """The PIN that the token takes."""
    return read_pin(probed.config.pin_file)


@pytest.fixture
def pin_file(probed: Prepared, tmp_path: Path, right_pin: str) -> TokenConfig:
    """The token with a PIN file of the test's own."""
    path = tmp_path / "secret" / "pin"
    create_pin(path)
    path.write_text(right_pin)
    return probed.having(pin_file=path)


async def opened(token: TokenConfig) -> None:
    """Open it and close it again."""
    async with Hsm(token):
        pass


async def counts_a_wrong_pin(token: TokenConfig) -> bool:
    """Whether the token remembers a wrong PIN; asking with the right one makes it forget."""
    async with Hsm(token) as hsm:
        return hsm.health().pin_count_low


async def test_a_wrong_pin_is_tried_once_by_all_workers_of_all_starts(
    probed: Prepared, pin_file: TokenConfig, right_pin: str
) -> None:
    """However many workers, and however often a service manager starts the service again with the same PIN.

    Nor does the same PIN in a file written anew count as another; another PIN is tried, and clears the note.
    """
    pin_file.pin_file.write_text("wrong-1234")
    with pytest.raises(HsmPinRefused, match=r"PinIncorrect.*Correct the PIN file") as caught:
        await opened(replace(pin_file, workers=4))
    assert "wrong-1234" not in str(caught.value)
    assert await counts_a_wrong_pin(probed.config)
    (note,) = notes(pin_file)
    assert "wrong-1234" not in note.read_text()
    assert note.stat().st_mode & 0o777 == 0o600

    for _ in range(3):
        pin_file.pin_file.write_text("wrong-1234\n")
        with pytest.raises(HsmPinRefused, match=f"not tried again.*delete {re.escape(str(note))}"):
            await opened(replace(pin_file, workers=4))
    assert not await counts_a_wrong_pin(probed.config)

    pin_file.pin_file.write_text(right_pin)
    await opened(pin_file)
    assert notes(pin_file) == []


async def test_a_note_that_is_deleted_lets_the_pin_be_tried_again(probed: Prepared, pin_file: TokenConfig) -> None:
    """The way out where the token was changed to fit the file."""
    pin_file.pin_file.write_text("wrong-1234")
    with pytest.raises(HsmPinRefused):
        await opened(pin_file)
    notes(pin_file)[0].unlink()
    assert await counts_a_wrong_pin(probed.config)
    with pytest.raises(HsmPinRefused, match="PinIncorrect"):
        await opened(pin_file)

    assert await counts_a_wrong_pin(probed.config)


async def test_a_refusal_that_cannot_be_noted_is_said(pin_file: TokenConfig, tmp_path: Path) -> None:
    """Credentials may lie where no file can be made: the operator must know that a restart would try again."""
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong-1234")
    wrong.chmod(0o600)
    with wrong.open("rb") as file:
        wrong.unlink()
        with pytest.raises(HsmPinRefused, match="could not be noted"):
            await opened(replace(pin_file, pin_file=Path(f"/dev/fd/{file.fileno()}")))


async def test_a_pin_comes_from_an_open_file(pin_file: TokenConfig, right_pin: str, tmp_path: Path) -> None:
    """One without a name, read anew at every start of a worker."""
    path = create_pin(tmp_path / "passing")
    path.write_text(right_pin)
    with path.open("rb") as file:
        path.unlink()
        async with Hsm(replace(pin_file, pin_file=Path(f"/dev/fd/{file.fileno()}"))) as hsm:
            kill_workers(hsm)
            assert len(await hsm.random(8)) == 8


async def test_a_pin_refused_under_a_running_service_is_corrected(
    probed: Prepared, pin_file: TokenConfig, right_pin: str
) -> None:
    """One attempt; callers are told; the operator corrects the file, and the service goes on by itself."""
    key = probed.id(Algorithm.ES256)
    async with serving(replace(pin_file, workers=2), key) as hsm:
        pin_file.pin_file.write_text("wrong-1234")
        kill_workers(hsm)
        await until(hsm, HsmState.REFUSED)
        with pytest.raises(HsmPinRefused, match="Correct the PIN file"):
            await hsm.sign(key, b"refused")
        assert await counts_a_wrong_pin(probed.config)
        await asyncio.sleep(1.2)
        assert not await counts_a_wrong_pin(probed.config)
        assert (hsm.health().state, hsm.health().refused) == (HsmState.REFUSED, True)

        pin_file.pin_file.write_text(right_pin)


async def test_a_refused_pin_leaves_the_workers_that_serve(
    probed: Prepared, pin_file: TokenConfig, right_pin: str
) -> None:
    """One of two is lost and cannot log in again: the other serves on, and health says that somebody must act."""
    key = probed.id(Algorithm.ES256)
    async with serving(replace(pin_file, workers=2), key) as hsm:
        pin_file.pin_file.write_text("wrong-1234")
        os.kill(hsm.health().workers[0], signal.SIGKILL)
        async with asyncio.timeout(PATIENCE):
            while not hsm.health().refused:
                await asyncio.sleep(0.02)
        assert hsm.health().state is HsmState.DEGRADED
        assert "Correct the PIN file" in (hsm.health().reason or "")
        assert len(await hsm.sign(key, b"served on")) == 64
        pin_file.pin_file.write_text(right_pin)


async def test_a_pin_file_that_goes_and_comes_back(probed: Prepared, pin_file: TokenConfig) -> None:
    """No attempt was made, so nobody has to say that another may be."""
    key = probed.id(Algorithm.ES256)
    async with serving(pin_file, key) as hsm:
        gone = pin_file.pin_file.rename(pin_file.pin_file.with_name("elsewhere"))
        kill_workers(hsm)
        await until(hsm, HsmState.DOWN)
        with pytest.raises(HsmPinMissing, match="Create it, mode 0600"):
            await hsm.sign(key, b"no PIN file")
        gone.rename(pin_file.pin_file)


@contextmanager
def flagged(token: TokenConfig, flag: int) -> Iterator[None]:
    """The token reports this flag, as one does whose PIN was tried too often; then it is reset."""
    (description,) = storage(token).glob("*/token.object")
    before = description.read_bytes()
    assert before.count(TOKEN_FLAGS) == 1
    flags = int.from_bytes(TOKEN_FLAGS) | flag
    description.write_bytes(before.replace(TOKEN_FLAGS, flags.to_bytes(8)))
    yield
    after = description.read_bytes()
    assert after.count(flags.to_bytes(8)) == 1, "somebody tried a PIN"
    description.write_bytes(after.replace(flags.to_bytes(8), TOKEN_FLAGS))


@pytest.mark.parametrize(("flag", "says"), [(LOCKED, "locked"), (FINAL_TRY, "one wrong PIN from being locked")])
async def test_a_locked_pin_is_not_tried(pin_file: TokenConfig, flag: int, says: str) -> None:
    """Nor the right one: the token says so before anybody logs in. A person resets it, then it is open again."""
    with flagged(pin_file, flag), pytest.raises(HsmPinRefused, match=rf"user PIN is {says}.*not tried.*vendor's tool"):
        await opened(replace(pin_file, workers=3))
    assert notes(pin_file) == []
    await opened(pin_file)


async def test_a_pin_locked_under_a_running_service_is_reset(
    probed: Prepared, pin_file: TokenConfig, right_pin: str
) -> None:
    """The state says so until the token is reset and the PIN file written anew."""
    key = probed.id(Algorithm.ES256)
    async with serving(pin_file, key) as hsm:
        with flagged(pin_file, LOCKED):
            kill_workers(hsm)
            await until(hsm, HsmState.REFUSED)
            with pytest.raises(HsmPinRefused, match="locked"):
                await hsm.sign(key, b"locked")
        assert hsm.health().state is HsmState.REFUSED
        pin_file.pin_file.write_text(right_pin + "\n")


async def test_an_attempt_that_nobody_saw_the_end_of_is_not_repeated_once_the_token_counts(
    probed: Prepared, pin_file: TokenConfig, right_pin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module died in the login, and the token remembers a wrong PIN: it may have been ours."""
    key = probed.id(Algorithm.ES256)
    configure = Supervisor._configure
    async with serving(pin_file, key) as hsm:
        cut_off = 0

        async def killed(supervisor: Supervisor, link: object) -> None:
            nonlocal cut_off
            if not cut_off:
                cut_off += 1
                os.kill(link.pid, signal.SIGKILL)  # type: ignore[attr-defined]
            await configure(supervisor, link)  # type: ignore[arg-type]

        monkeypatch.setattr(Supervisor, "_configure", killed)
        with flagged(pin_file, COUNT_LOW):
            kill_workers(hsm)
            await until(hsm, HsmState.REFUSED)
            with pytest.raises(HsmPinRefused, match="remembered as wrong"):
                await hsm.sign(key, b"uncertain")
        pin_file.pin_file.write_text(right_pin + "\n")


# Keys, labels, mechanisms ---------------------------------------------------------------------------------


async def test_a_missing_key(probed: Prepared) -> None:
    """Also one that was there a moment ago and whose handle is held; the others sign on."""
    key, gone = probed.id(Algorithm.ES256), probed.id(Algorithm.EDDSA)
    async with serving(probed.config, key) as hsm:
        with pytest.raises(HsmKeyMissing, match="python -m hsm inventory"):
            await hsm.sign(bytes(8), b"never was")
        await hsm.sign(gone, b"still there")
        hands(probed.config, "destroy", gone.hex())
        with pytest.raises(HsmKeyMissing, match=gone.hex()):
            await hsm.sign(gone, b"destroyed")
        hands(probed.config, "make", gone.hex(), "made anew")
        assert len(await hsm.sign(gone, b"there again")) == 64


async def test_two_keys_of_one_id(probed: Prepared) -> None:
    """Which is meant is not guessed; when one is left it signs."""
    key, twin = probed.id(Algorithm.ES256), "00" * 7 + "01"
    async with serving(probed.config, key) as hsm:
        hands(probed.config, "make", twin, "one")
        hands(probed.config, "make", twin, "twin")
        with pytest.raises(HsmAmbiguous, match=rf"one PRIVATE_KEY {twin}, got 2. Remove the others"):
            await hsm.sign(bytes.fromhex(twin), b"which?")
        hands(probed.config, "destroy", twin, "twin")
        assert len(await hsm.sign(bytes.fromhex(twin), b"the one that is left")) == 64


async def test_two_probe_keys(probed: Prepared) -> None:
    """The label is taken twice: say which, or remove one."""
    other = "00" * 7 + "02"
    hands(probed.config, "make", other, PROBE_LABEL)
    with pytest.raises(HsmAmbiguous, match=rf"labelled 'probe', got .*{other}.*Remove the others, or name one"):
        await opened(probed.config)
    async with Hsm(probed.having(probe_key=bytes.fromhex(other))) as hsm:
        assert hsm.health().probe_key == bytes.fromhex(other)

    async with serving(probed.having(probe_key=bytes.fromhex(other)), probed.id(Algorithm.ES256)) as hsm:
        kill_workers(hsm)


async def test_two_probe_keys_under_a_running_service(probed: Prepared) -> None:
    """A worker that is replaced meanwhile waits until one of them is gone."""
    key, other = probed.id(Algorithm.ES256), "00" * 7 + "03"
    async with serving(probed.config, key) as hsm:
        hands(probed.config, "make", other, PROBE_LABEL)
        kill_workers(hsm)
        await until(hsm, HsmState.DOWN)
        with pytest.raises(HsmUnavailable, match=f"{other}.*Remove the others"):
            await hsm.sign(key, b"which probe?")
        hands(probed.config, "destroy", other)


async def test_two_tokens_of_one_label(module: Path, tmp_path: Path) -> None:
    """The message gives both serials; with one of them the token opens."""
    conf = render(tmp_path)
    pin_file = create_pin(tmp_path / "pin")
    pin = read_pin(pin_file)
    first = await init_token(module, LABEL, pin, pin, conf)
    (one,) = (tmp_path / "tokens").iterdir()
    shutil.move(one, tmp_path / "aside")
    second = await init_token(module, LABEL, pin, pin, conf)
    shutil.move(tmp_path / "aside", one)
    token = TokenConfig(module, LABEL, None, pin_file, conf)
    with pytest.raises(HsmAmbiguous, match="Give the serial") as caught:
        await opened(token)

    assert first in str(caught.value)
    assert second in str(caught.value)
    await opened(replace(token, serial=second))


async def test_an_unsupported_mechanism(probed: Prepared) -> None:
    """The caller's fault: the worker is well and other keys sign; a key that may, under the same id, signs at once."""
    key, hindered = probed.id(Algorithm.ES256), "00" * 7 + "04"
    async with serving(probed.config, key) as hsm:
        hands(probed.config, "hinder", hindered, "hindered")
        with pytest.raises(HsmPolicy, match=r"MechanismInvalid.*Check that the token offers this mechanism"):
            await hsm.sign(bytes.fromhex(hindered), b"not with this one")
        assert hsm.health().restarts == 0
        hands(probed.config, "destroy", hindered)
        hands(probed.config, "make", hindered, "free")
        assert len(await hsm.sign(bytes.fromhex(hindered), b"with this one")) == 64


# Time -----------------------------------------------------------------------------------------------------

JUMPING = """
import itertools, time
_jumps = itertools.cycle((0, 10 * 365 * 86400, -10 * 365 * 86400, 3600))
_now = time.time
time.time = lambda: _now() + next(_jumps)
time.time_ns = lambda: int(time.time() * 1e9)
"""


async def test_a_wall_clock_that_jumps_changes_nothing(
    probed: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten years ahead and back between any two looks, here and in the workers: signatures, deadlines, hangs as ever."""
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(JUMPING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "clock"))
    jump = iter(range(10**6))
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + (-1) ** next(jump) * 3.2e8)
    key = probed.id(Algorithm.ES256)
    async with serving(probed.having(hang_after=0.6, workers=2, probe_every=0.1), key) as hsm:
        assert len(await asyncio.gather(*(hsm.sign(key, b"m%d" % n) for n in range(200)))) == 200
        await asyncio.sleep(0.3)
        assert (hsm.health().restarts, hsm.health().state) == (0, HsmState.READY)
        for pid in hsm.health().workers:
            os.kill(pid, signal.SIGSTOP)
        begin = time.monotonic()
        with pytest.raises(HsmTimeout):
            await hsm.sign(key, b"no answer", timeout=0.2)
        assert 0.15 < time.monotonic() - begin < 0.5
        assert len(await hsm.sign(key, b"by the next")) == 64
        assert time.monotonic() - begin < 10
        assert 0 <= (hsm.health().since_probe or 0.0) < PATIENCE
