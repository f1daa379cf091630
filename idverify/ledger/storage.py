"""The port to whatever keeps the log, with the promises the publisher builds on."""

from collections.abc import Mapping
from typing import Protocol

from idverify.ledger.sequencer import TreeState


class LedgerStorage(Protocol):
    """Durable memory of one log; its drivers live with the database that owns the rows the entries speak of.

    - **Atomic append.** Entries, leaf hashes and `TreeState` change in one transaction, together with the rows they
      speak of; indexes are dense. Every method sees only committed data, and what was once seen never changes or
      disappears.
    - **Durable before done.** A method that writes returns only when the change survives loss of power and, where
      there is a synchronous standby, of the machine. Its wait is never cancelled by a statement timeout: a doubtful
      commit raises, and the caller forgets everything and reads again.
    - **One root for one size.** Roots of intended and of signed sizes are never deleted nor replaced.
    - **Errors are unknowns.** Whatever a method raises, the change may or may not have happened.
    """

    async def tree_state(self) -> TreeState:
        """The state after the last committed entry; `genesis(origin)` before the first."""

    async def leaf_hashes(self, start: int, stop: int) -> list[bytes]:
        """The leaf hashes of the entries `start` to `stop - 1`, 32 bytes each."""

    async def entries(self, start: int, stop: int) -> list[bytes]:
        """The bytes of the entries `start` to `stop - 1`."""

    async def full_tile(self, level: int, index: int) -> bytes | None:
        """The 8192 bytes of a full tile, None where none was written."""

    async def take_lease(self, holder: bytes, now: int, seconds: int) -> int | None:
        """Become the log's publisher until `now + seconds`, or stay it; the epoch to publish under.

        None while another `holder` (16 random bytes of a process) has the lease. Whoever takes it over from another
        gets a higher epoch: storage, not the clock, keeps the one before from publishing.
        """

    async def intend_checkpoint(
        self, epoch: int, size: int, root: bytes, tiles: Mapping[tuple[int, int], bytes]
    ) -> None:
        """Record, durably and before anything is signed, that `root` is going to be signed for `size`.

        `tiles` are those that became full since the last checkpoint, by (level, index); tiles are written
        once, and one that exists already must have the same bytes. On a replicated database this commit also
        proves that the entries below it are replicated.

        Raises `FencedError` when `epoch` is not the newest one. Raises `ForkError` when another root was ever intended
        or signed for `size`, or a tile differs. Raises `StorageError` when fewer than `size` entries are committed, or
        just as many with another root, as on a standby that took over after they were read: an intent for entries that
        never were would stand in the way for good. Only a replicated database has to look.
        """

    async def latest_checkpoint(self) -> bytes | None:
        """The signed note of the largest size, None before the first."""

    async def advance_checkpoint(
        self, epoch: int, previous_size: int | None, size: int, root: bytes, note: bytes
    ) -> bool:
        """Compare and swap: make `note` the latest checkpoint if the latest is of `previous_size` (None: none yet).

        Durable before it returns, so that no signed byte leaves the process that a restart could forget.
        Returns False, and changes nothing, when another publisher was faster, or `epoch` is not the newest one.
        Raises `ForkError` when `size` and `root` were not intended.
        """

    async def quorum_checkpoint(self) -> bytes | None:
        """The note of the largest size that a quorum of witnesses signed, None before the first."""

    async def keep_quorum_checkpoint(self, size: int, note: bytes) -> None:
        """Keep `note` for a signed `size`; durable before it returns.

        A smaller size than before, and one that was not signed, leave the largest as it was.
        """
