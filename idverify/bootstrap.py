"""From a fresh checkout to a running command: show what is missing, ask, install it, start inside `.venv`.

Standard library only. Nothing changes before the plan has been shown and agreed to, by `--yes` or at the
terminal. An installed distribution brought its dependencies with it, and is never set up here.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from idverify.errors import SetupError
from idverify.page_packages import plan_packages
from idverify.prerequisites import RUN_LOCK, TEST_LOCK, Checkout, Need, Step, plan

COULD_NOT_TELL = 2  # and never 1, which says of a document that it does not hold
WRONG_USAGE = 64
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it

COMMANDS_THAT_SERVE = frozenset({"up", "serve", "test", "bench"})  # with keys in an HSM, and web pages

HELP = """\
Usage: python3 -m idverify [--yes] COMMAND [OPTIONS]

Issues and verifies signed identity credentials. This checkout is not set up yet. Every command first shows
what it needs (Debian packages, a .venv with the locked dependencies, the packages of its web pages) and asks before
it installs anything.

  up      set up and run the service, then say what to open
  test    set up and run every test

  --yes   agree to the set-up without being asked, for scripts

After the set-up, --help lists every command.
"""


class NotAgreed(SetupError):
    """Nobody was there to agree to the plan, or the person there did not."""


@dataclass(frozen=True)
class Request:
    """A command line as the set-up reads it: the arguments that go on, and the command among them or ""."""

    arguments: list[str]
    command: str
    agreed: bool

    @classmethod
    def read(cls, words: list[str]) -> Request:
        """Find the command; a `--yes` before it is a word to the set-up alone."""
        agreed = "--yes" in words
        while words[:1] == ["--yes"]:
            words = words[1:]
        command = next((word for word in words if not word.startswith("-")), "")
        return cls(words, command, agreed)

    @property
    def tests(self) -> bool:
        return self.command == "test"

    @property
    def lock(self) -> str:
        return TEST_LOCK if self.tests else RUN_LOCK

    @property
    def help(self) -> bool:
        return "--help" in self.arguments

    @property
    def needs(self) -> frozenset[Need]:
        """What the command needs beside its lock."""
        if self.help or self.command not in COMMANDS_THAT_SERVE:
            return frozenset()
        only_verifies = self.command == "serve" and "verify" in self.arguments  # serve --role verify
        asked = {Need.SERVICE: True, Need.HSM: not only_verifies, Need.WORKSHOP: self.tests}
        return frozenset(need for need, wanted in asked.items() if wanted)


THIS_CHECKOUT = Checkout(Path(__file__).resolve().parent.parent)


def start(words: list[str], checkout: Checkout = THIS_CHECKOUT) -> int:
    """Run `idverify` with these arguments, after the set-up that they need; return the exit status.

    When the running interpreter is not the one of `.venv`, that one replaces this process.
    """
    request = Request.read(words)
    if not request.tests and is_installed(checkout):
        return run_command_line(request)
    if not checkout.holds(request.lock) and request.help:
        sys.stdout.write(HELP)
        return 0
    if not checkout.holds(request.lock) and not request.command:
        sys.stderr.write(HELP)
        return WRONG_USAGE
    try:
        set_up(checkout, request)
    except SetupError as error:
        say(f"idverify: {error}")
        return WRONG_USAGE if isinstance(error, NotAgreed) else COULD_NOT_TELL
    except KeyboardInterrupt:
        say("\nidverify: stopped. The same command goes on from here.")
        return INTERRUPTED
    if request.tests:
        after = request.arguments.index("test") + 1
        replace_process(checkout.python, str(checkout.root / "tests" / "run.py"), *request.arguments[after:])
    if not checkout.is_active():
        replace_process(checkout.python, "-m", "idverify", *request.arguments)
    return run_command_line(request)


def is_installed(checkout: Checkout) -> bool:
    """Whether idverify runs as an installed distribution, by whatever means its owner chose."""
    if not (checkout.root / RUN_LOCK).exists():
        return True
    if checkout.holds(RUN_LOCK):
        return False
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - slow and seldom needed

    try:
        distribution("idverify")
    except PackageNotFoundError:
        return False
    return True


def run_command_line(request: Request) -> int:
    from idverify.cli import main  # noqa: PLC0415 - its imports are there only now

    sys.argv[1:] = request.arguments
    return main()


def replace_process(python: Path, *arguments: str) -> None:
    os.execv(python, [str(python), *arguments])  # noqa: S606 - our own interpreter, and no shell


def set_up(checkout: Checkout, request: Request) -> None:
    """Show the plan, ask, carry it out; does nothing when nothing is missing.

    Raises NotAgreed, or SetupError when a step failed.
    """
    steps = whole_plan(checkout, request)
    if not steps:
        return
    say("idverify needs this first:")
    for step in steps:
        say(f"  - {step.line}")
    if not request.agreed:
        ask()
    with one_at_a_time(checkout.root):
        for step in whole_plan(checkout, request):  # less, if another set-up ran meanwhile
            began = time.monotonic()
            say(f"{step.line} ...")
            step.carry_out()
            say(f"  done in {time.monotonic() - began:.0f} s")


def whole_plan(checkout: Checkout, request: Request) -> list[Step]:
    """List what is missing for this command, in the order in which it is to be installed."""
    steps = plan(checkout, request.lock, request.needs)
    return steps + (plan_packages(checkout, tests=request.tests) if Need.SERVICE in request.needs else [])


def ask() -> None:
    """Return when the person at the terminal agrees; raises NotAgreed otherwise."""
    if not sys.stdin.isatty():
        raise NotAgreed(
            "Nothing was changed, because there is no terminal to ask at.",
            "`python3 -m idverify --yes ...` agrees without being asked.",
        )
    sys.stderr.write("Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise NotAgreed("Nothing was changed.", "The same command asks again.")


@contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Keep other set-ups of this checkout waiting; the lock is on its folder, so none is ever left behind."""
    folder = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up of this checkout is running; this one waits for it.")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
