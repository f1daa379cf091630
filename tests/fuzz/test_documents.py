"""Documents that somebody without the issuer's and the holder's keys can make: none is accepted, none is a fault."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idverify.core.verdict import Outcome
from idverify.services.verify import verify
from tests.fuzz.judged import KINDS, Tally, judge, outright
from tests.simulators import credential_world as world
from tests.simulators.choices import Choices

ROOT = Path(__file__).resolve().parents[2]
SHORT, LONG = 2_000, 1_000_000
EXAMPLES = 1_000


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_genuine_is_accepted(kind: str) -> None:
    """Without it, refusing everything would pass."""
    asked = KINDS[kind]
    for document in asked.genuine:
        assert outright(verify(asked.verifier, asked.submission(document), world.NOW)).verdict.verdict is Outcome.ACCEPT


@pytest.mark.parametrize("kind", KINDS)
def test_choices_of_hypothesis(kind: str) -> None:
    """Zero accepted, zero faults, and at least half get past parsing."""
    tally = Tally()

    @given(st.binary(min_size=8, max_size=128))
    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True)
    def judged(chosen: bytes) -> None:
        judge(KINDS[kind], Choices(chosen), tally)

    judged()
    require_reached(tally, EXAMPLES / 2)


@pytest.mark.parametrize("kind", KINDS)
def test_guided_by_coverage(kind: str) -> None:
    """Chosen by what leads to lines that were not reached before, the parser's among them: fewer get past it."""
    require_reached(guided(kind, SHORT), SHORT / 2, share=1 / 3)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_million_guided_by_coverage(kind: str) -> None:
    """The same for as long as it takes."""
    require_reached(guided(kind, LONG), LONG / 2)


def require_reached(tally: Tally, least: float, share: float = 1 / 2) -> None:
    """Enough mutants, of which such a share could be read: the rules behind the parser had something to do."""
    assert tally.mutants >= least
    assert tally.read >= tally.mutants * share, tally


def guided(kind: str, runs: int) -> Tally:
    """What the fuzzer counted in a process of its own, which libFuzzer ends."""
    pytest.importorskip("atheris", reason="atheris has wheels for Linux on x86-64 alone")
    command = [sys.executable, "-m", "tests.fuzz.guided", kind, str(runs)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return Tally(**json.loads(done.stdout.splitlines()[-1]))
