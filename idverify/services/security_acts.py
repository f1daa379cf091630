"""The ledger's entries of acts that bear on who may do what here."""

from __future__ import annotations

from typing import Any

from idverify.core.security_act import object_digest
from idverify.ledger.commitment import Record
from idverify.ports import Entropy
from idverify.services.records import About, entry
from idverify.stores.writes import Recorded


def deed(kind: str, row: Any, entropy: Entropy, about: About | None = None) -> Recorded:
    """The entry of an act of this kind on this row."""
    return entry(Record(kind, object_digest(kind, row)), entropy, about)
