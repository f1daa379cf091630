"""A published tree in memory: what a log serves, ready to be damaged, or to be written to a directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from idverify.ledger import Checkpoint, Draft, LogIdentity, Policy, encode_bundle, vkey
from idverify.ledger.description import LogDescription
from idverify.ledger.edge import RightEdge
from idverify.ledger.file_tree import edge_tiles
from idverify.ledger.published import CHECKPOINT, bundle_path
from idverify.ledger.tiles import Tile
from tests.simulators.ledger_memory import NOW, ORIGIN, LedgerMemory, SoftwareSigner, draft

SIGNER = SoftwareSigner()


IDENTITY = LogIdentity(ORIGIN, "https://id.example", "id.example", "https://id.example/status")
DESCRIPTION_OF_LOG = LogDescription(IDENTITY, 1, (vkey(SIGNER.verifier),), "quorum none\n").encode()
"""The `log.json` of the simulated log."""

POLICY = Policy.of_log([SIGNER.verifier])
"""What an auditor trusts who was given the key of the simulated log."""


def open_note(note: bytes) -> Checkpoint:
    """The checkpoint of a note that the simulated log signed."""
    return POLICY.open(note)[0]


@dataclass
class TreeInMemory:
    """`LogFiles` over a dictionary; `asked` counts what was read."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: int = 0

    def read(self, path: str) -> bytes | None:
        self.asked += 1
        return self.files.get(path)

    def read_many(self, paths: Iterable[str]) -> Iterator[bytes | None]:
        return map(self.read, paths)

    def copy(self) -> TreeInMemory:
        """Another tree to be damaged."""
        return TreeInMemory(dict(self.files))

    def write(self, directory: Path) -> Path:
        """The tree as files."""
        for path, data in self.files.items():
            file = directory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return directory


def tree_of(log: LedgerMemory, size: int | None = None, signer: SoftwareSigner = SIGNER) -> TreeInMemory:
    """The first `size` entries of a log (all of them) as a published tree, signed."""
    size = len(log.log) if size is None else size
    edge, tiles = RightEdge().extend(log.leaves[:size])
    files = {Tile(level, index).path(): data for (level, index), data in tiles.items()}
    files |= {tile.path(): b"".join(edge.levels[tile.level]) for tile in edge_tiles(size)}
    for first in range(0, size, 256):
        entries = log.log[first : min(first + 256, size)]
        files[bundle_path(Tile(0, first // 256, len(entries)))] = encode_bundle(entries)
    return TreeInMemory({**files, CHECKPOINT: signer.note(Checkpoint(signer.name, size, edge.root()))})


@cache
def log_of(size: int) -> LedgerMemory:
    """A sound log that commits to its identity; not to be changed."""
    return _grown(size, lambda number: number)


@cache
def another_story(size: int) -> TreeInMemory:
    """The same log as a tree, properly signed, that parts from the other at entry 100."""
    return tree_of(_grown(size, lambda number: number + (number >= 100)))


def _grown(size: int, told: Callable[[int], int]) -> LedgerMemory:
    log = LedgerMemory()
    for number in range(size):
        one = draft(told(number))
        log.add(one if number else Draft(one.type, one.handle, IDENTITY.digest()), NOW + 60 * (number // 100))
    return log
