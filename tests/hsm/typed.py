"""The commands of `python -m hsm` as an operator types them for a test's own token."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from hsm.cli import HOLDS, main

if TYPE_CHECKING:
    from .conftest import Prepared

Typed = Callable[..., tuple[int, Any]]


def options(token: Prepared) -> list[str]:
    """The options that name the prepared token."""
    config = token.config
    return ["--conf", str(config.softhsm_conf), "--label", config.label, "--pin-file", str(config.pin_file), "--json"]


def typist(token: Prepared, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Types a command; `answers` are what witnesses type. Exit code, and the report or what went wrong."""

    def typed(command: str, *arguments: str, answers: str | None = None) -> tuple[int, Any]:
        if answers is None:
            monkeypatch.setattr("hsm.key_commands.at_terminal", read_aloud)
        else:
            monkeypatch.undo()
            monkeypatch.setattr("sys.stdin", io.StringIO(answers))
        code = main([command, *options(token), *arguments])
        captured = capsys.readouterr()
        report = json.loads(captured.out)
        return code, captured.err if report and "error" in report[0] else report

    return typed


def read_aloud(question: str) -> str:
    """A witness who looks: the end of what is shown."""
    return question.partition(":")[2].split("\n")[0].split()[-1] + "\n"


def made(run: Typed, role: str = "documents", *arguments: str) -> dict[str, Any]:
    """A key that two of two witnesses confirmed."""
    code, (row,) = run("ceremony", "--role", role, "--witness", "Ada", "--witness", "Bob", *arguments)
    assert code == HOLDS
    return dict(row)


def active(run: Typed, role: str = "documents", *arguments: str) -> str:
    """The label of a key that was taken into use."""
    label = str(made(run, role, *arguments)["label"])
    for stage in ("published", "active"):
        assert run("mark", "--key", label, "--to", stage)[0] == HOLDS
    return label
