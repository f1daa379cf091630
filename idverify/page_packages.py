"""The npm packages that web pages are made of, and those that tests need: found, and installed with npm.

Rules:
- Standard library only, as in `prerequisites`.
- `package-lock.json` holds an integrity hash for every file and no address: npm asks whatever registry this machine
  is set to, and believes none.
- No package runs code while it is installed.
- npm itself is the machine's, or comes with the Node.js of PyPI, which `requirements-node.lock` pins.
- A stamp in `node_modules`, named after the digest of the lock, says that it is installed. It is written last.
"""

from __future__ import annotations

import hashlib
import shutil
from functools import partial
from pathlib import Path

from idverify.prerequisites import Checkout, Step, must_run, pip_install

NODE_LOCK = "requirements-node.lock"
FRONTEND = Path("idverify", "web", "frontend")
INTEROP = Path("tests", "interop")  # other people's wallets and verifiers: tests alone run them


def plan_packages(checkout: Checkout, *, tests: bool) -> list[Step]:
    """List what is missing for the pages, or for every test too: one step for each lock, to come after `.venv`."""
    origin = "" if find_npm(checkout) else f" (from {NODE_LOCK}: about 60 MB, as there is none here)"
    steps = []
    for folder in (FRONTEND, INTEROP) if tests else (FRONTEND,):
        if not stamp(checkout, folder, tests=tests).exists():
            line = f"install {folder / 'package-lock.json'} with npm{origin}, every file checked against its hash"
            steps.append(Step(line, partial(install, checkout, folder, tests=tests)))
    return steps


def stamp(checkout: Checkout, folder: Path, *, tests: bool) -> Path:
    project = checkout.root / folder
    digest = hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()
    return project / "node_modules" / f".idverify-{'test-' if tests else ''}{digest}"


def find_npm(checkout: Checkout) -> str | None:
    """The machine's npm, or the one that an earlier set-up put into `.venv`."""
    return shutil.which("npm") or shutil.which("npm", path=checkout.venv / "bin")


def install(checkout: Checkout, folder: Path, *, tests: bool) -> None:
    """Install the lock of a folder, without its development packages unless they are wanted, and stamp it."""
    if find_npm(checkout) is None:
        pip_install(checkout, NODE_LOCK)
    npm = str(find_npm(checkout))
    development = "--include=dev" if tests else "--omit=dev"
    cure = f"If it is not the network, remove {folder / 'node_modules'}, then start again."
    must_run([npm, "ci", "--prefix", str(checkout.root / folder), "--ignore-scripts", development], cure)
    for installed in {False, tests}:
        stamp(checkout, folder, tests=installed).touch()
