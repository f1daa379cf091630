"""A record in words: looks that are alike stand together, and what was withdrawn is good no longer."""

from __future__ import annotations

from typing import Any

import pytest

from idverify.core.person import PersonDetails
from idverify.web.pages.record_words import LookShown, RecordShown, in_words
from tests.simulators.service import DETAILS, VCT

NOON = 1_777_809_600


def look(minute: int, actor: str = "Olive Officer", channel: str = "record", **row: Any) -> dict[str, Any]:
    """A row of a look, so many minutes after noon."""
    what = {"role": "officer", "purpose": None, "verdict": "viewed"} | row
    return {"looked_at": NOON + 60 * minute, "actor": actor, "channel": channel, **what}


def record(*looks: dict[str, Any], copies: tuple[dict[str, Any], ...] = ()) -> RecordShown:
    """The record of somebody at whom was looked; oldest first, as it is held."""
    held = {"reference": bytes(16), "status": "none", "details": PersonDetails.model_validate(DETAILS)}
    return in_words(held | {"decisions": (), "credentials": copies, "looks": looks})


def seen(shown: RecordShown) -> list[tuple[str, int, int, int]]:
    """Who opened the record, from when to when (minutes), how often."""
    return [(each.actor, (each.since - NOON) // 60, (each.at - NOON) // 60, each.times) for each in shown.looks]


def test_a_record_opened_again_within_the_hour_is_one_line() -> None:
    """The newest look gathers those of the hour before it; an older one stands by itself."""
    shown = record(*(look(minute) for minute in (0, 29, 30, 60, 89)))

    assert seen(shown) == [("Olive Officer", 29, 89, 4), ("Olive Officer", 0, 0, 1)]


def test_what_another_did_meanwhile_stands_by_itself() -> None:
    """Looks are gathered by who looked, in the order of the newest of each."""
    shown = record(look(0), look(1, "Oscar Officer"), look(2), look(3, "Oscar Officer"))

    assert seen(shown) == [("Oscar Officer", 1, 3, 2), ("Olive Officer", 0, 2, 2)]


@pytest.mark.parametrize(
    "what", [{"channel": "document", "verdict": "accept"}, {"channel": "offer", "verdict": "made"}]
)
def test_only_the_opening_of_a_record_is_gathered(what: dict[str, str]) -> None:
    """Every check and every act is a line."""
    assert [each.times for each in record(look(0, **what), look(1, **what)).looks] == [1, 1]


def test_registering_a_key_is_the_persons_own_act() -> None:
    """Who makes a code works for the authority; who registers a key with it does so for themselves."""
    registered, made = record(
        look(0, channel="enrolment", verdict="made"),
        look(1, "Account holder", "enrolment", verdict="registered", role="citizen"),
    ).looks

    assert _in_words(made) == ("Made a code to register a security key", "The authority's own work", "Done")
    assert _in_words(registered) == ("Registered a security key", None, "Done")


@pytest.mark.parametrize(("status", "good_until"), [("valid", NOON), ("invalid", None), ("suspended", NOON)])
def test_a_withdrawn_copy_is_good_no_longer(status: str, good_until: int | None) -> None:
    """One that is suspended may be in force again before its day."""
    copy = {
        "handle": bytes(16),
        "type": VCT,
        "status": status,
        "issued_at": 0,
        "expires_at": NOON,
        "retired_for": None,
    }

    assert [each.good_until for each in record(copies=(copy,)).copies] == [good_until]


def _in_words(shown: LookShown) -> tuple[str, str | None, str]:
    return shown.channel, shown.purpose, shown.found
