"""How far an audit is: lines where nobody watches, a bar on a terminal, and nothing where JSON was asked for."""

from __future__ import annotations

import pytest
from rich.console import Console

from idverify.cli.auditing import progress as module
from idverify.cli.auditing.progress import progress


@pytest.mark.parametrize(("total", "told"), [(1000, "of 1,000"), (None, "500,")])
def test_lines_tell_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], total: int | None, told: str
) -> None:
    """On standard error, and never without the rate; the time left only where the total is known."""
    monkeypatch.setattr(module, "SECONDS", 0.0)
    with progress("entries", quiet=False) as tell:
        tell(100, total)
        tell(500, total)
    lines = capsys.readouterr().err.splitlines()

    assert len(lines) == 2
    assert lines[-1].startswith("entries: 500")
    assert told in lines[-1]
    assert "/s" in lines[-1]
    assert ("s left" in lines[-1]) == (total is not None)


def test_lines_come_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """A quick audit says nothing."""
    with progress("entries", quiet=False) as tell:
        for done in range(1000):
            tell(done, 1000)

    assert capsys.readouterr().err == ""


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With rate, what is done of how much, and the time left."""
    monkeypatch.setattr(module, "Console", lambda **_: Console(stderr=True, force_terminal=True, width=100))
    with progress("entries", quiet=False) as tell:
        for done in range(0, 1001, 100):
            tell(done, 1000)

    shown = capsys.readouterr().err
    assert "entries" in shown
    assert "1000/1000" in shown


def test_quiet_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asked for JSON gets that alone."""
    monkeypatch.setattr(module, "SECONDS", 0.0)
    with progress("entries", quiet=True) as tell:
        tell(1, 2)

    assert capsys.readouterr().err == ""
