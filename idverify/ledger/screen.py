"""What a publisher shows, and those who wait for it to show more."""

import asyncio
from dataclasses import dataclass

from idverify.ledger.published import SignedTree, Snapshot
from idverify.ledger.tiles import TileTree


@dataclass(frozen=True, slots=True)
class Head:
    """A tree and the note that signs it, None for the empty tree before the first checkpoint."""

    tree: TileTree
    note: bytes | None

    @property
    def size(self) -> int:
        """Entries in the tree."""
        return self.tree.size

    def signed(self) -> SignedTree | None:
        """The same, if it is signed."""
        return None if self.note is None else SignedTree(self.tree, self.note)


@dataclass(frozen=True, slots=True)
class Shown:
    """The latest checkpoint, and the latest that meets the policy, which receipts rest on."""

    latest: Head
    quorum: Head

    def snapshot(self) -> Snapshot | None:
        """What the outside gets to see, None before the first checkpoint."""
        latest = self.latest.signed()
        return None if latest is None else Snapshot(latest, self.quorum.signed())


class Screen:
    """`shown` is None before anything was read from storage, and after an error: then it is read again."""

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self.shown: Shown | None = None
        self._advanced = asyncio.Event()

    def show(self, shown: Shown) -> None:
        """Show this from now on, and wake those who wait."""
        self.shown = shown
        self._advanced.set()
        self._advanced = asyncio.Event()

    def covers(self, index: int) -> bool:
        """Whether a checkpoint that receipts rest on covers entry `index`."""
        return self.shown is not None and self.shown.quorum.size > index

    async def covered(self, index: int) -> None:
        """Wait until `covers` holds, for as long as it takes."""
        while not self.covers(index):
            await self._advanced.wait()
