"""A log in memory behind the port `LedgerStorage`, faults at every call, and a key that remembers what it signed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from idverify.ledger import (
    Checkpoint,
    Draft,
    EntryType,
    FencedError,
    ForkError,
    LedgerStorage,
    Publisher,
    TreeState,
    genesis,
    sequence,
)
from idverify.ledger.guard import require_untouched
from idverify.ledger.log_signers import LogSigners
from idverify.ledger.note import Ed25519Verifier, NoteSignature, write_note

ORIGIN = "log.example/1"
NOW = 1_800_000_000
HOLDER = b"a publisher"


class Crash(Exception):
    """The machine stopped: before or after the call took effect, the caller cannot know."""


def draft(number: int) -> Draft:
    """The draft of entry `number`: the start of the log, then credentials, each with its own handle and digest."""
    kind = EntryType.CREDENTIAL if number else EntryType.LOG_START
    seed = sha256(b"entry %d" % number).digest()
    return Draft(kind, seed[:16], sha256(seed).digest())


@dataclass
class SoftwareSigner:
    """An Ed25519 key made from a seed; `signed` holds every checkpoint it ever signed."""

    name: str = ORIGIN
    seed: bytes = bytes(32)
    signed: list[Checkpoint] = field(default_factory=list)

    @property
    def public_key(self) -> bytes:
        """RFC 8032, 32 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    @property
    def verifier(self) -> Ed25519Verifier:
        """What everyone else checks its signatures with."""
        return Ed25519Verifier(self.name, self.public_key)

    def note(self, checkpoint: Checkpoint) -> bytes:
        """The checkpoint as this key signs it."""
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(checkpoint.text())
        return write_note(checkpoint.text(), [NoteSignature(self.name, self.verifier.key_id, signature)])

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """The RFC 8032 signature over the note's text."""
        self.signed.append(checkpoint)
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(checkpoint.text())


def publishing(storage: LedgerStorage, signer: SoftwareSigner, *, holder: bytes = HOLDER, **others: Any) -> Publisher:
    """A publisher of the log at `NOW`; all of them are one and the same after a restart, unless `holder` says not."""
    return Publisher(storage, ORIGIN, LogSigners.each(signer), **({"now": lambda: NOW, "holder": holder} | others))


@dataclass
class GuardMemory:
    """A guard that forgets nothing."""

    remembered: Checkpoint | None = None

    async def read(self) -> Checkpoint | None:
        return self.remembered

    async def write(self, checkpoint: Checkpoint) -> None:
        self.remembered = checkpoint


@dataclass
class SharedGuard:
    """What one of several processes has of a guard: it writes only over what it knows."""

    shared: GuardMemory
    known: Checkpoint | None = None

    async def read(self) -> Checkpoint | None:
        self.known = self.shared.remembered
        return self.known

    async def write(self, checkpoint: Checkpoint) -> None:
        require_untouched(self.shared.remembered, self.known, checkpoint)
        self.shared.remembered = self.known = checkpoint


@dataclass
class LedgerMemory:
    """A storage that keeps the contract, and a `LogSource` over the same bytes."""

    state: TreeState = field(default_factory=lambda: genesis(ORIGIN))
    log: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)
    intents: dict[int, bytes] = field(default_factory=dict)
    notes: list[tuple[int, bytes]] = field(default_factory=list)
    quorum: tuple[int, bytes] | None = None
    lease: tuple[int, bytes | None, int] = (0, None, 0)
    bundle_size: int = 7

    def append(self, count: int, now: int = NOW) -> None:
        """Commit `count` further entries."""
        for number in range(self.state.size, self.state.size + count):
            self.add(draft(number), now)

    def add(self, one: Draft, now: int = NOW) -> None:
        """Commit one entry of your own."""
        self.state, entry, leaf = sequence(self.state, one, now)
        self.log.append(entry)
        self.leaves.append(leaf)

    async def tree_state(self) -> TreeState:
        return self.state

    async def leaf_hashes(self, start: int, stop: int) -> list[bytes]:
        return self.leaves[start:stop]

    async def entries(self, start: int, stop: int) -> list[bytes]:
        return self.log[start:stop]

    async def full_tile(self, level: int, index: int) -> bytes | None:
        return self.tiles.get((level, index))

    async def take_lease(self, holder: bytes, now: int, seconds: int) -> int | None:
        epoch, held_by, until = self.lease
        if held_by != holder and now < until:
            return None
        self.lease = (epoch + (held_by != holder), holder, now + seconds)
        return self.lease[0]

    async def intend_checkpoint(
        self, epoch: int, size: int, root: bytes, tiles: Mapping[tuple[int, int], bytes]
    ) -> None:
        if epoch != self.lease[0]:
            raise FencedError(f"epoch {epoch} is over")
        if self.intents.get(size, root) != root:
            raise ForkError(f"another root was intended for size {size}")
        if any(self.tiles.get(place, tile) != tile for place, tile in tiles.items()):
            raise ForkError("a tile differs from the one written before")
        self.intents[size] = root
        self.tiles.update(tiles)

    async def latest_checkpoint(self) -> bytes | None:
        return self.notes[-1][1] if self.notes else None

    async def advance_checkpoint(
        self, epoch: int, previous_size: int | None, size: int, root: bytes, note: bytes
    ) -> bool:
        if self.intents.get(size) != root:
            raise ForkError(f"size {size} was not intended with this root")
        if epoch != self.lease[0] or previous_size != (self.notes[-1][0] if self.notes else None):
            return False
        self.notes.append((size, note))
        return True

    async def quorum_checkpoint(self) -> bytes | None:
        return None if self.quorum is None else self.quorum[1]

    async def keep_quorum_checkpoint(self, size: int, note: bytes) -> None:
        if size in dict(self.notes) and (self.quorum is None or size > self.quorum[0]):
            self.quorum = (size, note)

    def bundles(self) -> Iterator[tuple[int, bytes, list[bytes]]]:
        for first in range(0, len(self.log), self.bundle_size):
            span = slice(first, first + self.bundle_size)
            yield first, b"".join(self.leaves[span]), self.log[span]

    def checkpoints(self) -> Iterator[bytes]:
        return (note for _, note in self.notes)

    def full_tiles(self) -> Iterator[tuple[int, int, bytes]]:
        return ((level, index, tile) for (level, index), tile in self.tiles.items())


class FaultyStorage:
    """The storage `inner`, whose call number `at` (from 0) crashes, before or after it took effect."""

    def __init__(self, inner: LedgerMemory, at: int, *, takes_effect: bool) -> None:
        self.inner = inner
        self.calls = 0
        self.at = at
        self.takes_effect = takes_effect

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self.inner, name)

        async def call(*arguments: Any) -> Any:
            number, self.calls = self.calls, self.calls + 1
            if number == self.at and not self.takes_effect:
                raise Crash(name)
            result = await method(*arguments)
            if number == self.at:
                raise Crash(name)
            return result

        return call
