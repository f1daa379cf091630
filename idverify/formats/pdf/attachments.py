"""The files that a letter carries, by the names that readers show (docs/letters.md)."""

from __future__ import annotations

from typing import Final

CREDENTIAL: Final = "credential.sdjwt"
RECEIPT: Final = "receipt.tlog-proof"
