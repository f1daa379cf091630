"""What an operator can get wrong: one sentence with the cure, the right exit status, and nothing left running."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from hsm import Hsm
from idverify.app.tokens import token_config
from idverify.config import load
from tests.simulators.service import ROOT, Deployment, free_port, serving

COULD_NOT_TELL, USAGE = 2, 64
PATIENCE = 30.0


def run(*arguments: object, user: str | None = None) -> subprocess.CompletedProcess[str]:
    """One command in a session of its own, which it must leave empty."""
    command = [sys.executable, "-B", "-m", "idverify.cli", *map(str, arguments)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        user=user,
    ) as process:
        try:
            output, errors = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert session(process.pid) == []
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def session(leader: int) -> list[str]:
    """The command lines of every process in a session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[3]) == leader:
                found.append((entry / "cmdline").read_text())
        except OSError:  # it ended while we looked
            continue
    return found


def refused(done: subprocess.CompletedProcess[str], *said: str, status: int = COULD_NOT_TELL) -> None:
    """The command said this in one line on standard error, and nothing else there."""
    assert done.returncode == status, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for words in said:
        assert words in done.stderr


@contextmanager
def altered(path: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """A file with other content, put back on the way out."""
    before = path.read_bytes()
    path.write_bytes(change(before))
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def missing(path: Path) -> Iterator[None]:
    """A file or directory that is not there, put back on the way out."""
    aside = path.with_name(path.name + ".aside")
    path.rename(aside)
    try:
        yield
    finally:
        if path.is_file():
            path.unlink()
        aside.rename(path)


def setting(name: str, value: str) -> Callable[[bytes], bytes]:
    """The settings file with the first setting of this name changed."""
    return lambda text: re.sub(rb"(?m)^%s = .*" % name.encode(), f"{name} = {value}".encode(), text, count=1)


async def test_a_wrong_pin_is_tried_once(deployment: Deployment) -> None:
    """The command ends at once, naming token and cure; the token counts a failure and is not locked."""
    online = load(deployment.data).online
    with altered(online.pin_file, lambda _: b"not-the-pin"):
        refused(run("serve", "--data", deployment.data), "idverify-online", "PIN", "not tried again")

    async with Hsm(token_config(online)) as hsm:
        assert hsm.health().pin_count_low
    async with Hsm(token_config(online)) as hsm:
        assert not hsm.health().pin_count_low


def test_a_missing_pin_file(deployment: Deployment) -> None:
    """The path, and what to put there."""
    pin_file = load(deployment.data).online.pin_file
    with missing(pin_file):
        refused(run("serve", "--data", deployment.data), str(pin_file), "Create it, mode 0600")


def test_a_pin_file_that_others_can_read(deployment: Deployment) -> None:
    """The mode is named, and the command that cures it."""
    pin_file = load(deployment.data).online.pin_file
    pin_file.chmod(0o644)
    try:
        refused(run("serve", "--data", deployment.data), str(pin_file), "0644", "chmod 600")
    finally:
        pin_file.chmod(0o600)


def test_a_missing_module(deployment: Deployment) -> None:
    """The path, and what to install."""
    with altered(deployment.data / "idverify.toml", setting("module", '"no/such/module.so"')):
        refused(run("serve", "--data", deployment.data), "no/such/module.so", "Install it")


def test_a_missing_token_directory(deployment: Deployment) -> None:
    """The module does not say what is wrong; the command says where to look."""
    configuration = load(deployment.data).online.softhsm_conf
    assert configuration is not None
    with missing(configuration.parent / "tokens"):
        refused(run("serve", "--data", deployment.data), "directories.tokendir")


def test_a_missing_token(deployment: Deployment) -> None:
    """A token of another serial number is not ours: the message names what is there."""
    with altered(deployment.data / "idverify.toml", setting("serial", '"0000000000000000"')):
        refused(run("serve", "--data", deployment.data), "0000000000000000", "idverify-online")


def test_a_port_in_use(deployment: Deployment) -> None:
    """The port, and what to do about it."""
    with socket.create_server(("127.0.0.1", deployment.port)):
        refused(run("serve", "--data", deployment.data), f"Port {deployment.port}", "Stop what uses it")


def test_a_second_instance(deployment: Deployment) -> None:
    """Neither command touches data that another process serves, and that one serves on."""
    with serving(deployment) as first:
        refused(run("serve", "--data", deployment.data), "Another idverify serves", "Stop it")
        refused(run("up", "--data", deployment.data), "Another idverify serves", "Stop it")
        assert first.poll() is None


def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """A file stands where the directory should be."""
    (tmp_path / "file").touch()
    done = run("up", "--data", tmp_path / "file" / "data", "--port", free_port())

    refused(done, "cannot be written (Not a directory)", "--data DIR")


def test_a_data_directory_of_somebody_else(tmp_path: Path) -> None:
    """A user who may not write there is told so, and nothing is made."""
    nobody = None
    if os.geteuid() == 0:
        nobody = pwd.getpwuid(65534).pw_name
        if subprocess.run([sys.executable, "-c", "import idverify.cli"], cwd=ROOT, user=nobody, check=False).returncode:
            pytest.skip("the checkout cannot be read by an ordinary user")
    tmp_path.chmod(0o500)
    try:
        refused(run("up", "--data", tmp_path / "data", user=nobody), "cannot be written (Permission denied)")
    finally:
        tmp_path.chmod(0o700)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace(b"[service]", b'[service]\ncolour = "red"'), "service.colour"),
        (lambda text: text + b'\n[kitchen]\nsink = "yes"\n', "kitchen"),
        (setting("port", "99999"), "service.port"),
        (setting("port", '"many"'), "service.port"),
        (lambda text: text.replace(b"public_url", b"public_uri"), "identity.public_url"),
        (lambda _: b"this is not TOML", "line 1"),
    ],
    ids=["unknown key", "unknown section", "out of range", "wrong type", "misspelt key", "not TOML"],
)
def test_settings_that_cannot_be_used(deployment: Deployment, change: Callable[[bytes], bytes], said: str) -> None:
    """The file, the key, and what is wrong with it."""
    with altered(deployment.data / "idverify.toml", change):
        refused(run("serve", "--data", deployment.data), "idverify.toml", said, "Correct it")


def test_serving_what_was_never_set_up(tmp_path: Path) -> None:
    """The command that sets it up is named, and nothing is made meanwhile."""
    refused(run("serve", "--data", tmp_path / "none"), "idverify up --data")

    assert list(tmp_path.iterdir()) == []


def test_another_public_address_is_refused(deployment: Deployment) -> None:
    """Credentials carry the address for good: neither the settings nor the command line may change it."""
    with altered(deployment.data / "idverify.toml", setting("public_url", '"http://localhost:1"')):
        refused(run("serve", "--data", deployment.data), deployment.url, "http://localhost:1", "put it back")
    asked = run("up", "--data", deployment.data, "--public-url", "http://localhost:1")

    refused(asked, deployment.url, "Leave --public-url out")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "0.0.0.0"), "without TLS"),  # noqa: S104  refused, which is the point
        (("--tls-certificate", "certificate.pem"), "one of them is missing"),
        (("--tls-key", "key.pem"), "one of them is missing"),
        (("--tls-certificate", "no.pem", "--tls-key", "no.pem"), "cannot be used"),
        (("--port", "1"), "nobody would find it"),
    ],
    ids=["public without TLS", "no key", "no certificate", "no such files", "another port"],
)
def test_listening_that_would_harm_is_refused(deployment: Deployment, options: tuple[str, ...], said: str) -> None:
    """Before anything listens."""
    refused(run("up", "--data", deployment.data, *options), said)


@pytest.mark.parametrize("url", ["http://id.example", "ftp://localhost", "localhost:8080", "https://id.example/path"])
def test_a_public_address_that_cannot_be_one(tmp_path: Path, url: str) -> None:
    """Refused at the first run, before anything is made."""
    refused(run("up", "--data", tmp_path / "data", "--public-url", url), url)

    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("arguments", [("up", "--port", "0"), ("up", "--port", "many"), ("serve", "--colour", "red")])
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Exit status 64, and the option is named."""
    done = run(*arguments, "--data", tmp_path / "data")

    assert done.returncode == USAGE
    assert arguments[1] in done.stderr
    assert "Traceback" not in done.stderr


COMMANDS: Final = [("serve",), ("up",), ("apikey", "list"), ("ledger", "fsck")]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_that_is_gone(deployment: Deployment, command: tuple[str, ...]) -> None:
    """No command makes an empty one in its place: that would be another log under the same name."""
    with missing(deployment.database):
        refused(run(*command, "--data", deployment.data), "backup")
        assert not deployment.database.exists()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_that_is_none(deployment: Deployment, command: tuple[str, ...]) -> None:
    """A file of something else is told from a database, and stays as it is."""
    noise = b"something else entirely, and longer than a header " * 100
    with altered(deployment.database, lambda _: noise):
        refused(run(*command, "--data", deployment.data), "backup")
        assert deployment.database.read_bytes() == noise


def test_a_database_of_a_newer_version(deployment: Deployment, tmp_path: Path) -> None:
    """An older version does not touch what a newer one wrote."""
    kept = tmp_path / "kept.sqlite"
    shutil.copy(deployment.database, kept)
    with closing(sqlite3.connect(deployment.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    try:
        refused(run("serve", "--data", deployment.data), "9999", "another version")
    finally:
        shutil.copy(kept, deployment.database)
