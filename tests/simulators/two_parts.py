"""A one-time code of two admins, as whoever got both parts types it."""

from __future__ import annotations

from typing import Final

from idverify.auth import enrolment_codes
from idverify.services.invite import SecondPart

FIRST_PART: Final = "0123-4567-89AB-CDEF"
FIRST_HASH: Final = enrolment_codes.part_hash(FIRST_PART)


def both_parts(second: SecondPart | None) -> str:
    """The part of whoever proposed it (``FIRST_PART``), and that of whoever approved it."""
    assert second is not None
    return f"{FIRST_PART} {second.part}"
