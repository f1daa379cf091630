"""What waits for time to pass asks for it here, and nothing waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import ClassVar, Self


@dataclass
class Waits:
    """Stands in for ``asyncio`` in one module: a loop on whose clock time passes between two looks at it."""

    PASSED: ClassVar[float] = 0.004

    asked: list[float] = field(default_factory=list)
    _looks: count[int] = field(default_factory=count)

    def get_running_loop(self) -> Self:
        """Itself."""
        return self

    def time(self) -> float:
        """Seconds of a monotonic clock."""
        return 1000 + next(self._looks) * self.PASSED

    async def sleep(self, seconds: float) -> None:
        """Write down what was asked for."""
        self.asked.append(seconds)
