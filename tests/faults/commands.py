"""The command line as an operator uses it, each command in a session of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.simulators.service import ROOT

COULD_NOT_TELL, USAGE = 2, 64
PATIENCE = 30.0


def run(*arguments: object, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """One command in a session of its own, which it must leave empty; ``under`` another command, if given."""
    command = [*under, sys.executable, "-m", "idverify.cli", *map(str, arguments)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
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
