"""What an immigration status says, of whom, until when, and to whom."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pydantic import ValidationError

from idverify.core.credential_type import Facts, Form, Purpose, visible_claims
from idverify.core.form_parts import MDOC, SD_JWT_VC
from idverify.core.person import PersonDetails
from idverify.core.types.immigration_status import IMMIGRATION_STATUS, ImmigrationPermission
from tests.simulators.service import DETAILS, PERMISSION


def at(date: str) -> int:
    """Noon of a day, Unix seconds."""
    return int(dt.datetime.fromisoformat(f"{date}T12:00:00+00:00").timestamp())


FORM: Form = IMMIGRATION_STATUS.forms[SD_JWT_VC]


def facts(on: str = "2026-09-22", details: dict[str, Any] | None = None, **permission: Any) -> Facts:
    """What a copy speaks of that is issued on a day about the usual person, changed."""
    return Facts(
        details=PersonDetails.model_validate(DETAILS | (details or {})),
        permission=ImmigrationPermission.model_validate(PERMISSION | permission),
        assurance=None,
        status_reference="ab" * 16,
        decided_on=dt.date(2026, 5, 3),
        issuing_authority="Utopia Immigration Authority",
        issuing_country="UT",
        issued_at=at(on),
    )


def claims(on: str = "2026-09-22", details: dict[str, Any] | None = None, **permission: Any) -> dict[str, Any]:
    """The claims of the SD-JWT VC."""
    return dict(FORM.claims(facts(on, details, **permission)))


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
    """No claim about a person stands open: each can be shown or kept back. Who issued it is for everybody."""
    passport = {"type": "P", "number": "X1", "issuing_state": "UTO", "expiry": "2031-01-01"}
    said = claims(details={"travel_document": passport, "picture": "data:image/jpeg;base64,AAAA"}, sponsor_ref="S1")

    places = FORM.places(said)
    assert said.keys() - {place[0] for place in places} == {"issuing_authority", "issuing_country"}


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
        (Purpose.WORK, {"family_name", "given_name", "work", "permission_end", "identity_assurance"}),
        (Purpose.RENT, {"family_name", "given_name", "rent", "permission_end", "identity_assurance"}),
        (Purpose.TRAVEL, {"family_name", "given_name", "travel", "identity_assurance"}),
        (Purpose.AGE, {"age_over_18", "identity_assurance"}),
    ],
)
def test_a_purpose_has_a_view(purpose: Purpose, seen: set[str]) -> None:
    """Of everything that a holder might show, a purpose lets through its own view only."""
    assert visible_claims(FORM, purpose, claims()).keys() == seen


@pytest.mark.parametrize("purpose", [Purpose.CHOSEN, None])
def test_no_view_no_limit(purpose: Purpose | None) -> None:
    """With the holder's own choice, or no purpose at all, what was shown is what is seen."""
    assert visible_claims(FORM, purpose, claims()) == claims()


def test_an_mdoc_says_the_same() -> None:
    """By the same names, in a namespace of its own, with dates and bytes as CBOR has them and nothing that is null."""
    picture = "data:image/jpeg;base64,/9j/"
    spaces = IMMIGRATION_STATUS.forms[MDOC].claims(facts(details={"picture": picture}))
    said = spaces["org.idverify.immigration.1"]

    assert said.keys() == (claims(details={"picture": picture}).keys() - {"permission_end", "identity_assurance"}) | {
        "permission_indefinite"
    }
    assert said["permission_indefinite"] is True
    assert said["permission_start"] == dt.date(2024, 1, 15)
    assert said["picture"] == bytes.fromhex("ffd8ff")
    assert said["work"] == {"allowed": "limited", "occupations_text": "Sponsored occupation only"}
    assert spaces["org.idverify.assurance.1"] == {"identity_assurance": {"assurance_level": "not_stated"}}


def test_what_else_is_kept_of_a_person_stays_out() -> None:
    """An immigration status says nothing of where somebody lives, or what is kept for other documents."""
    more = {"sex": 2, "title": "Dr", "address": {"locality": "Utopia City"}, "place_of_birth": {"country": "QU"}}

    assert claims(details=more) == claims()
