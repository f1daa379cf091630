"""Wrong usage: one sentence on standard error and exit status 64, whoever found it."""

from __future__ import annotations

import os

import pytest

from idverify.app.bench.groups import GROUPS
from idverify.cli import USAGE, main

WRONG = {
    "unknown command": (["fly"], "fly"),
    "unknown option": (["up", "--nope"], "--nope"),
    "option of the wrong type": (["up", "--port", "x"], "--port"),
    "missing argument": (["verify"], "file"),
    "no such file": (["verify", "absent", "--offline", "absent", "--root-sha256", "00"], "absent"),
    "offline without a root": (["verify", os.devnull], "--root-sha256"),
    "no web address": (["api", "GET", "ftp://id.example/"], "http"),
    "no such role": (["apikey", "create", "--actor", "A", "--role", "king"], "king"),
}


@pytest.mark.parametrize(("words", "named"), WRONG.values(), ids=WRONG.keys())
def test_wrong_usage(
    words: list[str], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence names what is wrong; nothing is on standard output."""
    monkeypatch.setattr("sys.argv", ["idverify", *words])
    status = main()
    told = capsys.readouterr()

    assert status == USAGE
    assert named in told.err
    assert told.out == ""


def test_no_command_shows_the_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever types the bare name learns what there is."""
    monkeypatch.setattr("sys.argv", ["idverify"])

    assert main() == USAGE
    assert "Commands:" in capsys.readouterr().err


def test_help_of_bench_names_every_group(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A group that nobody is told of is a group that nobody measures."""
    monkeypatch.setattr("sys.argv", ["idverify", "bench", "--help"])
    main()
    told = capsys.readouterr().out

    assert [group for group in GROUPS if group not in told] == []
