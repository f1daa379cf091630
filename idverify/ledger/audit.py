"""Auditing a whole log with nothing but its public key: every byte is hashed again, nothing stored is believed.

The caller streams what is kept (`LogSource`); the audit names the first bad entry, not only that there is
one. It shares no code with the storage drivers, and runs as well over files copied elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from idverify.ledger.chain import Link, examine, follow
from idverify.ledger.checkpoint import Checkpoint, of_first_kind, require_log
from idverify.ledger.edge import TILE_HEIGHT, TILE_WIDTH, RightEdge, split_hashes
from idverify.ledger.entry import Entry
from idverify.ledger.errors import MalformedError, SignatureError
from idverify.ledger.identity import LogIdentity
from idverify.ledger.merkle import leaf_hashes
from idverify.ledger.note import NoteVerifier, open_note
from idverify.ledger.sequencer import genesis

MAX_FINDINGS: Final = 1000

RULES: Final[Mapping[str, str]] = {
    "bundle": "bundles of entries follow each other without gap and can be read",
    "entry": "an entry has exactly the form of the specification",
    "index": "entries are numbered without gap",
    "prev": "an entry names the leaf hash of the one before",
    "time": "time never runs backwards",
    "closed": "nothing follows the entry that closes the log",
    "leaf_hash": "the stored leaf hash is that of the stored bytes",
    "identity": "entry 0 commits to the published identity of the deployment",
    "checkpoint": "a checkpoint is well formed and signed by the log's key",
    "order": "checkpoints only grow",
    "root": "the entries lead to the root that was signed for their number",
    "truncated": "every entry that was ever signed for is there",
    "unsigned": "a log with entries has a signed checkpoint",
    "tile": "a full tile holds exactly the hashes of its entries, and none is missing below a signed size",
}
"""Rule ids of findings, and what holds where there is none."""


class LogSource(Protocol):
    """A log as it is kept, read in order; what cannot be read raises and is no finding."""

    def bundles(self) -> Iterator[tuple[int, bytes, list[bytes]]]:
        """(index of the first entry, stored leaf hashes concatenated, entries), in order of index."""

    def checkpoints(self) -> Iterator[bytes]:
        """Every signed checkpoint kept, in order of size."""

    def full_tiles(self) -> Iterator[tuple[int, int, bytes]]:
        """(level, index, 8192 bytes) of every full tile, in any order."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be: `index` is the entry, None where no single entry is to blame."""

    index: int | None
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the audit has come: entries and checkpoints examined."""

    entries: int
    checkpoints: int


@dataclass(frozen=True, slots=True)
class Report:
    """What the audit found over `size` entries with `root`.

    `signed_size` is the largest size with a checkpoint that holds; entries from there on are promised to
    nobody yet.
    """

    size: int
    root: bytes
    signed_size: int
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def first_bad_index(self) -> int | None:
        """The first entry that is to blame for something."""
        return min((finding.index for finding in self.findings if finding.index is not None), default=None)


def fsck(
    source: LogSource,
    verifier: NoteVerifier,
    origin: str,
    *,
    identity: LogIdentity | None = None,
    further: Sequence[NoteVerifier] = (),
) -> Iterator[Progress | Report]:
    """Audit the log `origin` whose checkpoints `verifier` checks; yields `Progress` per bundle, and last the `Report`.

    With `identity`, what the deployment published, entry 0 must commit to it. `further` are keys that the log
    signed with later on: where one of them signed, its signature must hold, too. One of the same kind as `verifier`
    may have signed in its place. Memory: about one byte per entry,
    for the digests of full tiles. Findings beyond `MAX_FINDINGS` are not kept.
    """
    audit = _Audit([verifier, *further], origin, source.checkpoints(), identity)
    bundles = source.bundles()
    while audit.examine_next(bundles):
        yield Progress(audit.entries, audit.checkpoints)
    audit.examine_end()
    audit.examine_tiles(source.full_tiles())
    yield Report(audit.edge.size, audit.edge.root(), audit.signed_size, tuple(audit.findings))


class _Audit:
    def __init__(
        self, verifiers: Sequence[NoteVerifier], origin: str, notes: Iterator[bytes], identity: LogIdentity | None
    ) -> None:
        self.findings: list[Finding] = []
        self.edge = RightEdge()
        self.checkpoints = 0
        self.signed_size = 0
        self._verifiers = verifiers
        self._origin = origin
        self._notes = notes
        self._identity = identity
        self._link = Link(0, genesis(origin).head, 0)
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._pending: list[bytes] = []
        self._agrees = True
        self._due = self._next_checkpoint()

    @property
    def entries(self) -> int:
        """Entries examined."""
        return self._link.index

    def examine_next(self, bundles: Iterator[tuple[int, bytes, list[bytes]]]) -> bool:
        """Examine one bundle; False where there is none, or none that could continue the log."""
        try:
            first, stored, entries = next(bundles)
        except StopIteration:
            return False
        except MalformedError as error:
            self._find(self._link.index, "bundle", str(error))
            return False
        if first != self._link.index or not entries:
            self._find(self._link.index, "bundle", f"expected entries from here on, got {len(entries)} from {first} on")
            return False
        computed = leaf_hashes(entries)
        if self._identity and first == 0:
            self._examine_identity(entries[0], self._identity)
        self._examine_entries(entries, computed, split_hashes(stored))
        self._grow(computed)
        return True

    def examine_end(self) -> None:
        """Hold the signed sizes nobody reached against the log."""
        self._extend(len(self._pending))
        unreached = self._due
        while following := self._next_checkpoint():
            unreached = following
        if unreached:
            here = self.edge.size
            self._find(here, "truncated", f"{unreached.size} entries were signed for, {here} are there")
        if self.edge.size and not self.signed_size and self._agrees:
            self._find(None, "unsigned", f"expected a checkpoint over some of the {self.edge.size} entries, got none")

    def examine_tiles(self, tiles: Iterator[tuple[int, int, bytes]]) -> None:
        """Compare every stored full tile with the one the entries lead to."""
        missing = {
            (level, index)
            for level, index in self._tiles
            if (index + 1) << TILE_HEIGHT * (level + 1) <= self.signed_size
        }
        for level, index, data in tiles:
            missing.discard((level, index))
            if self._tiles.get((level, index)) != sha256(data).digest():
                self._find(None, "tile", f"level {level}, index {index} does not hold the hashes of its entries")
        for level, index in sorted(missing):
            self._find(None, "tile", f"level {level}, index {index} is missing")

    def _examine_identity(self, data: bytes, identity: LogIdentity) -> None:
        try:
            digest = Entry.decode(data).digest
        except MalformedError:
            return  # named as such with the other entries
        if digest != identity.digest():
            self._find(0, "identity", f"expected the digest {identity.digest().hex()}, got {digest.hex()}")

    def _examine_entries(self, entries: list[bytes], leaf_hashes: list[bytes], stored: list[bytes]) -> None:
        if stored == leaf_hashes and (link := follow(self._link, entries, leaf_hashes)):
            self._link = link
            return
        if len(stored) != len(entries):
            self._find(self._link.index, "bundle", f"expected {len(entries)} leaf hashes, got {len(stored)}")
            stored = leaf_hashes
        for entry, computed, kept in zip(entries, leaf_hashes, stored, strict=True):
            index = self._link.index
            if computed != kept:
                self._find(index, "leaf_hash", f"expected {computed.hex()}, stored is {kept.hex()}")
            self._link, broken = examine(self._link, entry, computed)
            for rule, detail in broken:
                self._find(index, rule, detail)

    def _grow(self, leaf_hashes: list[bytes]) -> None:
        """Append to the tree, stopping at every size that was signed; else tile by tile, as copying the edge costs."""
        self._pending += leaf_hashes
        while self._due and self._due.size <= self.edge.size + len(self._pending):
            self._extend(self._due.size - self.edge.size)
            self._compare_root(self._due)
            self._due = self._next_checkpoint()
        if len(self._pending) >= TILE_WIDTH:
            self._extend(len(self._pending))

    def _extend(self, count: int) -> None:
        self.edge, tiles = self.edge.extend(self._pending[:count])
        del self._pending[:count]
        self._tiles.update((place, sha256(tile).digest()) for place, tile in tiles.items())

    def _compare_root(self, signed: Checkpoint) -> None:
        agreed, self._agrees = self._agrees, self.edge.root() == signed.root
        if self._agrees:
            self.signed_size = signed.size
        elif agreed:  # once parted, trees stay apart: every later root differs, too, and says nothing new
            span = f"the entries {self.signed_size} to {signed.size - 1}"
            self._find(None, "root", f"{span} do not lead to the root {signed.root.hex()} signed for {signed.size}")

    def _next_checkpoint(self) -> Checkpoint | None:
        """The next checkpoint that holds for itself and is still ahead of the tree."""
        for note in self._notes:
            self.checkpoints += 1
            try:
                opened = open_note(note, self._verifiers)
                checkpoint = Checkpoint.parse(opened.text)
                require_log(opened, checkpoint.origin, of_first_kind(self._verifiers))
            except (MalformedError, SignatureError) as error:
                self._find(None, "checkpoint", f"checkpoint {self.checkpoints}: {error}")
                continue
            if checkpoint.origin != self._origin:
                self._find(None, "checkpoint", f"expected the log {self._origin}, got {checkpoint.origin}")
            elif checkpoint.size < self.edge.size:
                self._find(None, "order", f"expected a size of at least {self.edge.size}, got {checkpoint.size}")
            else:
                return checkpoint
        return None

    def _find(self, index: int | None, rule: str, detail: str) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(index, rule, detail))
