"""A request on its way: what a caller waits for, and what may be done about it when a worker dies."""

import asyncio
from dataclasses import dataclass

from hsm.admission import Priority
from hsm.errors import HsmError, HsmOutcomeUnknown, HsmTimeout
from hsm.frames import Op

LOSSES_MAX = 3
"""A request that may have cost so many workers is given up: two crashes are bad luck, three are its doing."""

_NOT_REPEATABLE = frozenset({Op.CONFIGURE, Op.GENERATE})


@dataclass(slots=True, eq=False)
class Request:
    """One frame and the future of its answer. The future is completed once, whoever comes first."""

    id: int
    op: Op
    frame: bytes
    future: asyncio.Future[bytes]
    admitted: float  # loop time
    deadline: float  # loop time
    priority: Priority = Priority.NORMAL
    sent: bool = False
    goes_alone: bool = False  # its worker must have nothing else to do: it may take long, or end it
    losses: int = 0  # workers that were lost when it may have been what they worked on

    def charge(self) -> None:
        """A worker was lost over what may have been this one's doing."""
        self.losses += 1
        self.goes_alone = True

    def may_repeat(self) -> bool:
        """Whether sending this once more can do no harm; a second `generate` would make a second key."""
        return self.op not in _NOT_REPEATABLE and self.losses < LOSSES_MAX

    def fail(self, error: HsmError) -> None:
        """Tell the caller, unless it has its answer or has gone."""
        if not self.future.done():
            self.future.set_exception(error)

    def cut_off(self, error: HsmError) -> None:
        """Fail a request that a worker may or may not have carried out."""
        if self.op is Op.GENERATE and self.sent:
            error = HsmOutcomeUnknown(
                f"Expected the new key, got: {error} A key may have been made: read the inventory before trying again."
            )
        self.fail(error)

    def expire(self) -> None:
        """The deadline has passed."""
        self.cut_off(HsmTimeout(f"Expected {self.op.name} to be answered in its time, got no answer. Try again."))
