"""What an operator can get wrong: one sentence with the cure, the right exit status, and nothing left running."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hsm import Hsm
from idverify.app.tokens import token_config
from idverify.config import load
from tests.faults.commands import USAGE, refused, run
from tests.simulators.service import Deployment, free_port, serving


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
    """Whoever may not write there is told so, and nothing is made. Root gives up its right to write anywhere first."""
    under = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()
    if under and shutil.which(under[0]) is None:
        pytest.skip("root may write anywhere, and there is no setpriv to give that up")
    tmp_path.chmod(0o500)
    try:
        refused(run("up", "--data", tmp_path / "data", under=under), "cannot be written (Permission denied)")
    finally:
        tmp_path.chmod(0o700)
    assert not (tmp_path / "data").exists()


def test_settings_with_an_unknown_key(deployment: Deployment) -> None:
    """The file and the key."""
    with altered(deployment.data / "idverify.toml", lambda text: text + b'colour = "red"\n'):
        refused(run("serve", "--data", deployment.data), "idverify.toml", "colour", "Correct it")


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
        (("--port", "1"), "nobody would find it"),
    ],
    ids=["public without TLS", "a certificate without its key", "another port"],
)
def test_listening_that_would_harm_is_refused(deployment: Deployment, options: tuple[str, ...], said: str) -> None:
    """Before anything listens."""
    refused(run("up", "--data", deployment.data, *options), said)


def test_a_public_address_without_tls(tmp_path: Path) -> None:
    """Refused at the first run, before anything is made."""
    url = "http://id.example"
    refused(run("up", "--data", tmp_path / "data", "--public-url", url), url, "needs https")

    assert not (tmp_path / "data").exists()


def test_a_port_that_is_none(tmp_path: Path) -> None:
    """Exit status 64: the command was not understood."""
    done = run("up", "--data", tmp_path / "data", "--port", "99999")

    assert done.returncode == USAGE
    assert "99999" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("serve",), ("up",), ("apikey", "list"), ("ledger", "fsck")], ids=" ".join)
def test_a_database_that_is_gone(deployment: Deployment, command: tuple[str, ...]) -> None:
    """No command makes an empty one in its place: that would be another log under the same name."""
    with missing(deployment.location):
        refused(run(*command, "--data", deployment.data), "backup")
        assert not deployment.location.exists()


@pytest.mark.parametrize("command", [("apikey", "list"), ("ledger", "fsck")], ids=" ".join)
def test_a_database_that_is_none(deployment: Deployment, command: tuple[str, ...]) -> None:
    """A file of something else is told from a database, and stays as it is."""
    noise = b"something else entirely, and longer than a header " * 100
    with altered(deployment.location, lambda _: noise):
        refused(run(*command, "--data", deployment.data), "backup")
        assert deployment.location.read_bytes() == noise


def test_a_database_of_a_newer_version(deployment: Deployment, tmp_path: Path) -> None:
    """An older version does not touch what a newer one wrote."""
    kept = tmp_path / "kept.sqlite"
    shutil.copy(deployment.location, kept)
    with closing(sqlite3.connect(deployment.location)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    try:
        refused(run("serve", "--data", deployment.data), "9999", "another version")
    finally:
        shutil.copy(kept, deployment.location)
