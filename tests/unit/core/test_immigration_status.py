"""What an immigration status says, of whom, until when, and to whom."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pydantic import ValidationError

from idverify.core.credential_type import Purpose, visible_claims
from idverify.core.person import PersonDetails
from idverify.core.types import CREDENTIAL_TYPES, credential_type
from idverify.core.types.immigration_status import IMMIGRATION_STATUS, ImmigrationPermission
from idverify.errors import Unprocessable
from tests.simulators.service import DETAILS, PERMISSION


def at(date: str) -> int:
    """Noon of a day, Unix seconds."""
    return int(dt.datetime.fromisoformat(f"{date}T12:00:00+00:00").timestamp())


def claims(on: str = "2026-09-22", details: dict[str, Any] | None = None, **permission: Any) -> dict[str, Any]:
    """The claims made on a day about the usual person, changed."""
    person = PersonDetails.model_validate(DETAILS | (details or {}))
    return IMMIGRATION_STATUS.claims(person, ImmigrationPermission.model_validate(PERMISSION | permission), at(on))


@pytest.mark.parametrize(
    ("born", "on", "of_age"),
    [
        ("2008-09-23", "2026-09-22", False),
        ("2008-09-22", "2026-09-22", True),
        ("2008-02-29", "2026-02-28", False),
        ("2008-02-29", "2026-03-01", True),
        ("0001-01-01", "2026-09-22", True),
        ("2030-01-01", "2026-09-22", False),
    ],
)
def test_age(born: str, on: str, of_age: bool) -> None:  # noqa: FBT001  a parameter of the test
    """Somebody is over 18 from their eighteenth birthday on; born on 29 February, from 1 March on."""
    assert claims(on, {"birthdate": born})["age_over_18"] is of_age


def test_what_is_not_known_is_not_said() -> None:
    """Nothing is said of what nobody recorded, except that a permission has no end."""
    said = claims()

    assert {name for name, value in said.items() if value is None} == {"permission_end"}
    assert {"picture", "travel_document", "sponsor_ref"}.isdisjoint(said)
    assert said["work"] == {"allowed": "limited", "occupations_text": "Sponsored occupation only"}


def test_everything_about_a_person_is_disclosed_one_by_one() -> None:
    """No claim about a person stands open in the credential: each can be shown or kept back."""
    passport = {"type": "P", "number": "X1", "issuing_state": "UTO", "expiry": "2031-01-01"}
    said = claims(details={"travel_document": passport, "picture": "data:image/jpeg;base64,AAAA"}, sponsor_ref="S1")

    assert said.keys() <= IMMIGRATION_STATUS.disclosable


@pytest.mark.parametrize(
    ("end", "moment"),
    [
        (None, None),
        ("2026-09-22", "2026-09-22T23:59:59+00:00"),
        ("9999-12-31", "9999-12-31T23:59:59+00:00"),
    ],
)
def test_a_permission_ends_with_its_last_day(end: str | None, moment: str | None) -> None:
    """The last day counts in full, up to the last day that a calendar has."""
    permission = ImmigrationPermission.model_validate(PERMISSION | {"permission_end": end})

    expected = None if moment is None else int(dt.datetime.fromisoformat(moment).timestamp())
    assert IMMIGRATION_STATUS.runs(permission).end == expected


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"permission_end": "2020-01-01"}, ()),
        ({"work": {"allowed": "perhaps"}}, ("work", "allowed")),
        ({"work": {"allowed": "yes", "hours_per_week": 169}}, ("work", "hours_per_week")),
        ({"conditions": ["no lower case"]}, ("conditions", 0)),
        ({"status_type": {"code": "X", "text": "y" * 501}}, ("status_type", "text")),
        ({"shoe_size": 43}, ("shoe_size",)),
    ],
)
def test_permissions_that_cannot_be(changes: dict[str, Any], place: tuple[str | int, ...]) -> None:
    """A permission that contradicts itself or says more than it may is refused at the place that is wrong."""
    with pytest.raises(ValidationError) as wrong:
        ImmigrationPermission.model_validate(PERMISSION | changes)

    assert [error["loc"] for error in wrong.value.errors()] == [place]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"family_name": ""}, ("family_name",)),
        ({"given_name": "x" * 151}, ("given_name",)),
        ({"nationalities": []}, ("nationalities",)),
        ({"nationalities": ["uk"]}, ("nationalities", 0)),
        ({"birthdate": "1974-02-30"}, ("birthdate",)),
        ({"picture": "data:image/png;base64,AAAA"}, ("picture",)),
        ({"picture": "data:image/jpeg;base64," + "A" * 30_000}, ("picture",)),
        ({"shoe_size": 43}, ("shoe_size",)),
    ],
)
def test_people_who_cannot_be(changes: dict[str, Any], place: tuple[str | int, ...]) -> None:
    """Details that are no details of a person are refused at the place that is wrong."""
    with pytest.raises(ValidationError) as wrong:
        PersonDetails.model_validate(DETAILS | changes)

    assert [error["loc"] for error in wrong.value.errors()] == [place]


@pytest.mark.parametrize(
    ("purpose", "seen"),
    [
        (Purpose.WORK, {"family_name", "given_name", "work", "permission_end"}),
        (Purpose.RENT, {"family_name", "given_name", "rent", "permission_end"}),
        (Purpose.TRAVEL, {"family_name", "given_name", "travel"}),
        (Purpose.AGE, {"age_over_18"}),
    ],
)
def test_a_purpose_has_a_view(purpose: Purpose, seen: set[str]) -> None:
    """Of everything that a holder might show, a purpose lets through its own view only."""
    assert visible_claims(IMMIGRATION_STATUS, purpose, claims()).keys() == seen


@pytest.mark.parametrize("purpose", [Purpose.CHOSEN, None])
def test_no_view_no_limit(purpose: Purpose | None) -> None:
    """With the holder's own choice, or no purpose at all, what was shown is what is seen."""
    assert visible_claims(IMMIGRATION_STATUS, purpose, claims()) == claims()


def test_every_type_has_a_view_for_every_purpose() -> None:
    """No purpose falls through to seeing everything, and no view names a claim that cannot be disclosed."""
    for kind in CREDENTIAL_TYPES.values():
        assert kind.views.keys() == set(Purpose)
        assert all(view is None or view <= kind.disclosable for view in kind.views.values())
        assert [purpose for purpose, view in kind.views.items() if view is None] == [Purpose.CHOSEN]


def test_types_are_a_closed_list() -> None:
    """A type that is not issued here is refused, with those that are."""
    assert credential_type(IMMIGRATION_STATUS.vct) is IMMIGRATION_STATUS
    with pytest.raises(Unprocessable, match=IMMIGRATION_STATUS.vct):
        credential_type("urn:example:library-card:1")


def test_claims_of_something_else() -> None:
    """Details and permission of another type are a mistake in our own code, and loud."""
    permission = ImmigrationPermission.model_validate(PERMISSION)

    with pytest.raises(TypeError, match="expected PersonDetails"):
        IMMIGRATION_STATUS.claims(permission, permission, at("2026-09-22"))
    with pytest.raises(TypeError, match="expected an ImmigrationPermission"):
        IMMIGRATION_STATUS.runs(PersonDetails.model_validate(DETAILS))
