"""A coverage-guided fuzzer of one format: python -m tests.fuzz.guided KIND RUNS

Atheris changes bytes, the bytes choose what is changed in a genuine document (``Choices``), and choices that lead to
new lines of the formats are kept and changed further. The last line says what was counted; any other end is a finding,
and the bytes that led to it are kept in the folder for temporary files.
"""

from __future__ import annotations

import atexit
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["idverify.formats"]):
    from tests.fuzz.judged import KINDS, Tally, judge
from tests.simulators.choices import Choices


def main(kind: str, runs: str) -> None:
    """Fuzz; the process ends with libFuzzer's exit status."""
    tally = Tally()
    atexit.register(lambda: sys.stdout.write(json.dumps(asdict(tally)) + "\n"))
    kept = f"-artifact_prefix={Path(tempfile.gettempdir(), 'idverify-fuzz-')}"
    # No limit of memory: a process inherits the peak of whoever started it. What documents cost is test_bombs' part.
    options = [f"-atheris_runs={runs}", kept, "-max_len=256", "-len_control=0", "-seed=1", "-rss_limit_mb=0"]
    atheris.Setup([sys.argv[0], *options], lambda given: judge(KINDS[kind], Choices(given), tally))
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
