"""From a fresh checkout to a running command: say what is missing, ask, install it, start inside `.venv`.

Rules:
- Standard library only: nothing else is there yet.
- Nothing changes before the plan has been shown and agreed to, by `--yes` or at the terminal.
- What is missing is found by looking for the thing itself, so that any way of having installed it counts.
- A stamp in `.venv`, named after the digest of a lock, says that this lock is installed. It is removed first and
  written last, so a set-up that was interrupted is done again.
- Everything said here goes to standard error: standard output belongs to the command.

An installed distribution (a wheel has no lock beside it) brings its own dependencies: then there is nothing to do.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WRONG_USAGE = 64
COULD_NOT_TELL = 2  # never 1, which would say of a document that it does not hold
INTERRUPTED = 130  # 128 + SIGINT, as shells report it

RUN_LOCK = "requirements.lock"
TEST_LOCK = "requirements-test.lock"
# Every pin of the run lock is in the test lock too, so a `.venv` made for tests also runs the product.
LOCKS_INSTALLED_BY = {RUN_LOCK: (RUN_LOCK,), TEST_LOCK: (RUN_LOCK, TEST_LOCK)}

COMMANDS_WITH_HSM = frozenset({"up", "serve", "test", "bench"})
SOFTHSM_PLACES = (  # Debian and Ubuntu (any architecture), Fedora, built by hand, Homebrew
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/*/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)

HELP = """\
Usage: python3 -m idverify [--yes] COMMAND [OPTIONS]

Issues and verifies signed identity credentials. This checkout is not set up yet; each command first shows what it
needs (Debian packages, a .venv with the locked dependencies) and asks before it installs anything.

  up      set up and run the service, then print what to open next
  test    set up and run every test

  --yes   agree to the set-up without being asked, for scripts

After the set-up, --help lists every command.
"""


class SetupError(Exception):
    """The set-up cannot go on: the message says why and what to do, `status` is the exit status."""

    def __init__(self, message: str, status: int = COULD_NOT_TELL) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Step:
    """One line of the plan and the call that carries it out."""

    line: str
    carry_out: Callable[[], None]


@dataclass(frozen=True)
class Checkout:
    """A source tree with its locks, and the `.venv` that belongs to it."""

    root: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    def stamp(self, lock: str) -> Path:
        digest = hashlib.sha256((self.root / lock).read_bytes()).hexdigest()
        return self.venv / f".idverify-{digest}"

    def holds(self, lock: str) -> bool:
        return self.python.exists() and self.stamp(lock).exists()

    def is_active(self) -> bool:
        return self.python.exists() and self.venv.samefile(sys.prefix)


def start(arguments: list[str], checkout: Checkout | None = None) -> int:
    """Run `idverify` with these arguments, after the set-up that they need; return the exit status.

    Replaces this process with one inside `.venv` when it is not there yet.
    """
    checkout = checkout or Checkout(Path(__file__).resolve().parent.parent)
    agreed = "--yes" in arguments
    while arguments[:1] == ["--yes"]:  # before the command it is meant for the set-up alone
        arguments = arguments[1:]
    command = next((word for word in arguments if not word.startswith("-")), "")
    if command != "test" and is_installed(checkout):
        return run_command_line(arguments)
    if not checkout.holds(RUN_LOCK) and ("--help" in arguments or not command):
        say(HELP)
        return 0 if "--help" in arguments else WRONG_USAGE
    try:
        set_up(checkout, arguments, agreed=agreed)
    except SetupError as error:
        say(f"idverify: {error}")
        return error.status
    except KeyboardInterrupt:
        say("\nidverify: stopped; the same command goes on from here.")
        return INTERRUPTED
    return enter(checkout, arguments)


def is_installed(checkout: Checkout) -> bool:
    """Whether idverify runs as an installed distribution, by whatever means its owner chose."""
    if not (checkout.root / RUN_LOCK).exists():
        return True
    if checkout.is_active() and checkout.holds(RUN_LOCK):
        return False
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - slow, seldom needed

    try:
        distribution("idverify")
    except PackageNotFoundError:
        return False
    return True
