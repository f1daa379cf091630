"""`python -m hsm`: exit codes, JSON, and the benchmark's rows."""

import json
from pathlib import Path

import pytest

from hsm.algorithms import SIGNING
from hsm.bench import TARGETS, measure
from hsm.cli import COULD_NOT_TELL, DOES_NOT_HOLD, HOLDS, USAGE, main
from hsm.show import show

from .conftest import LABEL, Prepared
from .typed import options

pytestmark = pytest.mark.softhsm


def test_init_token_makes_what_is_missing(module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Configuration, PIN files and token in one command; the token then opens, empty."""
    named = ["--conf", str(tmp_path / "my.conf"), "--label", "new", "--pin-file", str(tmp_path / "pin"), "--json"]

    assert main(["init-token", *named, "--so-pin-file", str(tmp_path / "so-pin")]) == HOLDS
    (made,) = json.loads(capsys.readouterr().out)
    assert (made["label"], made["conf"]) == ("new", str(tmp_path / "my.conf"))
    assert main(["inventory", *named, "--serial", made["serial"]]) == HOLDS
    assert json.loads(capsys.readouterr().out) == []


def test_inventory(token: Prepared, capsys: pytest.CaptureFixture[str]) -> None:
    """The keys in JSON, bytes as hexadecimal."""
    assert main(["inventory", *options(token)]) == HOLDS

    listed = {entry["algorithm"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert listed == {algorithm.value: key.to_json() | {"software": False} for algorithm, key in token.keys.items()}


def test_probe(token: Prepared, capsys: pytest.CaptureFixture[str]) -> None:
    """Every signing key works; a key that is not there does not hold."""
    assert main(["probe", *options(token)]) == HOLDS
    assert {row["id"] for row in json.loads(capsys.readouterr().out)} == {
        token.id(algorithm).hex() for algorithm in SIGNING if algorithm in token.keys
    }

    assert main(["probe", *options(token), "--key", "00"]) == DOES_NOT_HOLD
    assert [row["holds"] for row in json.loads(capsys.readouterr().out)] == [False]


def test_plain_output_is_one_line_per_key(token: Prepared, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json a person reads it."""
    assert main(["inventory", *options(token)[:-1]]) == HOLDS

    assert len(capsys.readouterr().out.splitlines()) == len(token.keys)


def test_a_missing_token_could_not_be_told(token: Prepared, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, nothing on standard output, the cure on standard error."""
    wrong = ["--conf", str(tmp_path / "no.conf"), "--label", LABEL, "--pin-file", str(token.config.pin_file)]

    assert main(["inventory", *wrong]) == COULD_NOT_TELL
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("HsmTokenMissing: Expected")


def test_a_label_in_use_is_wrong_usage(token: Prepared, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second token of the same label is refused with exit 64."""
    assert main(["init-token", *options(token), "--so-pin-file", str(tmp_path / "so-pin")]) == USAGE
    assert "another label" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["sing"], ["inventory"], ["probe", "--label"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 64 and the usage line."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == USAGE
    assert "usage: python -m hsm" in capsys.readouterr().err


async def test_the_benchmark_measures_every_target(module: Path) -> None:
    """One row per signing algorithm, its ratio being its rate over the limit of the same run."""
    rows = await measure(seconds=0.2, workers=1, callers=8)

    assert [row["target"] for row in rows] == list(TARGETS.values())
    for row in rows:
        assert row["name"].endswith("1 workers, 8 callers")
        assert row["ratio"] == pytest.approx(row["rate"] / row["limit"])
        assert row["holds"] == (row["ratio"] >= row["target"])
        assert row["rate"] > 0


def test_a_person_at_a_terminal_gets_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One row each, whatever a value looks like to the markup of the table; nothing is cut off."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    show([{"check": "pin [bold]", "holds": False, "cure": "chmod 600 " + "x" * 80}, {"holds": None}], as_json=False)

    shown = capsys.readouterr().out
    assert "pin [bold]" in shown
    assert shown.count("x") == 80
    assert "could not tell" in shown


def test_a_module_that_takes_arguments_and_tells_no_origin(
    nss_token: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    """NSS, by options alone: doctor looks, every key signs where one says to trust it, and none is vouched for."""
    config = nss_token.config
    named = ["--module", str(config.module), "--label", LABEL, "--pin-file", str(config.pin_file), "--json"]
    assert config.module_arguments is not None
    named += ["--module-arguments", config.module_arguments]

    assert main(["doctor", *named]) == HOLDS
    found = {row["check"]: row["holds"] for row in json.loads(capsys.readouterr().out)}
    assert all(found[check] for check in ("module", "token", "user PIN"))
    assert main(["probe", *named]) == DOES_NOT_HOLD
    assert all("LOCAL" in row["detail"] for row in json.loads(capsys.readouterr().out))
    assert main(["probe", *named, "--tells-no-origin"]) == HOLDS
    assert {row["id"] for row in json.loads(capsys.readouterr().out)} == {
        nss_token.id(algorithm).hex() for algorithm in SIGNING if algorithm in nss_token.keys
    }
    assert main(["inventory", *named, "--tells-no-origin"]) == DOES_NOT_HOLD
    assert not any(row["local"] for row in json.loads(capsys.readouterr().out))
    assert main(["probe", *named[:-2]]) == USAGE
    assert "--module-arguments" in capsys.readouterr().err


def test_only_a_module_with_arguments_goes_without_a_security_officer(
    nss_token: Prepared, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """NSS gets a token with a user's PIN alone; SoftHSM is not asked for one."""
    made = ["init-token", "--label", "new", "--pin-file", str(tmp_path / "pin"), "--json"]
    assert main([*made, "--conf", str(tmp_path / "conf")]) == USAGE
    assert "--so-pin-file" in capsys.readouterr().err
    taken = ["--module-arguments", f"configdir='sql:{tmp_path}' flags= dbTokenDescription='new'"]
    assert main([*made, "--module", str(nss_token.config.module), *taken]) == HOLDS
    assert json.loads(capsys.readouterr().out)[0]["label"] == "new"
