"""Verification requests that this process made lately, so that their answers need not look for them.

Nothing of a request ever changes but that it is used up, and of that the transaction that uses it up asks the database:
what is remembered here opens nothing twice, and nothing that expired or is gone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

MOST: Final = 4096  # of some hundred bytes each; whoever answers an older one waits for the database


class RecentRequests:
    """The rows of the newest requests by their handles, without when they were used."""

    def __init__(self) -> None:
        self._rows: OrderedDict[bytes, Mapping[str, Any]] = OrderedDict()

    def add(self, row: Mapping[str, Any]) -> None:
        """Remember a request that was committed, and forget the oldest ones."""
        self._rows[row["handle"]] = row
        while len(self._rows) > MOST:
            self._rows.popitem(last=False)

    def get(self, handle: bytes) -> Mapping[str, Any] | None:
        """The row of a request, if it is remembered."""
        return self._rows.get(handle)
