"""The form that is made of any type's model, and that of how the identity was checked."""

from __future__ import annotations

from typing import Any

import pytest

from idverify.core.assurance import IdentityAssurance
from idverify.core.types.driving_licence import DrivingLicence
from idverify.core.types.pid import PidPart
from idverify.web.form_body import Posted
from idverify.web.pages.assurance_form import Deciding, Giving, assurance_of, typed_assurance
from idverify.web.pages.forms import fill
from idverify.web.pages.part_form import Asked, part_fields, part_form, part_of, typed_part
from tests.simulators.library_card import LibraryCard
from tests.unit.core.test_credential_types import PARTS

WHY = (("reason", "application-granted"), ("legal_basis", "Rules, part 1"))
CARD = {
    "number": "123456",
    "reader": "child",
    "first_day": "2026-01-01",
    "last_day": "2027-12-31",
    "may_reserve": False,
    "branches": ["Central", "Harbour"],
}
LICENCE, PID = PARTS["org.iso.18013.5.1.mDL"], PARTS["urn:eudi:pid:1"]
HELD = IdentityAssurance.model_validate(
    {
        "checked_on": "2026-05-03",
        "confidence": "medium",
        "profile": "M1B",
        "checks": {"strength": 3, "validity": 2, "activity": 1, "fraud": 1, "verification": 2},
        "eidas": "substantial",
    }
)


def read(model: Any, fields: dict[str, str]) -> Any:
    return part_of(model, fill(part_form(model), Posted((*fields.items(), *WHY))))


def test_each_kind_of_field_is_asked_for_in_its_way() -> None:
    """Texts, choices, dates, yes or no, and lists; with the titles of the model."""
    assert [(field.label, field.asked, list(field.choices)) for field in part_fields(LibraryCard)] == [
        ("Number of the card", Asked.TEXT, []),
        ("Kind of reader", Asked.CHOICE, ["adult", "child"]),
        ("First day of borrowing", Asked.DATE, []),
        ("Last day of borrowing", Asked.DATE, []),
        ("May reserve", Asked.CHOICE, ["yes", "no"]),
        ("Branches", Asked.LINES, []),
    ]
    assert part_fields(LibraryCard)[0].example == "123456"
    assert "B 2020-01-31 2040-01-30" in [field.example for field in part_fields(DrivingLicence)]


@pytest.mark.parametrize(
    ("model", "part"),
    [
        (LibraryCard, CARD),
        (LibraryCard, CARD | {"last_day": None, "branches": [], "may_reserve": True}),
        (PidPart, PID),
        (DrivingLicence, LICENCE),
    ],
)
def test_there_and_back(model: Any, part: dict[str, Any]) -> None:
    """A part that is shown in the form and sent unchanged is the same, to the last member."""
    form, again = read(model, dict(typed_part(model, part)))
    assert form.errors == {}
    assert again == model.model_validate(part).model_dump(mode="json")


@pytest.mark.parametrize(
    ("model", "part", "changed", "wrong"),
    [
        (LibraryCard, CARD, {"part_number": ""}, {"part_number": "Fill this in"}),
        (LibraryCard, CARD, {"part_number": "12"}, {"part_number": "This does not fit here"}),
        (LibraryCard, CARD, {"part_reader": "horse"}, {"part_reader": "This does not fit here"}),
        (LibraryCard, CARD, {"part_first_day-day": "32"}, {"part_first_day": "This does not fit here"}),
        (LibraryCard, CARD, {"part_branches": "\n".join("abcdef")}, {"part_branches": "This does not fit here"}),
        (
            DrivingLicence,
            LICENCE,
            {"part_driving_privileges": "b"},
            {"part_driving_privileges": "This does not fit here"},
        ),
        (
            DrivingLicence,
            LICENCE,
            {"part_driving_privileges": "B yesterday"},
            {"part_driving_privileges": "This does not fit here"},
        ),
        (
            PidPart,
            PID,
            {"part_date_of_expiry-year": "2020"},
            {"part_date_of_issuance": "These answers contradict each other"},
        ),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(
    model: Any, part: dict[str, Any], changed: dict[str, str], wrong: dict[str, str]
) -> None:
    """One field that is wrong gets one sentence, and no part comes out."""
    form, read_part = read(model, dict(typed_part(model, part)) | changed)
    assert form.errors == wrong
    assert read_part is None


def typed(**fields: str) -> Any:
    return fill(Giving, Posted((*fields.items(), *WHY)))


def test_how_the_identity_was_checked_there_and_back() -> None:
    """Sent unchanged it is what is recorded, with the scores that no form asks for; changed, it is new."""
    fields = dict(typed_assurance(HELD))
    assert assurance_of(typed(**fields), HELD)[1] == HELD
    other = assurance_of(typed(**{**fields, "eidas": "high"}), HELD)[1]
    assert other is not None
    assert (other.eidas, other.checks) == ("high", None)


def test_it_may_be_left_out() -> None:
    """Then nothing is stated, whatever was before."""
    form, said = assurance_of(typed(), HELD)
    assert (form.errors, said) == ({}, None)
    assert list(typed_assurance(None)) == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"confidence": "high"}, "checked_on"),
        ({"profile": "M1B"}, "checked_on"),
        ({"checked_on-day": "3", "checked_on-month": "5", "checked_on-year": "2026"}, "confidence"),
        (dict(typed_assurance(HELD)) | {"profile": "H1B"}, "profile"),
    ],
)
def test_halves_of_it_are_refused(fields: dict[str, str], wrong: str) -> None:
    """A level needs its day, a day its level, and a profile the confidence of its letter."""
    form, said = assurance_of(typed(**fields), None)
    assert list(form.errors) == [wrong]
    assert said is None


def test_a_decision_that_gives_nothing_asks_for_none_of_it() -> None:
    """Suspending somebody says nothing of their identity."""
    assert Deciding.model_fields.keys() == {"reason", "legal_basis"}
