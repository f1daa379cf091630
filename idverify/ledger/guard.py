"""The fork guard: what was signed last, remembered where a restored backup cannot make us forget it.

A database that comes back from a backup looks like a log that never grew further, and signing on from there would
show two people two different logs. So before the first signature the publisher asks the guard, a small durable memory
outside the database and outside its backups, and every witness, and refuses where the database is behind.
"""

from collections.abc import Iterable
from typing import Final, Protocol

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import FencedError, ForkError
from idverify.ledger.witness_client import Comparison, Standing

FORKED: Final = frozenset({Standing.AHEAD, Standing.OTHER_ROOT})
ANSWERED: Final = frozenset({Standing.AGREES, Standing.BEHIND, Standing.UNKNOWN_LOG})
"""Who stands so has seen nothing of the log that this database does not have."""


class Guard(Protocol):
    """Remembers one checkpoint, durably, outside of what is backed up."""

    async def read(self) -> Checkpoint | None:
        """What was remembered last, None if nothing ever was. Raises when it cannot be told which."""

    async def write(self, checkpoint: Checkpoint) -> None:
        """Remember `checkpoint` in place of the one that was read or written last; durable before it returns.

        Raises `FencedError`: another publisher wrote meanwhile, see `require_untouched`.
        """


def require_known(remembered: Checkpoint, origin: str, previous: Checkpoint | None) -> bool:
    """Whether `remembered` is of the log `origin`; if not, it must be of the shard before it, `previous`.

    Raises `ForkError`: it is of a log that this database does not know, or of more of the shard before than `previous`,
    the checkpoint that this log names of it: a newer shard was begun, and the database is older.
    """
    if remembered.origin == origin:
        return True
    if previous is None or remembered.origin != previous.origin or remembered.size > previous.size:
        named = "none" if previous is None else f"{previous.origin} of size {previous.size}"
        raise ForkError(
            f"{remembered.origin} of size {remembered.size} was signed here, the database has {origin} after {named}: "
            "restored from a backup?"
        )
    return False


def require_untouched(remembered: Checkpoint | None, known: Checkpoint | None, new: Checkpoint) -> None:
    """What is `remembered` is what this publisher knows of, or is about to write: nobody else wrote in between.

    Publishers that share a guard check this and write in one step. Whoever continued from what another one does not
    know of could sign past it. A guard that was lost holds nobody up.

    Raises `FencedError`: another publisher wrote; read again.
    """
    if remembered is not None and remembered not in {known, new}:
        raise FencedError(
            f"expected the guard to remember {_size(known)}, it has {_size(remembered)}: another publisher came first"
        )


def compared(comparisons: Iterable[Comparison], origin: str, size: int) -> frozenset[str]:
    """The names of the witnesses that have seen nothing of `origin` which this database, of `size`, does not have.

    Raises `ForkError`: one of them has.
    """
    answered: set[str] = set()
    for one in comparisons:
        if one.standing in FORKED:
            proof = "and shows none that this log signed" if one.note is None else "and shows what this log signed"
            raise ForkError(
                f"the witness {', '.join(one.names)} says that it saw another log {origin} than this one "
                f"of size {size} ({one.detail!r}), {proof}: restored from a backup?"
            )
        if one.standing in ANSWERED:
            answered.update(one.names)
    return frozenset(answered)


def _size(checkpoint: Checkpoint | None) -> str:
    return "nothing" if checkpoint is None else f"size {checkpoint.size}"
