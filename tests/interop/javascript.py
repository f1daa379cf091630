"""Programs of other people's JavaScript libraries, run by Node.js beside the packages that set-up installs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
VENV = FOLDER.parents[1] / ".venv" / "bin"
SECONDS = 120


def run(program: str, given: Any) -> Any:
    """What a program of this folder answers to ``given``; skips where Node.js or npm's packages cannot be had."""
    node = shutil.which("node") or shutil.which("node", path=VENV)
    if node is None or not (FOLDER / "node_modules").is_dir():
        pytest.skip("needs Node.js and the packages of tests/interop/package-lock.json: python3 -m idverify test")
    done = subprocess.run(
        [node, program],
        cwd=FOLDER,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
