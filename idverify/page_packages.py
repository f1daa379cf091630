"""The npm packages that web pages are made of, and those that test them: found, and installed with npm.

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


def plan_packages(checkout: Checkout, *, tests: bool) -> list[Step]:
    """List what is missing for the pages, or for testing them too: nothing, or one step that comes after `.venv`."""
    if stamp(checkout, tests=tests).exists():
        return []
    origin = "" if find_npm(checkout) else f" (from {NODE_LOCK}: about 60 MB, as there is none here)"
    line = f"install {FRONTEND / 'package-lock.json'} with npm{origin}, every file checked against its hash"
    return [Step(line, partial(install, checkout, tests=tests))]


def stamp(checkout: Checkout, *, tests: bool) -> Path:
    frontend = checkout.root / FRONTEND
    digest = hashlib.sha256((frontend / "package-lock.json").read_bytes()).hexdigest()
    return frontend / "node_modules" / f".idverify-{'test-' if tests else ''}{digest}"


def find_npm(checkout: Checkout) -> str | None:
    """The machine's npm, or the one that an earlier set-up put into `.venv`."""
    return shutil.which("npm") or shutil.which("npm", path=checkout.venv / "bin")


def install(checkout: Checkout, *, tests: bool) -> None:
    """Install the lock, without its development packages unless they are wanted, and stamp it."""
    if find_npm(checkout) is None:
        pip_install(checkout, NODE_LOCK)
    npm = str(find_npm(checkout))
    frontend = checkout.root / FRONTEND
    development = "--include=dev" if tests else "--omit=dev"
    cure = f"If it is not the network, remove {FRONTEND / 'node_modules'}, then start again."
    must_run([npm, "ci", "--prefix", str(frontend), "--ignore-scripts", development], cure)
    for installed in {False, tests}:
        stamp(checkout, tests=installed).touch()
