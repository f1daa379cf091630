"""A published tree in memory: what a log serves, ready to be damaged, or to be written to a directory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from idverify.ledger import Checkpoint, Policy, encode_bundle
from idverify.ledger.edge import RightEdge
from idverify.ledger.file_tree import edge_tiles
from idverify.ledger.published import CHECKPOINT, bundle_path
from idverify.ledger.tiles import Tile
from tests.simulators.ledger_memory import NOW, ORIGIN, LedgerMemory, SoftwareSigner

SIGNER = SoftwareSigner()


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
def log_of(size: int, origin: str = ORIGIN) -> LedgerMemory:
    """A sound log, not to be changed."""
    log = LedgerMemory()
    for minute in range(-(-size // 100)):
        log.append(min(100, size - 100 * minute), NOW + 60 * minute)
    return log
