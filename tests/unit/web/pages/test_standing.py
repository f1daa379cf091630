"""What a permission means, in plain words."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from idverify.core.decision import PersonStatus
from idverify.web.pages.standing import Standing, standing
from idverify.web.pages.words import Language
from tests.simulators.service import PERMISSION

TODAY = dt.date(2026, 5, 3)


def of(status: PersonStatus = PersonStatus.ACTIVE, **changed: Any) -> Standing:
    """The standing on ``TODAY``, in English."""
    return standing(Language.EN, status, PERMISSION | changed, TODAY)


@pytest.mark.parametrize(
    ("start", "end", "headline", "holds"),
    [
        ("2026-05-03", "2026-05-03", "You have permission to be here until 3 May 2026", True),
        ("2024-01-15", None, "You have permission to be here, without an end date", True),
        ("2026-05-04", None, "Your permission begins on 4 May 2026", False),
        ("2024-01-15", "2026-05-02", "Your permission ended on 2 May 2026", False),
    ],
)
def test_the_headline_follows_the_days(start: str, end: str | None, headline: str, *, holds: bool) -> None:
    """First and last day count; before and after, nothing can be collected."""
    found = of(permission_start=start, permission_end=end)
    assert (found.headline, found.holds) == (headline, holds)


@pytest.mark.parametrize(
    ("status", "headline"),
    [
        (PersonStatus.NONE, "You have no permission on record"),
        (PersonStatus.SUSPENDED, "Your permission is suspended"),
        (PersonStatus.REVOKED, "Your permission was revoked"),
    ],
)
def test_a_permission_that_is_not_in_force_gives_no_rights(status: PersonStatus, headline: str) -> None:
    """What the last permission allowed is not said of somebody who no longer has it."""
    assert of(status) == Standing(headline, holds=False)


def test_every_right_is_said() -> None:
    """Limits and their details stand with the right that they limit."""
    work = {"allowed": "limited", "occupations_text": "Nurse", "hours_per_week": 20, "self_employed": False}
    assert of(work=work, public_funds={"recourse": True, "benefits_text": "Child benefit"}).rights == (
        "You may work, with limits.",
        "Occupations: Nurse",
        "At most 20 hours a week.",
        "You may not work for yourself.",
        "You may study.",
        "You may rent a home.",
        "A carrier may bring you here.",
        "You may claim public funds.",
        "Benefits: Child benefit",
    )


def test_free_text_with_a_percent_sign_stands_as_it_is() -> None:
    """What an officer wrote is no pattern to be filled in."""
    assert "Occupations: 50% %(text)s" in of(work={"allowed": "yes", "occupations_text": "50% %(text)s"}).rights


def test_welsh() -> None:
    """The same in the other language, with the month in it."""
    said = standing(Language.CY, PersonStatus.ACTIVE, PERMISSION | {"permission_end": "2026-05-03"}, TODAY)
    assert said.headline == "Mae gennych ganiatâd i fod yma tan 3 Mai 2026"
