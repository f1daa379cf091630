"""When somebody must hear that a certificate ends."""

from __future__ import annotations

import pytest

from idverify.core.certificate_alarm import DAY, alarm


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (31 * DAY, None),
        (30 * DAY + 1, None),
        (30 * DAY, 30),
        (7 * DAY + 1, 30),
        (7 * DAY, 7),
        (DAY, 1),
        (1, 1),
        (0, 0),
        (-DAY, 0),
    ],
)
def test_thirty_seven_and_one_day_before(left: int, days: int | None) -> None:
    """The nearest of them that it falls within; once it has ended, none is left."""
    assert alarm(1_000_000_000, 1_000_000_000 - left) == days
