"""What a checkout needs, found and installed: packages through a recorded apt-get, locks through a real pip."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from idverify import prerequisites
from idverify.errors import SetupError
from idverify.prerequisites import PACKAGES, RUN_LOCK, TEST_LOCK, Checkout, Need, plan

INSTALL = "apt-get install --yes --no-install-recommends"
VENV_PACKAGE = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
needs_ensurepip = pytest.mark.skipif(
    find_spec("ensurepip") is None, reason="this Python has no ensurepip to make a pip"
)


def make_wheel(folder: Path, name: str) -> str:
    """Put a one-module wheel into the folder and return its line for a lock."""
    info = f"{name}-1.0.dist-info"
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout whose run lock is one wheel, whose test lock is two, on a machine with an index of just those."""
    pebble, sand = make_wheel(tmp_path, "pebble"), make_wheel(tmp_path, "sand")
    (tmp_path / RUN_LOCK).write_text(pebble)
    (tmp_path / TEST_LOCK).write_text(pebble + sand)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return Checkout(tmp_path)


def make_tool(checkout: Checkout, name: str, script: str) -> Path:
    """Put a shell script on PATH that first notes its arguments; return the file of notes."""
    tool, notes = checkout.root / "bin" / name, checkout.root / "notes"
    tool.write_text(f'#!/bin/sh\necho {name} "$@" >> {notes}\n{script}\n')
    tool.chmod(0o755)
    return notes


def carry_out(checkout: Checkout, lock: str, *needs: Need) -> None:
    for step in plan(checkout, lock, needs):
        step.carry_out()


def imports(checkout: Checkout, module: str) -> bool:
    done = subprocess.run([checkout.python, "-c", f"import {module}"], capture_output=True, check=False)
    return done.returncode == 0


@needs_ensurepip
def test_a_test_environment_also_runs_the_product(checkout: Checkout) -> None:
    """Installing the test lock satisfies both locks, so nothing is planned for either afterwards."""
    carry_out(checkout, TEST_LOCK)

    assert imports(checkout, "pebble, sand")
    assert plan(checkout, TEST_LOCK) == []
    assert plan(checkout, RUN_LOCK) == []


@needs_ensurepip
def test_a_file_that_does_not_match_its_hash_is_refused(checkout: Checkout) -> None:
    """A wheel other than the locked one stops the set-up, and the `.venv` does not pass for complete."""
    (checkout.root / RUN_LOCK).write_text(f"pebble==1.0 --hash=sha256:{'0' * 64}\n")

    with pytest.raises(SetupError, match=r"pip install .* failed; the lines above say why"):
        carry_out(checkout, RUN_LOCK)

    assert not imports(checkout, "pebble")
    assert not checkout.holds(RUN_LOCK)
    assert not list(checkout.venv.glob(".idverify-*"))


def test_the_stamp_names_the_lock_and_is_gone_before_the_next_one_is_installed(checkout: Checkout) -> None:
    """A changed lock is planned again, and its failed installation leaves no stamp of the old one."""
    make_tool(checkout, "uv", "")
    carry_out(checkout, RUN_LOCK)
    assert checkout.holds(RUN_LOCK)

    with (checkout.root / RUN_LOCK).open("a") as lock:
        lock.write("# changed\n")
    assert not checkout.holds(RUN_LOCK)

    make_tool(checkout, "uv", "exit 1")
    with pytest.raises(SetupError):
        carry_out(checkout, RUN_LOCK)
    assert not list(checkout.venv.glob(".idverify-*"))


def test_uv_installs_wheels_with_their_hashes_into_the_same_place(checkout: Checkout) -> None:
    """Where uv is found it takes pip's place, under the same rules, and no ensurepip is asked for."""
    notes = make_tool(checkout, "uv", "")

    (step,) = plan(checkout, RUN_LOCK)
    step.carry_out()

    assert step.line == "install requirements.lock into .venv with uv, every file checked against its hash"
    assert notes.read_text() == (
        f"uv pip install --python {checkout.python} --quiet --require-hashes --only-binary :all: "
        f"--requirement {checkout.root / RUN_LOCK}\n"
    )


def test_a_venv_whose_python_is_gone_is_made_again(checkout: Checkout) -> None:
    """A dangling interpreter, as an upgrade of the system leaves behind, does not count as set up."""
    make_tool(checkout, "uv", "")
    carry_out(checkout, RUN_LOCK)
    checkout.python.unlink()
    checkout.python.symlink_to("/nonexistent/python")

    assert not checkout.holds(RUN_LOCK)
    carry_out(checkout, RUN_LOCK)
    assert imports(checkout, "sys")


@pytest.fixture
def bare(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """The same on a machine that has none of Debian's packages, as root; its files are beneath ``system``."""
    make_tool(checkout, "apt-get", "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(prerequisites, "ROOT", checkout.root / "system")
    return checkout


def put(checkout: Checkout, *files: str) -> None:
    """Files of the bare machine."""
    for file in files:
        path = checkout.root / "system" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def packages_for(checkout: Checkout, *needs: Need) -> list[str]:
    """What is to be installed, in one step."""
    lines = [step.line for step in plan(checkout, RUN_LOCK, needs) if step.line.startswith(INSTALL)]
    assert len(lines) <= 1
    return lines[0].removeprefix(INSTALL).split() if lines else []


def test_each_need_asks_for_its_own_packages(bare: Checkout) -> None:
    """A bare machine needs each package of the table, for its need and for no other."""
    make_tool(bare, "uv", "")

    assert packages_for(bare) == []
    assert packages_for(bare, Need.HSM) == ["softhsm2"]
    assert packages_for(bare, Need.SERVICE) == [
        *("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0", "fonts-noto-core")
    ]
    assert packages_for(bare, Need.WORKSHOP) == [
        *("chromium", "postgresql", "libnss3", "opencryptoki", "p11-kit-modules", "strace", "poppler-utils", "qpdf")
    ]
    assert packages_for(bare, *Need) == [package.name for package in PACKAGES]


@pytest.mark.parametrize(
    ("package", "file"),
    [
        ("softhsm2", "usr/lib/softhsm/libsofthsm2.so"),
        ("softhsm2", "usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
        ("softhsm2", "usr/lib64/pkcs11/libsofthsm2.so"),
        ("softhsm2", "opt/homebrew/lib/softhsm/libsofthsm2.so"),
        ("libpango-1.0-0", "usr/lib/x86_64-linux-gnu/libpango-1.0.so.0"),
        ("libpangoft2-1.0-0", "usr/lib/aarch64-linux-gnu/libpangoft2-1.0.so.0"),
        ("libharfbuzz-subset0", "usr/lib64/libharfbuzz-subset.so.0"),
        ("fonts-noto-core", "usr/share/fonts/truetype/noto/NotoSansArabic-Regular.ttf"),
        ("fonts-noto-core", "usr/local/share/fonts/NotoSansArabic-Regular.otf"),
        ("chromium", "usr/bin/chromium"),
        ("postgresql", "usr/lib/postgresql/15/bin/initdb"),
        ("libnss3", "usr/lib/x86_64-linux-gnu/libsoftokn3.so"),
        ("opencryptoki", "usr/sbin/pkcsslotd"),
        ("p11-kit-modules", "usr/lib/x86_64-linux-gnu/p11-kit-proxy.so"),
        ("strace", "usr/bin/strace"),
        ("poppler-utils", "usr/bin/pdfinfo"),
        ("qpdf", "usr/bin/qpdf"),
        (VENV_PACKAGE, f"{sysconfig.get_path('stdlib').lstrip('/')}/ensurepip/__init__.py"),
    ],
)
def test_a_package_is_known_by_the_thing_itself(bare: Checkout, package: str, file: str) -> None:
    """Whoever put the file there: it is there, so its package is not asked for, and every other one is."""
    put(bare, file)

    missing = [other.name for other in PACKAGES if other.name != package]
    assert packages_for(bare, *Need) == missing


def test_a_way_to_get_pip_is_asked_for_only_where_there_is_none(bare: Checkout) -> None:
    """Without uv, pip or ensurepip the lock needs Debian's package; with uv it does not."""
    assert packages_for(bare) == [VENV_PACKAGE]

    make_tool(bare, "uv", "")
    assert packages_for(bare) == []


def test_what_this_machine_has_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests run with all of it, so the table's patterns find it here."""
    missing = [package.name for package in PACKAGES if package.need is not Need.VENV and not package.is_there()]

    assert missing == []


def test_the_database_package_starts_no_cluster(bare: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the package comes, its settings say that the system gets no cluster; settings that are there stay."""
    settings = prerequisites.ROOT / prerequisites.POSTGRES_SETTINGS
    monkeypatch.setenv("PATH", f"{bare.root / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    first, second, third, *_ = plan(bare, RUN_LOCK, [Need.WORKSHOP])
    first.carry_out()

    assert first.line == f"{settings}: no database of the system's own"
    assert settings.read_text() == "create_main_cluster = false\n"
    assert third.line.startswith("apt-get install ")
    assert plan(bare, RUN_LOCK, [Need.WORKSHOP])[0].line == second.line


def test_the_token_package_starts_no_daemon(bare: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the package comes, its unit leads nowhere; a unit that is there stays."""
    unit = prerequisites.ROOT / prerequisites.SLOT_DAEMON
    monkeypatch.setenv("PATH", f"{bare.root / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    step = next(step for step in plan(bare, RUN_LOCK, [Need.WORKSHOP]) if step.line.startswith(str(unit)))
    step.carry_out()

    assert step.line == f"{unit}: no daemon of opencryptoki"
    assert unit.readlink() == Path("/dev/null")
    assert step.line not in [step.line for step in plan(bare, RUN_LOCK, [Need.WORKSHOP])]


def test_package_lists_are_updated_only_when_the_first_attempt_failed(
    bare: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that never ran `apt-get update`, the installation is tried, the lists are got, it is tried again."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    make_tool(bare, "uv", "")
    make_tool(bare, "sudo", 'exec "$@"')
    lists = bare.root / "lists"
    notes = make_tool(bare, "apt-get", f'[ "$1" = update ] && : > {lists}; [ -e {lists} ]')
    step = plan(bare, RUN_LOCK, [Need.HSM])[0]
    install = "apt-get install --yes --no-install-recommends softhsm2"

    step.carry_out()
    first = notes.read_text()
    notes.unlink()
    step.carry_out()

    assert first == f"sudo {install}\n{install}\nsudo apt-get update\napt-get update\nsudo {install}\n{install}\n"
    assert notes.read_text() == f"sudo {install}\n{install}\n"


def test_packages_that_cannot_be_installed_say_so(bare: Checkout, capfd: pytest.CaptureFixture[str]) -> None:
    """When apt-get fails to the end, its own words are shown, and ours name the command."""
    make_tool(bare, "apt-get", "echo E: no such package; exit 100")

    with pytest.raises(SetupError, match=r"`apt-get install .* softhsm2 .*` failed"):
        carry_out(bare, RUN_LOCK, Need.HSM)

    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.count("E: no such package") == 2  # the update and the second attempt


def test_without_apt_or_root_the_message_says_what_to_do(bare: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than on Debian, or without sudo, the person is told what to install and how."""
    (bare.root / "bin" / "apt-get").unlink()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SetupError, match=r"softhsm2 .* no apt-get here\. Install the same"):
        plan(bare, RUN_LOCK, [Need.HSM])

    make_tool(bare, "apt-get", "")
    with pytest.raises(SetupError, match=r"no sudo here\. Run `apt-get install .*` as root"):
        plan(bare, RUN_LOCK, [Need.HSM])
