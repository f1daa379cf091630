"""The witness as an organisation runs it: made in one command, started in another, killed without warning."""

from __future__ import annotations

import asyncio
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from aiohttp import ClientConnectionError, ClientSession

from idverify.ledger.note import open_note, parse_vkey, vkey
from idverify.ledger.witness_protocol import AddCheckpoint
from idverify.stores.witness import FILE_NAME, SqliteWitnessStore
from tests.faults.commands import COULD_NOT_TELL, USAGE, refused, run
from tests.simulators.service import ROOT
from tests.simulators.signed_log import ORIGIN, SignedLog

LOG = SignedLog()
LOG_KEY = vkey(LOG.verifier)
ROUNDS = 12


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A witness that was made and never ran."""
    assert run("witness", "init", "--dir", tmp_path / "w", "--name", "witness.example/w1").returncode == 0
    return tmp_path / "w"


@contextmanager
def served(directory: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, object]]]:
    """The witness in a process of its own, and what it said when it was ready."""
    command = [sys.executable, "-m", "idverify.cli", "witness", "serve", "--dir", str(directory)]
    arguments = ["--port", "0", "--log", LOG_KEY, "--json"]
    with subprocess.Popen(
        [*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            said = b""
            while not said.endswith(b"}\n"):
                line = process.stdout.readline()
                assert line, "it ended before it was ready"
                said += line
            yield process, orjson.loads(said)
        finally:
            if process.poll() is None:
                process.kill()


async def post(session: ClientSession, address: object, old: int, size: int) -> tuple[int, bytes]:
    body = AddCheckpoint(old, tuple(LOG.proof(old, size)), LOG.note(size)).encode()
    async with session.post(f"{address}/add-checkpoint", data=body) as answer:
        return answer.status, await answer.read()


async def test_from_nothing_to_a_cosignature(directory: Path) -> None:
    """Made, started, asked, stopped by a signal; what it has seen is listed, and its keys verify what it signed."""
    with served(directory) as (process, ready):
        assert ready["logs"] == [ORIGIN]
        assert isinstance(ready["vkeys"], list)
        async with ClientSession() as session:
            status, lines = await post(session, ready["address"], 0, 5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    opened = open_note(LOG.note(5) + lines, [LOG.verifier, *map(parse_vkey, ready["vkeys"])])
    (listed,) = orjson.loads(run("witness", "list", "--dir", directory, "--json").stdout)

    assert status == 200
    assert len(opened.verified) == 3
    assert (listed["origin"], listed["size"]) == (ORIGIN, 5)
    assert listed["checkpoint"].encode() == LOG.note(5) + lines
    assert f"{ORIGIN}  5  " in run("witness", "list", "--dir", directory).stdout


async def test_killed_in_the_middle_it_forgets_nothing(directory: Path) -> None:
    """Whatever it cosigned before kill -9 is what it goes on from: no larger size was ever acknowledged."""
    acknowledged = 0
    for number in range(ROUNDS):
        with served(directory) as (process, ready):
            loop = asyncio.get_running_loop()
            async with ClientSession() as session:
                try:
                    status, said = await post(session, ready["address"], acknowledged, acknowledged)
                    if status == 409:  # cosigned, and the answer was lost with the process
                        assert int(said) > acknowledged
                        acknowledged = int(said)
                    before = acknowledged
                    while True:
                        status, _ = await post(session, ready["address"], acknowledged, acknowledged + 1)
                        assert status == 200
                        acknowledged += 1
                        if acknowledged == before + 1:  # however slow the machine is, each round gets this far
                            loop.call_later(0.017 * (number % 5), process.kill)
                except ClientConnectionError:
                    assert process.wait(10) == -signal.SIGKILL
        async with SqliteWitnessStore(directory / FILE_NAME) as store:
            latest = await store.latest(ORIGIN)
        assert (0 if latest is None else latest.size) in {acknowledged, acknowledged + 1}

    assert acknowledged >= ROUNDS


async def test_a_disk_that_fails_ends_it(directory: Path) -> None:
    """No file may grow further: nothing is cosigned that is not kept, exit status 2, and the next start goes on."""
    acknowledged = 0
    with served(directory) as (process, ready):
        async with ClientSession() as session:
            assert (await post(session, ready["address"], 0, 1))[0] == 200
            room = (directory / f"{FILE_NAME}-wal").stat().st_size + 20_000
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (room, room))
            status = 200
            while status == 200:
                acknowledged += 1
                status, said = await post(session, ready["address"], acknowledged, acknowledged + 1)
        assert (status, "\u2014".encode() in said) == (503, False)
        assert await asyncio.to_thread(process.wait, 10) == COULD_NOT_TELL
    with served(directory) as (_, ready):
        async with ClientSession() as session:
            status, said = await post(session, ready["address"], acknowledged, acknowledged + 1)
            assert status == 200 or (status, said) == (409, b"%d\n" % (acknowledged + 1))


def test_keys_are_for_their_owner_alone(directory: Path) -> None:
    """Mode 0600 in a folder of mode 0700; a key that others can read is not used, and none is ever replaced."""
    key = directory / "ed25519.key"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (directory, *directory.glob("*.key"))}
    assert modes == {"w": 0o700, "ed25519.key": 0o600, "mldsa44.key": 0o600}
    kept = key.read_bytes()
    refused(run("witness", "init", "--dir", directory, "--name", "witness.example/w2"), "already")
    assert key.read_bytes() == kept

    key.chmod(0o640)
    refused(run("witness", "serve", "--dir", directory, "--log", LOG_KEY), "open to others", "chmod 600")
    key.chmod(0o600)
    (directory / "mldsa44.key").replace(key)
    refused(run("witness", "serve", "--dir", directory, "--log", LOG_KEY), "another type")


def test_what_a_witness_cannot_run_with(tmp_path: Path, directory: Path) -> None:
    """One sentence each: keys or memory that are missing or damaged, a log's key that is none, a name with a space."""
    serve = ("witness", "serve", "--port", "0", "--log", LOG_KEY, "--dir")
    refused(run(*serve, tmp_path / "nowhere"), "witness init")
    refused(run("witness", "list", "--dir", tmp_path), "new keys")
    refused(run(*serve, directory, "--log", LOG_KEY), "each key once")
    refused(run("witness", "serve", "--dir", directory, "--log", "log.example"), "--log: vkey", status=USAGE)
    refused(run("witness", "init", "--dir", tmp_path / "x", "--name", "a name"), "no space", status=COULD_NOT_TELL)
    (directory / "witness.sqlite").unlink()
    refused(run(*serve, directory), "make a new one with new keys")
    (directory / "ed25519.key").write_text("PRIVATE+KEY+secret")
    done = run(*serve, directory)
    refused(done, "private key: expected")
    assert "secret" not in done.stderr


async def test_logs_can_be_named_in_a_file(tmp_path: Path, directory: Path) -> None:
    """@FILE with one key a line, since ML-DSA keys are long."""
    logs = tmp_path / "logs"
    logs.write_text(f"# the log\n{LOG_KEY}\n\n{vkey(LOG.post_quantum.verifier)}\n{LOG_KEY}\n")

    refused(run("witness", "serve", "--dir", directory, "--log", f"@{logs}"), "each key once")
