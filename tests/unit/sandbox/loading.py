"""What reading makes a process load, once its pool's jobs are there: told by Python itself, as JSON.

``python loading.py FOLDER [cold]``: reads each file of the folder by the job that its name begins with, as a worker
would that is not confined. ``cold``: nothing was warmed up.
"""

from __future__ import annotations

import contextlib
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from idverify.errors import DocumentError
from idverify.sandbox.jobs import JOBS, Pool
from idverify.sandbox.worker import load

LOADING = {"import", "open", "os.listdir", "os.scandir", "ctypes.dlopen"}
ARGUMENTS = {"read-letter": "pdf", "read-pdf-codes": "pdf", "read-codes": "image"}


def main(folder: str, *how: str) -> None:
    """Load, read, tell."""
    documents = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    if "cold" in how:
        for job in JOBS.values():
            vars(import_module(job.function.partition(":")[0])).pop("warm", None)
    functions = load(JOBS, Pool.READING)
    told: dict[str, list[str]] = {}
    seen: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        # Python quotes the line of a warning in a log, which a worker has not: where it cannot, it does without
        quoted = event == "open" and str(arguments[0]).endswith(".py")
        if event in LOADING and not quoted:
            seen.append(f"{event} {arguments[0]}")

    before = set(sys.modules)
    sys.addaudithook(hook)
    for name, document in documents.items():
        job = next(job for job in ARGUMENTS if name.startswith(job))
        seen.clear()
        with contextlib.suppress(DocumentError):
            functions[job](**{ARGUMENTS[job]: document})
        told[name] = sorted(set(seen))
    told["modules"] = sorted(set(sys.modules) - before)
    print(json.dumps(told))  # noqa: T201  whoever started it reads this


main(*sys.argv[1:])
