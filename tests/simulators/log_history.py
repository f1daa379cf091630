"""Everything that a log's keys ever signed, held against the entries that stood in storage at that moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from idverify.ledger import Checkpoint, open_checkpoint
from idverify.ledger.merkle import EMPTY_ROOT, node_hash
from idverify.ledger.note import Ed25519Verifier
from tests.simulators.ledger_memory import SoftwareSigner


class Forked(AssertionError):
    """Two people could be shown two different logs, or one of them something that is no log at all."""


def tree_hash(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, level by level and with nothing of the code under test but the two hashes."""
    level = leaves or [EMPTY_ROOT]
    while len(level) > 1:
        pairs = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) & ~1 :]
    return level[0]


def everything(_: Checkpoint) -> bool:
    """All that was ever signed binds the log."""
    return True


@dataclass
class History:
    """`signed` has the leaf hashes behind every checkpoint; the log must not contradict those that are `binding`.

    What is wrong is raised and kept in `broken`: whoever dies of it does not tell.
    """

    binding: Callable[[Checkpoint], bool] = everything
    signed: dict[Checkpoint, list[bytes]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def record(self, checkpoint: Checkpoint, stored: list[bytes]) -> None:
        """Something is signed while storage holds these leaf hashes."""
        leaves = stored[: checkpoint.size]
        if len(leaves) != checkpoint.size or tree_hash(leaves) != checkpoint.root:
            self._break(f"signed for size {checkpoint.size}: a tree that storage, at {len(stored)}, does not hold")
        self.signed[checkpoint] = leaves
        self.require_one_log(checkpoint)

    def require_one_log(self, checkpoint: Checkpoint) -> None:
        """It goes with all that binds the log."""
        for other in self.signed:
            if self.binding(other) and not self._agree(checkpoint, other):
                self._break(f"two trees, of size {other.size} and {checkpoint.size}, neither a prefix of the other")

    def require_signed(self, shown: Checkpoint) -> None:
        """What somebody is shown was signed, by us."""
        if shown not in self.signed:
            self._break(f"shown for size {shown.size}: a root that was never signed")

    def is_covered_by(self, stored: list[bytes]) -> bool:
        """Whether these leaf hashes continue all that was ever signed."""
        return all(stored[: len(leaves)] == leaves for leaves in self.signed.values())

    def _agree(self, one: Checkpoint, other: Checkpoint) -> bool:
        common = min(one.size, other.size)
        return self.signed[one][:common] == self.signed[other][:common]

    def _break(self, what: str) -> None:
        self.broken.append(what)
        raise Forked(what)


@dataclass
class WatchedSigner(SoftwareSigner):
    """A key that puts down everything it signs, before the signature leaves it."""

    history: History = field(default_factory=History)
    stored: Callable[[], list[bytes]] = list
    _opened: dict[bytes, Checkpoint] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._verifier = super().verifier

    @property
    def verifier(self) -> Ed25519Verifier:
        """Made once: it is asked for often."""
        return self._verifier

    def opened(self, note: bytes) -> Checkpoint:
        """The checkpoint that it signed. Verified once: it is looked at often."""
        if note not in self._opened:
            self._opened[note] = open_checkpoint(note, [self._verifier])
        return self._opened[note]

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        self.history.record(checkpoint, self.stored())
        return await super().sign(checkpoint)
