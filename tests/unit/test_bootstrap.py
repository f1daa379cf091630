"""From a fresh checkout to a command inside `.venv`: real processes, with a stand-in for uv and no apt-get."""

from __future__ import annotations

import ast
import fcntl
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from idverify import __main__ as entry
from idverify import bootstrap, prerequisites
from idverify.bootstrap import Request
from idverify.page_packages import FRONTEND, INTEROP
from idverify.prerequisites import RUN_LOCK, TEST_LOCK, Checkout, Need

ROOT = Path(entry.__file__).parent.parent
BEFORE_DEPENDENCIES = ("__init__", "__main__", "bootstrap", "errors", "page_packages", "prerequisites")
BASE_PYTHON = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
SERVES = {Need.SERVICE}
SHOW_START = "import sys\n\ndef main():\n    print(sys.prefix, sys.argv[1:])\n    return 0\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh checkout whose command line shows how it was started, a uv with nothing to do, an apt-get that fails."""
    for folder in (FRONTEND, INTEROP):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "package-lock.json").write_text("{}")
    for module in BEFORE_DEPENDENCIES:
        shutil.copy(ROOT / "idverify" / f"{module}.py", tmp_path / "idverify")
    (tmp_path / "idverify" / "cli.py").write_text(SHOW_START)
    (tmp_path / "tests" / "run.py").write_text(SHOW_START + "\nmain()\n")
    for lock in (RUN_LOCK, TEST_LOCK):
        (tmp_path / lock).write_text(f"# {lock}\n")
    (tmp_path / "bin").mkdir()
    set_tool(tmp_path, "uv", "exit 0")
    set_tool(tmp_path, "apt-get", "exit 1")
    return Checkout(tmp_path)


def set_tool(root: Path, name: str, script: str) -> None:
    tool = root / "bin" / name
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def command(*words: str) -> list[str]:
    return [str(BASE_PYTHON), "-m", "idverify", *words]


def surroundings(checkout: Checkout) -> dict[str, str]:
    return {"PATH": f"{checkout.root / 'bin'}:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}


def start(checkout: Checkout, *words: str) -> subprocess.CompletedProcess[str]:
    """Start idverify where nobody can be asked."""
    return subprocess.run(
        command(*words),
        cwd=checkout.root,
        env=surroundings(checkout),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def make_venv(checkout: Checkout) -> None:
    subprocess.run([BASE_PYTHON, "-m", "venv", "--without-pip", checkout.venv], check=True)


class Terminal(io.StringIO):
    """Standard input at which somebody typed this."""

    def isatty(self) -> bool:
        return True


def test_only_the_standard_library_is_needed() -> None:
    """What runs before the dependencies are there can be imported without any of them."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import idverify.__main__, idverify.bootstrap"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_an_old_python_is_told_so_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interpreter before 3.11 can read the first file, and learns from it what is needed."""
    ast.parse(Path(entry.__file__).read_text(), feature_version=(3, 7))
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))

    assert entry.main() == 2
    assert capsys.readouterr().err == (
        "idverify needs Python 3.11 or newer and this is 3.9: "
        "start it with a newer one, for example `python3.11 -m idverify`.\n"
    )


@pytest.mark.parametrize(
    ("words", "lock", "needs"),
    [
        ("up --port 8080", RUN_LOCK, SERVES | {Need.HSM}),
        ("serve", RUN_LOCK, SERVES | {Need.HSM}),
        ("serve --role verify", RUN_LOCK, SERVES),
        ("bench --only hsm", RUN_LOCK, SERVES | {Need.HSM}),
        ("test --yes", TEST_LOCK, SERVES | {Need.HSM, Need.WORKSHOP}),
        ("verify letter.pdf", RUN_LOCK, set()),
        ("witness serve --log KEY", RUN_LOCK, set()),
        ("--json verify up", RUN_LOCK, set()),
        ("--help", RUN_LOCK, set()),
        ("up --help", RUN_LOCK, set()),
        ("test --help", TEST_LOCK, set()),
    ],
)
def test_each_command_asks_only_for_what_it_needs(words: str, lock: str, needs: set[Need]) -> None:
    """Tests need their lock, browser and database server; what uses keys needs an HSM; all that serves needs pages."""
    request = Request.read(words.split())

    assert request.lock == lock
    assert request.needs == needs


def test_help_is_there_before_the_set_up(checkout: Checkout) -> None:
    """`--help` answers on a fresh checkout and changes nothing; no command at all is wrong usage."""
    asked, empty = start(checkout, "--help"), start(checkout)

    assert (asked.returncode, asked.stderr) == (0, "")
    assert asked.stdout.startswith("Usage: python3 -m idverify")
    assert (empty.returncode, empty.stdout, empty.stderr) == (64, "", asked.stdout)
    assert not checkout.venv.exists()


def test_a_fresh_checkout_is_set_up_once(checkout: Checkout) -> None:
    """The first start shows and carries out its plan beside the command's output; the second goes straight on."""
    first, second = start(checkout, "--yes", "verify", "a b"), start(checkout, "verify", "a b")

    assert first.stdout == f"{checkout.venv} ['verify', 'a b']\n"
    assert first.stderr.startswith("idverify needs this first:\n  - install requirements.lock into .venv with uv")
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")


def test_yes_after_the_command_is_the_commands_too(checkout: Checkout) -> None:
    """`up --yes` agrees to the set-up and reaches the command as it was typed."""
    done = start(checkout, "doctor", "--yes")

    assert (done.returncode, done.stdout) == (0, f"{checkout.venv} ['doctor', '--yes']\n")


def test_the_venvs_own_python_goes_straight_to_the_command(checkout: Checkout) -> None:
    """Started by `.venv/bin/python` the process is not replaced, and a changed lock is still noticed."""
    start(checkout, "--yes", "doctor")
    inside = [str(checkout.python), "-m", "idverify", "doctor"]

    ready = subprocess.run(inside, cwd=checkout.root, capture_output=True, text=True, check=False)
    (checkout.root / RUN_LOCK).write_text("# other pins\n")
    changed = subprocess.run(
        inside, cwd=checkout.root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )

    assert (ready.returncode, ready.stdout, ready.stderr) == (0, f"{checkout.venv} ['doctor']\n", "")
    assert (changed.returncode, changed.stdout) == (64, "")


def test_nothing_changes_where_nobody_can_agree(checkout: Checkout) -> None:
    """Without a terminal the plan is shown, the checkout stays as it was, and the message names `--yes`."""
    done = start(checkout, "verify", "letter.pdf")

    assert (done.returncode, done.stdout) == (64, "")
    assert "there is no terminal to ask at. `python3 -m idverify --yes ...`" in done.stderr
    assert not checkout.venv.exists()


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y\n", True), ("Yes\n", True), ("\n", False), ("no\n", False), ("", False)]
)
def test_the_person_at_the_terminal_decides(
    checkout: Checkout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    agreed: bool,  # noqa: FBT001 - a table row
) -> None:
    """`y` carries out the plan that was shown; any other answer, or none, changes nothing."""
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setenv("PATH", str(checkout.root / "bin"))
    request = Request.read(["verify", "letter.pdf"])

    if agreed:
        bootstrap.set_up(checkout, request)
    else:
        with pytest.raises(bootstrap.NotAgreed, match=r"Nothing was changed\."):
            bootstrap.set_up(checkout, request)

    assert checkout.holds(RUN_LOCK) == checkout.venv.exists() == agreed
    plan, question, _ = capsys.readouterr().err.partition("Go on? [y/N] ")
    assert plan.startswith("idverify needs this first:\n  - install requirements.lock")
    assert question


def test_a_failed_set_up_could_not_tell(checkout: Checkout) -> None:
    """A broken installation ends with status 2 and one sentence, never with the 1 of a document that does not hold."""
    set_tool(checkout.root, "uv", "echo no route to host; exit 7")

    done = start(checkout, "--yes", "verify", "letter.pdf")

    assert (done.returncode, done.stdout) == (2, "")
    assert "no route to host" in done.stderr
    assert done.stderr.endswith("If it is not the network, remove .venv, then start again.\n")


def test_an_interrupted_set_up_is_done_again(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control-C in the middle leaves a `.venv` that does not pass for complete."""

    def interrupted(command: list[str], *, quiet: bool = False) -> bool:
        if "pip" in command:
            raise KeyboardInterrupt
        return run(command, quiet=quiet)

    run = prerequisites.run
    monkeypatch.setattr(prerequisites, "run", interrupted)
    monkeypatch.setattr(prerequisites, "PACKAGES", ())
    monkeypatch.setenv("PATH", str(checkout.root / "bin"))

    assert bootstrap.start(["test", "--yes"], checkout) == 130

    assert capsys.readouterr().err.endswith("idverify: stopped. The same command goes on from here.\n")
    assert checkout.python.exists()
    assert not checkout.holds(TEST_LOCK)


def test_a_second_set_up_waits_for_the_first(checkout: Checkout) -> None:
    """Two starts at once install once: the second waits, then finds nothing left to do."""
    make_venv(checkout)
    first = os.open(checkout.root, os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)
    second = subprocess.Popen(
        command("--yes", "doctor"),
        cwd=checkout.root,
        env=surroundings(checkout),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with second:
        assert second.stderr is not None
        waiting = [second.stderr.readline() for _ in range(3)][-1]
        checkout.stamp(RUN_LOCK).touch()
        os.close(first)
        out, err = second.communicate()

    assert waiting == "Another set-up of this checkout is running; this one waits for it.\n"
    assert (second.returncode, out, err) == (0, f"{checkout.venv} ['doctor']\n", "")


def test_an_installed_distribution_is_never_set_up(checkout: Checkout) -> None:
    """A wheel has no lock beside it: it runs on the interpreter it was installed for."""
    (checkout.root / RUN_LOCK).unlink()

    done = start(checkout, "up")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{sys.base_prefix} ['up']\n", "")
    assert not checkout.venv.exists()


def test_the_test_command_runs_the_checks_of_the_checkout(checkout: Checkout) -> None:
    """`test` needs the test lock and npm's packages, and hands what follows it to `tests/run.py`."""
    make_venv(checkout)
    checkout.stamp(TEST_LOCK).touch()
    set_tool(checkout.root, "npm", 'mkdir "$3/node_modules"')

    done = start(checkout, "test", "--yes", "--long")

    assert done.stdout == f"{checkout.venv} ['--yes', '--long']\n"
