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
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from idverify.errors import SetupError

RUN_LOCK = "requirements.lock"
TEST_LOCK = "requirements-test.lock"
# Every pin of the run lock is in the test lock too, so a `.venv` made for tests also runs the product.
LOCKS_INSTALLED_BY = {RUN_LOCK: (RUN_LOCK,), TEST_LOCK: (RUN_LOCK, TEST_LOCK)}

SOFTHSM_MODULES = (
    "usr/lib/softhsm/libsofthsm2.so",  # Debian, Ubuntu
    "usr/lib/*/softhsm/libsofthsm2.so",  # the same, per architecture
    "usr/lib64/pkcs11/libsofthsm2.so",  # Fedora
    "usr/local/lib/softhsm/libsofthsm2.so",  # built by hand, Homebrew on Intel
    "opt/homebrew/lib/softhsm/libsofthsm2.so",
)
CHROMIUM = Path("/usr/bin/chromium")
STRACE = Path("/usr/bin/strace")
POSTGRES_BINARIES = "usr/lib/postgresql/*/bin/initdb"  # Debian, Ubuntu; tests start a cluster of their own from them
# Debian's package would make a cluster of the system's own and start it, unless this file says no.
POSTGRES_SETTINGS = Path("/etc/postgresql-common/createcluster.conf")


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


def plan(checkout: Checkout, lock: str, *, hsm: bool, workshop: bool = False) -> list[Step]:
    """List what is missing for this lock, for an HSM if asked, and for the ``workshop`` that tests work in: a browser,
    a database server, and what makes system calls fail. Raises SetupError without apt-get.
    """
    steps = []
    packages = ["softhsm2"] if hsm and not has_softhsm() else []
    if workshop and not CHROMIUM.exists():
        packages.append("chromium")
    if workshop and not has_postgres():
        packages.append("postgresql")
        if not POSTGRES_SETTINGS.exists():
            steps.append(no_system_cluster())
    if workshop and not STRACE.exists():
        packages.append("strace")
    if not checkout.holds(lock) and not can_get_pip(checkout):
        packages.append(f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
    if packages:
        command = package_command(packages)
        steps.append(Step(" ".join(command), partial(install_packages, command)))
    if not checkout.holds(lock):
        tool = "uv" if shutil.which("uv") else "pip"
        line = f"install {lock} into .venv with {tool}, every file checked against its hash"
        steps.append(Step(line, partial(install_lock, checkout, lock)))
    return steps


def has_softhsm() -> bool:
    return any(any(Path("/").glob(module)) for module in SOFTHSM_MODULES)


def has_postgres() -> bool:
    return any(Path("/").glob(POSTGRES_BINARIES))


def no_system_cluster() -> Step:
    """Only the programs of PostgreSQL are wanted: nothing is to run on this machine that nobody asked for."""
    write = f"mkdir -p {POSTGRES_SETTINGS.parent} && echo create_main_cluster = false > {POSTGRES_SETTINGS}"
    command = as_root(["sh", "-c", write])
    cure = "Mend that, then start again."
    return Step(f"{POSTGRES_SETTINGS}: no database of the system's own", partial(must_run, command, cure))


def can_get_pip(checkout: Checkout) -> bool:
    """Whether the lock can be installed; Debian keeps ensurepip in a package of its own."""
    return checkout.has_pip() or bool(shutil.which("uv") or importlib.util.find_spec("ensurepip"))


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
