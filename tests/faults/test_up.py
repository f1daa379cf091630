"""`idverify up` from the first run to the next: what was made stays, and it stops when told to, workers and all."""

from __future__ import annotations

import hashlib
import os
import random
import secrets
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

from idverify.stores.open import open_log
from idverify.stores.sqlite import connect
from tests.faults.commands import PATIENCE, USAGE, refused, run, session
from tests.simulators.service import ROOT, free_port
from tests.simulators.tls import make_certificate

INTERRUPTED = 130
INTERRUPTIONS = 3
MADE_BY_A_DEMO = ("person", "account", "api_key", "enrolment")
NO_DEMO = ("--no-demo", "--name", "Office of Arcadia", "--country", "AR")


@pytest.fixture(scope="module")
def port() -> int:
    """The port of this file's deployment."""
    return free_port()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `up` sets up."""
    return tmp_path_factory.mktemp("up") / "data"


def begin(
    data: Path, port: int, *options: object, environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.Popen[str]:
    """`up`, started."""
    command = [sys.executable, "-m", "idverify.cli", "up", "--data", data, "--port", port, *options]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    pipes["env"] = {**os.environ, **environment}
    return subprocess.Popen([str(part) for part in command], cwd=ROOT, start_new_session=True, **pipes)


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a process that was told to stop: its exit status and what it said."""
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return process.returncode, output, errors


@contextmanager
def up(data: Path, port: int, *options: object, stop: signal.Signals = signal.SIGTERM) -> Iterator[str]:
    """`up`, serving, and what it said; stopped by a signal, obeyed with status 0, leaving nothing behind."""
    process = begin(data, port, *options)
    assert process.stdout is not None
    said = ""
    while said.splitlines()[-1:] != ["Stop with Ctrl-C."]:
        line = process.stdout.readline()
        if not line:
            pytest.fail(end(process)[2])
        said += line
    try:
        assert any("hsm.worker" in command for command in session(process.pid))
        yield said
    finally:
        os.killpg(process.pid, stop)
        status, output, errors = end(process)
    assert (status, output, errors) == (0, "Stopped.\n", "")
    assert session(process.pid) == []


@dataclass(frozen=True)
class Kept:
    """What must be the same after every start."""

    root: str
    keys: list[tuple[str, bytes]]
    people: list[bytes]
    api_keys: dict[str, str]
    entries: list[bytes]


def kept(data: Path) -> Kept:
    """What a data directory holds."""
    database = data / "idverify.sqlite"
    with closing(connect(database, read_only=True)) as connection:
        keys = connection.execute("SELECT role, key_id, certificate FROM signing_key ORDER BY role").fetchall()
        people = connection.execute("SELECT handle FROM person ORDER BY id").fetchall()
    root = next(row["certificate"] for row in keys if row["role"].startswith("root"))
    with closing(open_log(database)) as source:
        entries = [entry for _, _, bundle in source.bundles() for entry in bundle]
    return Kept(
        root=hashlib.sha256(root).hexdigest(),
        keys=[(row["role"], row["key_id"]) for row in keys],
        people=[row["handle"] for row in people],
        api_keys={path.name: path.read_text() for path in sorted((data / "demo").glob("*.key"))},
        entries=entries,
    )


def create_officers_key(data: Path) -> str:
    """An API key for an officers' system, as the operator makes one."""
    made = run("apikey", "create", "--actor", "Case System", "--role", "officer", "--data", data)
    return made.stdout.strip()


def demo_people(data: Path) -> list[str]:
    """References of the synthetic people, as `up` wrote them down."""
    return (data / "demo" / "people.txt").read_text().split()


def test_interrupted_at_any_moment_it_is_simply_run_again(data: Path, port: int) -> None:
    """Ctrl-C again and again during the first set-up: no traceback, nothing left running, and at last it serves."""
    seed = secrets.randbits(32)
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)  # noqa: S311 repeatable on purpose
    for _ in range(INTERRUPTIONS):
        process = begin(data, port)
        assert process.stdout is not None
        process.stdout.readline()  # the plan: from here on it sets up
        time.sleep(chance.uniform(0, 2))
        os.killpg(process.pid, signal.SIGINT)
        status, _, errors = end(process)
        assert status in {0, INTERRUPTED}
        assert errors == ""
        assert session(process.pid) == []
    with up(data, port):
        assert len(demo_people(data)) == 3


async def test_a_second_up_keeps_everything(data: Path, port: int) -> None:
    """The same root, keys and people, also after Ctrl-C; the ledger only grows; API keys work; the audit is clean."""
    before, reference = kept(data), demo_people(data)[0]
    key = create_officers_key(data)
    with up(data, port, stop=signal.SIGINT):
        async with ClientSession(f"http://localhost:{port}", headers={"Authorization": f"Bearer {key}"}) as client:
            async with client.get("/pki/root.cer") as answer:
                assert hashlib.sha256(await answer.read()).hexdigest() == before.root
            async with client.get(f"/api/v1/people/{reference}") as answer:
                assert (await answer.json())["details"]["family_name"] == "SPECIMEN"
    after = kept(data)

    assert (after.root, after.keys) == (before.root, before.keys)
    assert (after.people, after.api_keys) == (before.people, before.api_keys)
    assert after.entries[: len(before.entries)] == before.entries
    audit = run("ledger", "fsck", "--data", data, "--json")
    assert audit.returncode == 0
    assert orjson.loads(audit.stdout)["size"] == len(after.entries)


async def test_serving_with_tls(tmp_path: Path) -> None:
    """A certificate and its key: the service answers over TLS to whoever trusts it, and to nobody in plain text."""
    certificate, key, port = tmp_path / "certificate.pem", tmp_path / "key.pem", free_port()
    make_certificate(certificate, key)
    url = f"https://localhost:{port}"
    options = ("--public-url", url, "--tls-certificate", certificate, "--tls-key", key)
    with up(tmp_path / "data", port, *options):
        trusting = ssl.create_default_context(cafile=certificate)
        async with ClientSession() as client:
            async with client.get(f"{url}/readyz", ssl=trusting) as answer:
                assert answer.status == 200
            async with client.get(f"{url}/status/1", ssl=trusting) as answer:
                assert answer.status == 200
            with pytest.raises(OSError, match="certificate verify failed"):
                await client.get(f"{url}/readyz")


def set_demo(data: Path, value: str) -> None:
    """Edit the settings."""
    settings = data / "idverify.toml"
    text, other = settings.read_text(), {"true": "false", "false": "true"}[value]
    assert f"demo = {other}" in text
    settings.write_text(text.replace(f"demo = {other}", f"demo = {value}"))


@pytest.fixture(scope="module")
def no_demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A deployment that was set up as none: its data, its port, and what was said of it."""
    data, port = tmp_path_factory.mktemp("no-demo") / "data", free_port()
    with up(data, port, *NO_DEMO) as said:
        return data, port, said


def test_without_a_demo(no_demo: tuple[Path, int, str]) -> None:
    """Nobody and no API key is made up, the authority is named, and what comes next is the runbook's next step."""
    data, port, first = no_demo
    database = data / "idverify.sqlite"
    with closing(connect(database, read_only=True)) as connection:
        (ours,) = connection.execute("SELECT name, country, demo FROM deployment").fetchall()
        made = [connection.execute(f"SELECT * FROM {name}").fetchall() for name in MADE_BY_A_DEMO]  # noqa: S608  ours
    with up(data, port) as second:
        pass

    assert (ours["name"], ours["country"], ours["demo"]) == ("Office of Arcadia", "AR", 0)
    assert made == [[]] * len(MADE_BY_A_DEMO)
    assert not (data / "demo").exists()
    assert "synthetic" not in first + second
    assert "DEMO" not in first + second
    assert "/enrol/" not in first + second
    for said in (first, second):
        assert said.index("authenticators allow") < said.index("enrol --role admin")


def test_no_demo_stays_none(no_demo: tuple[Path, int, str]) -> None:
    """Settings, environment or command line: none of them makes a demo of it, nor one of a demo's something else."""
    data, _, _ = no_demo
    sentence = ("set up as no demo", "another --data DIR")
    refused(run("up", "--data", data, "--demo"), *sentence)
    refused(run("up", "--data", data, "--name", "Office of Utopia"), "Office of Arcadia (AR) for good")
    set_demo(data, "true")
    try:
        refused(run("serve", "--data", data), *sentence)
        refused(run("up", "--data", data), *sentence)
    finally:
        set_demo(data, "false")


def test_a_demo_stays_one(data: Path, port: int) -> None:
    """Its people, its API keys and security keys of any make would stay in use."""
    sentence = ("set up as a demo", "up --no-demo", "another --data DIR")
    refused(run("up", "--data", data, *NO_DEMO), *sentence)
    status, _, errors = end(begin(data, port, environment={"IDVERIFY_SERVICE__DEMO": "false"}))
    assert (status, "set up as a demo" in errors) == (2, True)
    set_demo(data, "false")
    try:
        refused(run("serve", "--data", data), *sentence)
        refused(run("up", "--data", data), *sentence)
    finally:
        set_demo(data, "true")


def test_the_environment_is_heard_at_the_first_run(tmp_path: Path) -> None:
    """Before anything is made: whoever wants no demo says whose deployment it is."""
    data = tmp_path / "data"
    for process in (
        begin(data, free_port(), environment={"IDVERIFY_SERVICE__DEMO": "false"}),
        begin(data, free_port(), "--no-demo", "--name", "Office of Arcadia"),
        begin(data, free_port(), "--no-demo", "--country", "AR"),
        begin(data, free_port(), *NO_DEMO[:-1], "Arcadia"),
        begin(data, free_port(), "--name", " "),
    ):
        status, _, errors = end(process)
        assert (status, len(errors.splitlines())) == (USAGE, 1), errors
    assert not data.exists()


def test_serving_a_demo_says_so(data: Path) -> None:
    """As loudly as `up`."""
    command = [sys.executable, "-m", "idverify.cli", "serve", "--data", str(data)]
    process = subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(2)]
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=PATIENCE)

    assert said[0].startswith("Serving ")
    assert said[1].startswith("DEMO: ")
