"""A verification receipt on paper: what its sheet says besides what was signed as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PrintedReceipt:
    """What the sheet of a receipt says.

    ``said`` is the payload of the signed receipt (docs/verification-receipts.md), and nothing of the document or the
    person is known besides; ``reference`` is the SHA-256 of the signed receipt in hex, ``authority`` who speaks,
    ``language`` a BCP 47 tag that the pages have.
    """

    said: Mapping[str, Any]
    reference: str
    authority: str
    language: str
    demo: bool = False
