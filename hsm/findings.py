"""What a command found out: one row for each thing looked at."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, what was found, and what to do about it; `holds` is None when it was not told."""

    check: str
    holds: bool | None
    found: str
    cure: str = ""

    def to_json(self) -> dict[str, Any]:
        """The same in JSON's types."""
        return asdict(self)


def verdict(findings: Iterable[Finding]) -> bool | None:
    """False when one does not hold, None when one could not be told, else True."""
    results = {finding.holds for finding in findings}
    return False if False in results else None if None in results else True
