"""Every check of this checkout, in order: `python3 -m idverify test [--long] [pytest arguments]`.

One line with its time for each check of the source, then pytest, whose closing line is the last. Every check runs
even if one before it failed; the exit status is 0 only if all passed. With pytest arguments, only pytest runs, and in
one process: what somebody works on is small, and a debugger needs the terminal.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

CHECKS: dict[str, list[Path | str]] = {
    "lint": [BIN / "ruff", "check", "--quiet"],
    "format": [BIN / "ruff", "format", "--check", "--quiet"],
    "types": [BIN / "mypy"],
    "layers": [BIN / "lint-imports"],
}

# One process more than cores, because a test waits for half of its time. In the order of the folders, so that the
# longest parts come first: conftest.py says what stays together.
SIDE_BY_SIDE = [f"--numprocesses={len(os.sched_getaffinity(0)) + 1}", "--no-loadscope-reorder"]


def main(arguments: list[str]) -> int:
    """Run the checks, then pytest; return 0 if all passed."""
    arguments = [argument for argument in arguments if argument not in {"--yes", "--"}]
    only_pytest = bool(set(arguments) - {"--long"})
    results = [] if only_pytest else [check(name, command) for name, command in CHECKS.items()]
    how = [] if only_pytest else SIDE_BY_SIDE
    tests = subprocess.run([sys.executable, "-m", "pytest", *how, *arguments], cwd=ROOT, check=False)
    return tests.returncode or int(not all(results))


def check(name: str, command: list[Path | str]) -> bool:
    """Run one check, print its line, and what it said if it failed."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    passed = done.returncode == 0
    sys.stdout.write(f"{name:<8}{'passed' if passed else 'FAILED'} in {time.monotonic() - began:.1f} s\n")
    if not passed:
        sys.stdout.write(done.stdout)
    sys.stdout.flush()
    return passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
