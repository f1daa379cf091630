"""Claims as JSON."""

from __future__ import annotations

import datetime as dt
import doctest

import pytest

from idverify.formats import claims_json as claims


def test_examples() -> None:
    """The examples are true."""
    found = doctest.testmod(claims)
    assert (found.attempted > 0, found.failed) == (True, 0)


def test_times_are_in_utc() -> None:
    """A time keeps its moment."""
    noon = dt.datetime(2026, 5, 3, 12, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert claims.as_json(noon) == "2026-05-03T11:00:00Z"


def test_nothing_else_is_guessed() -> None:
    """What no claim is made of is an error of ours."""
    with pytest.raises(TypeError, match="set"):
        claims.as_json({1})
