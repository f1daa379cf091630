"""What whoever looks after a token gets wrong, and what they are told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hsm import Algorithm, Hsm, HsmPinMissing, HsmTokenMissing, HsmUnavailable
from hsm.book import opened, started
from hsm.cli import COULD_NOT_TELL, DOES_NOT_HOLD, HOLDS, USAGE, main
from hsm.keeping import start
from hsm.pins import read_pin
from hsm.shares import read_share

from . import token_hands
from .conftest import Prepared
from .typed import Typed, active, made, options

pytestmark = pytest.mark.softhsm


# The last key of a role, and one too many -----------------------------------------------------------------


def test_the_last_key_of_a_role_is_not_retired_by_a_slip(run: Typed) -> None:
    """`rotate` is meant; whoever means it says so, and `--check` says that nothing new is made."""
    assert run("inventory", "--start")[0] == HOLDS
    key = active(run)
    code, error = run("mark", "--key", key, "--to", "retiring")
    assert (code, "--ends-role" in error, "rotate" in error) == (USAGE, True, True)
    assert _of_role(run) == []
    assert run("mark", "--key", key, "--to", "retiring", "--ends-role")[0] == HOLDS
    ((holds, found),) = _of_role(run)
    assert (holds, "no key is active" in found) == (True, True)


def test_a_role_has_one_active_key(run: Typed) -> None:
    """A second ceremony for the role makes no second key in use, but by `rotate`."""
    assert run("inventory", "--start")[0] == HOLDS
    first, second = active(run), str(made(run)["label"])
    assert run("mark", "--key", second, "--to", "published")[0] == HOLDS
    code, error = run("mark", "--key", second, "--to", "active")
    assert (code, f"rotate --key {first}" in error) == (USAGE, True)


def _of_role(run: Typed) -> list[tuple[bool, str]]:
    _, rows = run("inventory", "--check")
    return [(row["holds"], row["found"]) for row in rows if row["check"] == "role documents"]


@pytest.mark.parametrize("role", ["", "../x", "a b", "a#1", "/a", "a/", "a//b", ".", "a\n", "é", "a" * 63])
def test_a_role_that_is_no_name(run: Typed, role: str) -> None:
    """It becomes part of a label and of a file's name."""
    assert run("inventory", "--start")[0] == HOLDS
    code, error = run("ceremony", "--role", role, "--witness", "Ada")
    assert (code, "doc-signer/pid" in error) == (USAGE, True)


def test_keys_that_were_adopted_again_keep_their_roles(own_token: Prepared, run: Typed) -> None:
    """`documents#2` is in the role `documents`, whatever the file said that is lost."""
    assert run("inventory", "--start")[0] == HOLDS
    made(run)
    _inventory(own_token).unlink()
    assert run("inventory", "--start", "--again", "--adopt")[0] == HOLDS
    _, rows = run("inventory", "--check")
    assert any(row["check"] == "documents#1" and "generated" in row["found"] for row in rows)
    code, (row,) = run("ceremony", "--role", "documents", "--witness", "Ada")
    assert (code, row["label"], row["role"]) == (HOLDS, "documents#1", "documents")


def test_numbers_are_not_used_again(own_token: Prepared, run: Typed) -> None:
    """After a rotation, a destruction and the loss of the file, the next key has a number of its own."""
    assert run("inventory", "--start")[0] == HOLDS
    old = active(run)
    for step in ("made", "published", "exchanged"):
        if step == "published":
            assert run("mark", "--key", "documents#2", "--to", "published")[0] == HOLDS
        else:
            assert run("rotate", "--key", old, "--witness", "Ada")[0] == HOLDS
    (row,) = [row for row in run("inventory")[1] if row["label"] == old]
    assert run("destroy", "--key", old, "--confirm", row["id"])[0] == HOLDS
    _inventory(own_token).unlink()
    assert run("inventory", "--start", "--again", "--adopt")[0] == HOLDS
    again = active(run)
    assert again == "documents#2"
    code, (fresh,) = run("rotate", "--key", again, "--witness", "Ada")
    assert (code, fresh["label"]) == (HOLDS, "documents#3")


def test_a_successor_serves_though_the_old_key_was_compromised(run: Typed) -> None:
    """It was made before witnesses and published: the emergency wastes neither."""
    assert run("inventory", "--start")[0] == HOLDS
    old = active(run)
    code, (fresh,) = run("rotate", "--key", old, "--witness", "Ada")
    assert code == HOLDS
    assert run("mark", "--key", fresh["label"], "--to", "published")[0] == HOLDS
    (row,) = [row for row in run("inventory")[1] if row["label"] == old]
    assert run("destroy", "--key", old, "--confirm", row["id"], "--compromised")[0] == HOLDS
    code, (taken, gone) = run("rotate", "--key", old)
    assert (code, taken["stage"], gone["stage"]) == (HOLDS, "active", "destroyed")


def test_the_certificate_of_a_ca_goes_into_a_file(run: Typed, tmp_path: Path) -> None:
    """And where nothing is made, a file that is asked for is refused."""
    assert run("inventory", "--start")[0] == HOLDS
    key, out = str(made(run, "root")["label"]), tmp_path / "ca.pem"
    named = ["--key", key, "--subject", "CN=Root,C=UT", "--out", str(out)]
    assert run("certify", *named, "--request", str(tmp_path / "request.pem"))[0] == USAGE
    assert not out.exists()
    code, (row,) = run("certify", *named, "--self-sign")
    assert (code, out.read_text()) == (HOLDS, row["certificate"])
    code, error = run("certify", "--key", key, "--issue", str(out), "--out", str(tmp_path / "x"))
    assert (code != HOLDS, "X509" in error or "mark --to published" in error or "request" in error) == (True, True)


def test_a_secret_key_has_no_certificate(run: Typed, tmp_path: Path) -> None:
    """Which is said, and no step that it does not have."""
    assert run("inventory", "--start")[0] == HOLDS
    key = made(run, "wrapping", "--algorithm", "A256KWP")
    assert "certify" not in key["next"]
    wanted = ["--request", str(tmp_path / "request.pem"), "--subject", "CN=x"]
    code, error = run("certify", "--key", key["label"], *wanted)
    assert (code, "has no certificate" in error) == (USAGE, True)


def _inventory(token: Prepared) -> Path:
    assert token.config.softhsm_conf is not None
    return token.config.softhsm_conf.with_name("inventory.json")


# Files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"1234\n5678\n", b"\n1234\n", b"12\r34", b"12\x0034"])
def test_a_pin_file_of_more_than_one_line_costs_no_attempt(tmp_path: Path, content: bytes) -> None:
    """It is told before the token is asked."""
    file = tmp_path / "pin"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(HsmPinMissing, match="one line"):
        read_pin(file)


def test_an_inventory_that_does_not_hold_is_no_accident_of_the_command(own_token: Prepared, run: Typed) -> None:
    """Exit 1 for one that is gone or altered, and an error as a row where rows are asked for."""
    assert run("inventory", "--start")[0] == HOLDS
    file = _inventory(own_token)
    content = file.read_bytes()
    for wrong in (None, content.replace(b'"sequence": 2', b'"sequence": 3'), b"{}"):
        file.unlink(missing_ok=True)
        if wrong is not None:
            file.write_bytes(wrong)
        code, error = run("inventory", "--check")
        assert (code, error.startswith("HsmInventoryRefused: ")) == (DOES_NOT_HOLD, True)


def test_an_error_is_a_row(own_token: Prepared, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads JSON finds it there, and a person on standard error."""
    assert main(["inventory", *options(own_token), "--check"]) == DOES_NOT_HOLD
    captured = capsys.readouterr()
    assert json.loads(captured.out) == [
        {"error": "HsmInventoryRefused", "detail": captured.err.removeprefix("HsmInventoryRefused: ").rstrip("\n")}
    ]


async def test_an_inventory_knows_its_token_by_serial(own_token: Prepared) -> None:
    """The token's own, though nobody gave it."""
    unnamed, path = replace(own_token.config, serial=None), _inventory(own_token)
    async with started(unnamed, path) as book:
        await start(book, adopt=False)
    async with opened(unnamed, path) as book:
        assert book.now.token == {"label": unnamed.label, "serial": own_token.config.serial}


def test_another_token_has_another_inventory(run: Typed) -> None:
    """Two tokens under one configuration share the default place, which is said."""
    assert run("inventory", "--start")[0] == HOLDS
    code, error = run("inventory", "--start")
    assert (code, "for another token say with --inventory" in error) == (USAGE, True)


def test_an_inventory_that_is_no_file_holds_up_nobody(own_token: Prepared, run: Typed) -> None:
    """A pipe that nobody writes to would be waited for."""
    assert run("inventory", "--start")[0] == HOLDS
    file = _inventory(own_token)
    file.unlink()
    os.mkfifo(file)
    code, error = run("inventory", "--check")
    assert (code, "it is no file" in error) == (DOES_NOT_HOLD, True)


@pytest.mark.parametrize("option", ["--label", "--serial", "--pin-file"])
def test_arguments_are_text(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Other bytes are wrong usage, and no verdict on a token."""
    with pytest.raises(SystemExit) as ended:
        main(["probe", "--label", "x", "--pin-file", "x", option, os.fsdecode(b"\xff")])
    assert ended.value.code == USAGE
    assert "UTF-8" in capsys.readouterr().err


def test_a_token_that_signs_nothing_is_not_well(
    module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody may have emptied it."""
    del module
    named = ["--conf", str(tmp_path / "conf"), "--label", "new", "--pin-file", str(tmp_path / "pin"), "--json"]
    assert main(["init-token", *named, "--so-pin-file", str(tmp_path / "so-pin")]) == HOLDS
    capsys.readouterr()
    assert main(["probe", *named]) == COULD_NOT_TELL
    assert "got none on the token" in capsys.readouterr().out


# Tokens ---------------------------------------------------------------------------------------------------


async def test_another_token_of_the_label(own_token: Prepared) -> None:
    """That the serial differs is said, with the one that is there."""
    with pytest.raises(HsmTokenMissing, match="another token of this label: bring the right one back") as refused:
        async with Hsm(replace(own_token.config, serial="0123456789abcdef")):
            pass
    assert str(own_token.config.serial) in str(refused.value)
    assert refused.value.token == own_token.config.label


async def test_a_token_that_is_not_there(own_token: Prepared) -> None:
    """It is to be brought back; a new one is the last thing to think of."""
    assert own_token.config.softhsm_conf is not None
    shutil.rmtree(own_token.config.softhsm_conf.parent / "tokens")
    with pytest.raises((HsmTokenMissing, HsmUnavailable)) as missing:
        async with Hsm(own_token.config):
            pass
    assert "init-token" not in str(missing.value).partition(".")[0]


def test_a_label_that_is_none_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No configuration and no PIN file stays behind."""
    place = tmp_path / "new"
    files = ["--conf", str(place / "conf"), "--pin-file", str(place / "pin"), "--so-pin-file", str(place / "so-pin")]
    for label in ("", "x" * 33):
        assert main(["init-token", "--label", label, *files]) == USAGE
        assert "Choose another" in capsys.readouterr().err
    assert not place.exists()


def test_a_pin_file_that_was_there_is_told(module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its PIN may be one that other people know."""
    del module
    pin = tmp_path / "pin"
    pin.write_text("known to many\n")
    pin.chmod(0o600)
    named = ["--conf", str(tmp_path / "conf"), "--label", "new", "--pin-file", str(pin), "--json"]
    assert main(["init-token", *named, "--so-pin-file", str(tmp_path / "so-pin")]) == HOLDS
    _, kept = json.loads(capsys.readouterr().out)
    assert kept["kept"] == str(pin)


# Keys -----------------------------------------------------------------------------------------------------


def test_the_id_is_not_read_off_the_refusal(run: Typed) -> None:
    """Whoever destroys a key has looked at which."""
    assert run("inventory", "--start")[0] == HOLDS
    key = made(run)
    code, error = run("destroy", "--key", key["label"], "--confirm", "zz")
    assert (code, key["id"] in error) == (USAGE, False)
    assert run("destroy", "--key", key["label"], "--confirm", key["id"])[0] == HOLDS


def test_a_stranger_is_not_called_useless(own_token: Prepared, run: Typed) -> None:
    """It may have wrapped what nothing else opens."""
    assert run("inventory", "--start")[0] == HOLDS
    config = own_token.config
    hands = [sys.executable, token_hands.__file__, str(config.module), config.label, str(config.pin_file)]
    environment = os.environ | {"SOFTHSM2_CONF": str(config.softhsm_conf)}
    subprocess.run([*hands, "make", "abcd", "stranger"], env=environment, check=True)
    _, rows = run("inventory", "--check")
    (cure,) = [row["cure"] for row in rows if row["check"] == "stranger"]
    assert "would be lost with it" in cure
    assert "--start --again --adopt" in cure


@pytest.mark.parametrize(
    "wrong",
    [
        ["certify", "--key", "documents#1", "--install"],
        ["ceremony", "--verify"],
        ["recover", "--sealed", "/dev/null", "--wrapped", "w", "--share"],
    ],
    ids=lambda wrong: " ".join((wrong[0], wrong[-1])),
)
def test_a_file_that_is_not_there(run: Typed, wrong: list[str], tmp_path: Path) -> None:
    """It is named, with what to do."""
    assert run("inventory", "--start")[0] == HOLDS
    made(run)
    missing = str(tmp_path / "missing")
    code, error = run(*wrong, missing)
    assert (code, f"{missing}, got: No such file" in error, "Correct its name" in error) == (COULD_NOT_TELL, True, True)


def test_a_token_without_a_name(own_token: Prepared, capsys: pytest.CaptureFixture[str]) -> None:
    """No label names no token, whatever is there."""
    assert main(["inventory", *options(own_token), "--label", ""]) == USAGE
    assert "Choose another" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        ["probe", "--key", "zz"],
        ["bench", "--seconds", "0"],
        ["bench", "--seconds", "nan"],
        ["bench", "--soak", "-5"],
        ["bench", "--callers", "-1"],
        ["bench", "--workers", "0"],
        ["bench", "--workers", "two"],
    ],
    ids=" ".join,
)
def test_numbers_that_are_none(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A word about what is expected, and the exit code of wrong usage."""
    named = ["--label", "x", "--pin-file", "x"] if wrong[0] == "probe" else []
    with pytest.raises(SystemExit) as ended:
        main([wrong[0], *named, *wrong[1:]])
    assert ended.value.code == USAGE
    assert "Traceback" not in capsys.readouterr().err


# The way back ---------------------------------------------------------------------------------------------


def test_papers_say_what_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which share, of how many, of which key; and what is typed in from one is the share alone."""
    public, shares = tmp_path / "public.pem", tmp_path / "shares"
    told = ["--needed", "2", "--total", "3", "--public", str(public), "--shares", str(shares), "--json"]
    assert main(["recovery-key", *told]) == HOLDS
    (row,) = json.loads(capsys.readouterr().out)
    paper = (shares / "share-2").read_text()
    assert paper.startswith(f"# Share 2 of 3 of the recovery key {row['id']}; any 2 open it.\n")
    assert read_share(paper) == read_share(paper.splitlines()[-1])
    assert read_share(paper).number == 2


def test_no_shares_are_made_for_a_key_that_goes_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The place of the public half is looked at first."""
    public, shares = tmp_path / "nowhere" / "public.pem", tmp_path / "shares"
    assert main(
        ["recovery-key", "--needed", "2", "--total", "3", "--public", str(public), "--shares", str(shares)]
    ) == (USAGE)
    assert "Expected a directory" in capsys.readouterr().err
    assert not shares.exists()


def test_recovery_makes_no_key_that_the_inventory_does_not_know(
    run: Typed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a token with an inventory it takes an active one of it, by its label."""
    public, shares, sealed = tmp_path / "public.pem", tmp_path / "shares", tmp_path / "sealed"
    told = ["--needed", "2", "--total", "2", "--public", str(public), "--shares", str(shares)]
    assert main(["recovery-key", *told, "--json"]) == HOLDS
    capsys.readouterr()
    sealed.touch()
    assert run("inventory", "--start")[0] == HOLDS
    mistyped = ("--inventory", str(tmp_path / "mistyped"))
    code, error = run(*_recover(shares, sealed, tmp_path / "wrapped"), *mistyped)
    assert (code, "Name it with --inventory" in error) == (USAGE, True)
    assert "wrapping" not in {row["label"] for row in run("inventory")[1]}
    recover = _recover(shares, sealed, tmp_path / "wrapped")
    code, error = run(*recover)
    assert (code, "ceremony --algorithm A256KWP" in error) == (USAGE, True)
    key = active(run, "wrapping", "--algorithm", Algorithm.A256KWP.value)
    assert run(*recover, "--key-label", key)[0] == HOLDS


def _recover(shares: Path, sealed: Path, wrapped: Path) -> list[Any]:
    papers = [part for number in (1, 2) for part in ("--share", str(shares / f"share-{number}"))]
    return ["recover", *papers, "--sealed", str(sealed), "--wrapped", str(wrapped)]
