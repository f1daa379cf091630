"""What a source checkout needs before it runs, and how each thing is found and installed.

Rules:
- Standard library only: nothing else is there yet.
- What is missing is found by looking for the thing itself, so any way of having installed it counts.
- A stamp in `.venv`, named after the digest of a lock, says that this lock is installed. It is removed first
  and written last, so a set-up that was interrupted is done again.
- Everything said goes to standard error: standard output belongs to the command.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from idverify.errors import SetupError

RUN_LOCK = "requirements.lock"
TEST_LOCK = "requirements-test.lock"
# Every pin of the run lock is in the test lock too, so a `.venv` made for tests also runs the product.
LOCKS_INSTALLED_BY = {RUN_LOCK: (RUN_LOCK,), TEST_LOCK: (RUN_LOCK, TEST_LOCK)}

ROOT = Path("/")
# Debian's package would make a cluster of the system's own and start it, unless this file says no.
POSTGRES_SETTINGS = "etc/postgresql-common/createcluster.conf"
# A unit that is a link to /dev/null is never started.
SLOT_DAEMON = "etc/systemd/system/pkcsslotd.service"


class Need(StrEnum):
    """What a package is installed for."""

    VENV = "a .venv with the lock in it"
    HSM = "keys in an HSM"
    SERVICE = "whatever serves: pages, and letters on paper"
    WORKSHOP = "the workshop that tests work in"


@dataclass(frozen=True)
class Step:
    """One line of the plan and the call that carries it out, which raises SetupError."""

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

    def has_pip(self) -> bool:
        return self.python.exists() and (self.venv / "bin" / "pip").exists()

    def is_active(self) -> bool:
        return self.python.exists() and self.venv.samefile(sys.prefix)


def library(name: str) -> tuple[str, ...]:
    """Where a shared library may be: per architecture (Debian, Ubuntu), Fedora, built by hand, Homebrew."""
    return (
        f"usr/lib/*/{name}",
        f"usr/lib/{name}",
        f"usr/lib64/{name}",
        f"usr/local/lib/{name}",
        f"opt/homebrew/lib/{name}",
    )


def font(name: str) -> tuple[str, ...]:
    """Where a font may be."""
    return (f"usr/share/fonts/**/{name}.*", f"usr/local/share/fonts/**/{name}.*")


def no_system_cluster() -> Step | None:
    """Only the programs of PostgreSQL are wanted: nothing is to run on this machine that nobody asked for."""
    settings = ROOT / POSTGRES_SETTINGS
    if settings.exists():
        return None
    write = f"mkdir -p {settings.parent} && echo create_main_cluster = false > {settings}"
    command = as_root(["sh", "-c", write])
    cure = "Mend that, then start again."
    return Step(f"{settings}: no database of the system's own", partial(must_run, command, cure))


def no_slot_daemon() -> Step | None:
    """Opencryptoki's tests start a daemon of their own, and nobody asked for the one that Debian would start."""
    unit = ROOT / SLOT_DAEMON
    if unit.is_symlink() or unit.exists():
        return None
    command = as_root(["sh", "-c", f"mkdir -p {unit.parent} && ln -s /dev/null {unit}"])
    return Step(f"{unit}: no daemon of opencryptoki", partial(must_run, command, "Mend that, then start again."))


@dataclass(frozen=True)
class Package:
    """A Debian package, what it is needed for, and files any of which shows that it is there.

    ``shown_by`` are patterns beneath ``ROOT``. ``before`` gives a step that must come first, if there is one.
    """

    name: str
    need: Need
    shown_by: tuple[str, ...]
    before: Callable[[], Step | None] = lambda: None

    def is_there(self) -> bool:
        return any(any(ROOT.glob(pattern)) for pattern in self.shown_by)


# In the order in which they are asked for.
PACKAGES = (
    Package("softhsm2", Need.HSM, (*library("softhsm/libsofthsm2.so"), "usr/lib64/pkcs11/libsofthsm2.so")),
    # What WeasyPrint draws with: text, its fonts, and the parts of fonts that go into a PDF
    Package("libpango-1.0-0", Need.SERVICE, library("libpango-1.0.so.0")),
    Package("libpangoft2-1.0-0", Need.SERVICE, library("libpangoft2-1.0.so.0")),
    Package("libharfbuzz-subset0", Need.SERVICE, library("libharfbuzz-subset.so.0")),
    Package("fonts-noto-core", Need.SERVICE, font("NotoSansArabic-Regular")),  # the rarer of those that letters use
    Package("chromium", Need.WORKSHOP, ("usr/bin/chromium",)),
    # Tests start a cluster of their own from its programs
    Package("postgresql", Need.WORKSHOP, ("usr/lib/postgresql/*/bin/initdb",), no_system_cluster),
    # PKCS#11 modules that hsm is tested with beside SoftHSM: another maker's, one that locks its PIN, one that gathers
    Package("libnss3", Need.WORKSHOP, library("libsoftokn3.so")),
    Package("opencryptoki", Need.WORKSHOP, ("usr/sbin/pkcsslotd",), no_slot_daemon),
    Package("p11-kit-modules", Need.WORKSHOP, library("p11-kit-proxy.so")),
    Package("strace", Need.WORKSHOP, ("usr/bin/strace",)),
    Package("poppler-utils", Need.WORKSHOP, ("usr/bin/pdfinfo",)),  # reads letters as others do
    Package("qpdf", Need.WORKSHOP, ("usr/bin/qpdf",)),  # likewise
    # Debian keeps ensurepip in a package of its own
    Package(
        f"python{sys.version_info.major}.{sys.version_info.minor}-venv",
        Need.VENV,
        (f"{sysconfig.get_path('stdlib').lstrip('/')}/ensurepip/__init__.py",),
    ),
)


def plan(checkout: Checkout, lock: str, needs: Collection[Need] = ()) -> list[Step]:
    """List what is missing for this lock and these needs. Raises SetupError without apt-get."""
    wanted = {*needs, Need.VENV} if needs_ensurepip(checkout, lock) else {*needs}
    missing = [package for package in PACKAGES if package.need in wanted and not package.is_there()]
    steps = [step for package in missing if (step := package.before())]
    if missing:
        command = package_command([package.name for package in missing])
        steps.append(Step(" ".join(command), partial(install_packages, command)))
    if not checkout.holds(lock):
        tool = "uv" if shutil.which("uv") else "pip"
        line = f"install {lock} into .venv with {tool}, every file checked against its hash"
        steps.append(Step(line, partial(install_lock, checkout, lock)))
    return steps


def needs_ensurepip(checkout: Checkout, lock: str) -> bool:
    """Whether the lock is to be installed and nothing is there to do it with."""
    return not (checkout.holds(lock) or checkout.has_pip() or shutil.which("uv"))


def package_command(packages: list[str]) -> list[str]:
    if shutil.which("apt-get") is None:
        raise SetupError(
            f"{' and '.join(packages)} (Debian's names) must be installed and there is no apt-get here.",
            "Install the same with this system's own package manager, then start again.",
        )
    return as_root(["apt-get", "install", "--yes", "--no-install-recommends", *packages])


def as_root(command: list[str]) -> list[str]:
    if os.geteuid() == 0:
        return command
    if shutil.which("sudo") is None:
        raise SetupError(
            "Packages must be installed and there is no sudo here.",
            f"Run `{shlex.join(command)}` as root, then start again.",
        )
    return ["sudo", *command]


def install_packages(command: list[str]) -> None:
    """Install; if that fails, as it does with package lists missing or old, update them and try again."""
    if run(command, quiet=True):
        return
    run([*command[: command.index("install")], "update"])
    must_run(command, "Mend that, then start again.")


def install_lock(checkout: Checkout, lock: str) -> None:
    """Install the lock into `.venv` and stamp it."""
    for stamp in checkout.venv.glob(".idverify-*"):
        stamp.unlink()
    pip_install(checkout, lock)
    for installed in LOCKS_INSTALLED_BY[lock]:
        checkout.stamp(installed).touch()


def pip_install(checkout: Checkout, lock: str) -> None:
    """Install exactly what the lock says into `.venv`, which is made if need be."""
    cure = "If it is not the network, remove .venv, then start again."
    if not checkout.python.exists():
        must_run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(checkout.venv)], cure)
    python = str(checkout.python)
    if uv := shutil.which("uv"):
        install = [uv, "pip", "install", "--python", python]
    else:
        install = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        if not checkout.has_pip():
            must_run([python, "-m", "ensurepip", "--default-pip"], cure)
    only = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(checkout.root / lock)]
    must_run([*install, "--quiet", *only], cure)


def must_run(command: list[str], cure: str) -> None:
    if not run(command):
        raise SetupError(f"`{' '.join(command)}` failed; the lines above say why.", cure)


def run(command: list[str], *, quiet: bool = False) -> bool:
    """Run a command to its end, with nobody to ask; say whether it succeeded and, unless quiet, what it said if not."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode and not quiet:
        sys.stderr.write(done.stdout.decode(errors="replace"))
    return done.returncode == 0
