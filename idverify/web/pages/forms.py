"""Forms as pydantic models: what was typed, what it means, and per field the sentence that says what is wrong.

>>> class Naming(Form):
...     name: Annotated[str, Field(max_length=60), Says("Give the key a name", "Use at most 60 characters")]
>>> fill(Naming, Posted((("name", ""),))).errors
{'name': 'Give the key a name'}
"""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from idverify.errors import MalformedRequest
from idverify.web.form_body import Posted

__all__ = ["Annotated", "Field", "Filled", "Form", "Says", "fill"]

_DATE_PARTS: Final = ("year", "month", "day")


@dataclass(frozen=True, slots=True)
class Says:
    """What a field says when it is ``missing`` and when what was typed is ``wrong``: both go into the catalogue."""

    missing: str
    wrong: str


class Form(BaseModel):
    """Base of forms. Every field says what is wrong with it; fields that no form of ours has are refused.

    A field left blank counts as not sent. A ``date`` is asked for as day, month and year; a ``tuple`` takes
    every box that was ticked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, str_max_length=5000)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Raises ``TypeError`` for a form with a field that could not explain itself."""
        mute = [name for name, about in cls.model_fields.items() if _says(about.metadata) is None]
        if mute:
            raise TypeError(f"{cls.__name__}: these fields need Says(missing, wrong): {', '.join(mute)}")


M = TypeVar("M", bound=Form)


@dataclass(frozen=True)  # without slots, so that Filled[SomeForm]() works
class Filled(Generic[M]):
    """A form as it is shown again: ``model`` is set if all of it is right, ``errors`` holds a sentence per field."""

    model: M | None = None
    typed: Posted = field(default_factory=Posted)
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status to show it with."""
        return 400 if self.errors else 200

    def with_error(self, name: str, sentence: str) -> Filled[M]:
        """The form with a field that only the service found wrong."""
        return Filled(None, self.typed, {**self.errors, name: sentence})


def fill(form: type[M], posted: Posted) -> Filled[M]:
    """What was posted, read as this form. Raises ``MalformedRequest`` for fields that the form does not have."""
    dates = {name for name, about in form.model_fields.items() if dt.date in _kinds(about.annotation)}
    several = {name for name, about in form.model_fields.items() if tuple in _kinds(about.annotation)}
    asked = (form.model_fields.keys() - dates) | {f"{name}-{part}" for name in dates for part in _DATE_PARTS}
    strange = {name for name, _ in posted.fields} - asked
    if strange:
        raise MalformedRequest(f"This form has no field {min(strange)}.")
    given: dict[str, Any] = {name: posted.texts(name) for name in several}
    given |= {name: posted.text(name).strip() for name in form.model_fields.keys() - dates - several}
    given |= {name: _iso_date(posted, name) for name in dates}
    try:
        return Filled(form.model_validate({name: value for name, value in given.items() if value}), posted)
    except ValidationError as error:
        return Filled(None, posted, _sentences(form, error))


def _iso_date(posted: Posted, name: str) -> str:
    """``2026-05-03`` of three fields; whatever else was typed stays too odd to be a date."""
    year, month, day = (posted.text(f"{name}-{part}").strip() for part in _DATE_PARTS)
    return f"{year}-{month:0>2}-{day:0>2}" if year or month or day else ""


def _sentences(form: type[Form], error: ValidationError) -> dict[str, str]:
    """One sentence per field, in the form's order."""
    found = {str(wrong["loc"][0]): wrong["type"] for wrong in error.errors(include_url=False) if wrong["loc"]}
    sentences = {}
    for name, about in form.model_fields.items():
        says = _says(about.metadata)
        if name in found and says is not None:
            sentences[name] = says.missing if found[name] == "missing" else says.wrong
    if not sentences:
        raise MalformedRequest("The form's fields contradict each other.") from error
    return sentences


def _says(metadata: list[Any]) -> Says | None:
    return next((about for about in metadata if isinstance(about, Says)), None)


def _kinds(annotation: Any) -> set[Any]:
    """The types that a field may take, with what ``X | None`` and ``tuple[X, ...]`` are made of."""
    if get_origin(annotation) in (Union, types.UnionType):
        return {kind for part in get_args(annotation) for kind in _kinds(part)}
    return {get_origin(annotation) or annotation}
