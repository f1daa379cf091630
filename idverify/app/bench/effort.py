"""How long to measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Effort:
    """Sizes of every measurement; each figure is the middle one of ``rounds``, which should be odd."""

    rounds: int
    sign_seconds: float  # of HSM load, per algorithm
    probe_seconds: float  # per primitive and round
    requests: int  # per HTTP round
    commits: int  # per ledger batch size and round
    witnessed_seconds: float  # of a log at work with witnesses, per round
    front_end_seconds: float  # of several processes at work, per round
    meanwhile_seconds: float  # of requests, alone and beside other work, per round
    entries: int  # at least, in the log that is grown and audited


FULL: Final = Effort(
    rounds=5,
    sign_seconds=2.0,
    probe_seconds=0.1,
    requests=480,
    commits=60,
    witnessed_seconds=5.0,
    front_end_seconds=3.0,
    meanwhile_seconds=5.0,
    entries=1_000_000,
)
