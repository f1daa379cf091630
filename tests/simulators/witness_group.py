"""The witnesses of a policy in memory: each signs what it is shown, unless it is away."""

from __future__ import annotations

from dataclasses import dataclass, field

from idverify.ledger import Checkpoint, Policy, ProofError
from idverify.ledger.cosignature import COSIGNATURE_V1
from idverify.ledger.cosigner import Cosigner
from idverify.ledger.merkle import verify_consistency
from idverify.ledger.note import NoteSignature, open_note
from idverify.ledger.policy import Group, Log, PolicyWitness
from idverify.ledger.witness_client import Comparison, Prove, Standing
from tests.simulators.ledger_memory import NOW, SoftwareSigner


@dataclass
class WitnessGroup:
    """`ledger.publisher.Witnesses`: `count` of them, `quorum` of which must sign (0: none need to)."""

    count: int
    quorum: int
    away: set[int] = field(default_factory=set)
    slow: set[int] = field(default_factory=set)  # these answer what they saw, and cosign too late
    seen: dict[int, list[Checkpoint]] = field(default_factory=dict)

    @property
    def cosigners(self) -> list[Cosigner]:
        """Their keys."""
        return [
            Cosigner.from_seed(COSIGNATURE_V1, f"w{number}.example", bytes([number + 1]) * 32)
            for number in range(self.count)
        ]

    @property
    def policy(self) -> Policy:
        """The simulated log, and these witnesses as `w0`, `w1`, ..."""
        members = tuple(
            PolicyWitness(f"w{number}", cosigner.verifier) for number, cosigner in enumerate(self.cosigners)
        )
        names = tuple(member.name for member in members)
        groups = (Group("quorum", self.quorum, names),) if self.quorum else ()
        return Policy((Log(SoftwareSigner().verifier),), members, groups, "quorum" if self.quorum else None)

    async def compare(self, note: bytes | None, prove: Prove | None = None) -> list[Comparison]:
        """What those who are there saw last, held against a checkpoint."""
        known = None if note is None else Checkpoint.parse(open_note(note, [SoftwareSigner().verifier]).text)
        return [await self._standing(number, known, prove) for number in range(self.count)]

    async def _standing(self, number: int, known: Checkpoint | None, prove: Prove | None) -> Comparison:
        url, names, seen = f"http://w{number}.example", (f"w{number}",), self.seen.get(number)
        if number in self.away:
            return Comparison(url, names, Standing.UNREACHABLE)
        if not seen:
            return Comparison(url, names, Standing.UNKNOWN_LOG)
        if known is None or seen[-1].size > known.size:
            return Comparison(url, names, Standing.AHEAD, f"it saw size {seen[-1].size}")
        try:
            assert prove is not None
            proof = await prove(seen[-1].size) if seen[-1].size < known.size else []
            verify_consistency(seen[-1].size, known.size, seen[-1].root, known.root, proof)
        except ProofError as error:
            return Comparison(url, names, Standing.OTHER_ROOT, str(error))
        return Comparison(url, names, Standing.AGREES)

    async def cosign(self, note: bytes, prove: Prove) -> list[NoteSignature]:
        """What those sign who are there, each after it has checked that the log only grew."""
        checkpoint = Checkpoint.parse(open_note(note, [SoftwareSigner().verifier]).text)
        lines = []
        for number, cosigner in enumerate(self.cosigners):
            if number in self.away | self.slow:
                continue
            seen = self.seen.setdefault(number, [])
            if seen:
                proof = await prove(seen[-1].size)
                verify_consistency(seen[-1].size, checkpoint.size, seen[-1].root, checkpoint.root, proof)
            seen.append(checkpoint)
            lines.append(cosigner.cosign(checkpoint.text(), NOW))
        return lines
