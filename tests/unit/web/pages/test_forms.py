"""Forms: what was typed, what it means, and what they say about it."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import pytest

from idverify.errors import MalformedRequest
from idverify.web.form_body import Posted
from idverify.web.pages.forms import Annotated, Field, Form, Says, fill


class Journey(Form):
    """A form with a field of each kind."""

    name: Annotated[str, Field(max_length=10), Says("Enter a name", "Use at most 10 characters")]
    on: Annotated[dt.date, Says("Enter a date", "Enter a real date")]
    by: Annotated[Literal["rail", "road"], Says("Choose how", "Choose from the list")]
    stops: Annotated[tuple[str, ...], Says("Choose stops", "Choose from the list")] = ()
    note: Annotated[str | None, Says("Enter a note", "Use fewer words")] = None
    back: Annotated[dt.date | None, Says("Enter a date", "Enter a real date")] = None


RIGHT = {"name": " Anna ", "on-day": "3", "on-month": "5", "on-year": "2026", "by": "rail", "note": "", "back-day": ""}


def posted(**changed: str) -> Posted:
    """The right answers, some of them changed; names with ``__`` for a hyphen."""
    return Posted(tuple((RIGHT | {name.replace("__", "-"): value for name, value in changed.items()}).items()))


def test_a_form_that_is_right_becomes_its_model() -> None:
    """Blanks around are taken off, three fields are a date, and what was left blank was not sent."""
    form = fill(Journey, Posted((*posted().fields, ("stops", "x"), ("stops", "y"))))

    assert form.errors == {}
    assert form.status == 200
    assert form.model == Journey(name="Anna", on=dt.date(2026, 5, 3), by="rail", stops=("x", "y"))


def test_every_wrong_field_says_what_is_wrong_in_the_order_of_the_form() -> None:
    """A missing field and a wrong one have a sentence each."""
    form = fill(Journey, posted(name="", on__day="31", on__month="2", by="air"))

    assert form.model is None
    assert form.status == 400
    assert list(form.errors.items()) == [
        ("name", "Enter a name"),
        ("on", "Enter a real date"),
        ("by", "Choose from the list"),
    ]
    assert form.typed.text("on-day") == "31"


@pytest.mark.parametrize(
    ("day", "month", "year", "sentence"),
    [
        ("", "", "", "Enter a date"),
        ("3", "", "2026", "Enter a real date"),
        ("3", "5", "26", "Enter a real date"),
        ("3", "May", "2026", "Enter a real date"),
        ("-3", "5", "2026", "Enter a real date"),
        ("3", "5", "20260", "Enter a real date"),
        ("3T00:00", "5", "2026", "Enter a real date"),
    ],
)
def test_only_a_real_date_is_one(day: str, month: str, year: str, sentence: str) -> None:
    """Whatever else is typed gets the date's own sentence."""
    form = fill(Journey, posted(on__day=day, on__month=month, on__year=year))

    assert form.errors == {"on": sentence}


def test_a_field_that_the_form_does_not_have_is_refused() -> None:
    """No page of ours sends it, so nobody is told which field to mend."""
    with pytest.raises(MalformedRequest, match="actor"):
        fill(Journey, posted(actor="somebody else"))


def test_a_service_can_add_what_only_it_finds() -> None:
    """The form is shown again with that sentence."""
    form = fill(Journey, posted()).with_error("name", "Somebody has this name")

    assert (form.model, form.status, form.errors) == (None, 400, {"name": "Somebody has this name"})


def test_a_field_that_cannot_explain_itself_is_a_mistake_of_ours() -> None:
    """It is found when the module is imported, not when somebody types."""
    with pytest.raises(TypeError, match="mute"):

        class _Mute(Form):
            mute: str
