"""A witness's memory without a disk, and a witness of the tests' log over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from idverify.ledger.cosignature import COSIGNATURE_V1, ML_DSA_44
from idverify.ledger.cosigner import Cosigner
from idverify.ledger.witness import Cosigned

NOW = 1_800_000_000


@dataclass
class WitnessMemory:
    """``WitnessStore`` in memory; ``before`` runs once, in the middle of the next request."""

    records: dict[str, Cosigned] = field(default_factory=dict)
    before: Callable[[], None] | None = None

    async def latest(self, origin: str) -> Cosigned | None:
        """What was cosigned last."""
        return self.records.get(origin)

    async def advance(self, origin: str, previous: Cosigned | None, new: Cosigned) -> bool:
        """Compare and swap."""
        if self.before is not None:
            run, self.before = self.before, None
            run()
        kept = self.records.get(origin)
        if (kept and (kept.size, kept.root)) != (previous and (previous.size, previous.root)):
            return False
        self.records[origin] = new
        return True


def cosigners(name: str) -> list[Cosigner]:
    """A key of each type, made from the name."""
    return [
        Cosigner.from_seed(kind, name, name.encode().ljust(32)[:31] + bytes([kind]))
        for kind in (COSIGNATURE_V1, ML_DSA_44)
    ]
