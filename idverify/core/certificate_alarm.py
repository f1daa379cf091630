"""When somebody must hear that the certificate of a signer ends: it is renewed by people, with the root at hand."""

from __future__ import annotations

from typing import Final

DAY: Final = 86_400
ALARM_DAYS: Final = (1, 7, 30)


def alarm(not_after: int, at: int) -> int | None:
    """The least number of ``ALARM_DAYS`` within which it ends, 0 where it has ended, ``None``: nobody need hear yet."""
    if not_after <= at:
        return 0
    return next((days for days in ALARM_DAYS if not_after - at <= days * DAY), None)
