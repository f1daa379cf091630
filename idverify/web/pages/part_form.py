"""The form of any type's permission, made of its model (``core.credential_type``): a field for each of its fields.

Texts, numbers, dates, yes or no, one of several, and lists with one element a line. Labels are the titles that the
model gives. What a field may hold, the model says; where it refuses, the form shows which field it was.
"""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError, create_model
from pydantic.fields import FieldInfo

from idverify.web.form_body import Posted
from idverify.web.pages.assurance_form import Giving
from idverify.web.pages.forms import Annotated, Filled, Says
from idverify.web.pages.words import N_

PREFIX: Final = "part_"
_MISSING: Final = N_("Fill this in")
_WRONG: Final = N_("This does not fit here")
_TOGETHER: Final = N_("These answers contradict each other")
YES_NO: Final[Mapping[str, str]] = {"yes": N_("Yes"), "no": N_("No")}
YesNo = Literal["yes", "no"]


class Asked(StrEnum):
    """How a field is asked for."""

    TEXT = "text"
    DATE = "date"
    CHOICE = "choice"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class PartField:
    """A field on the page. ``label`` and the texts of ``choices`` are in the catalogue; ``example`` is as it stands."""

    name: str
    label: str
    asked: Asked
    choices: Mapping[str, str]
    example: str


@cache
def part_fields(model: type[BaseModel]) -> tuple[PartField, ...]:
    """The fields of the form, in the order of the model."""
    return tuple(_field(name, about) for name, about in model.model_fields.items())


@cache
def part_form(model: type[BaseModel]) -> type[Giving]:
    """The form itself."""
    fields: dict[str, Any] = {}
    for name, about in model.model_fields.items():
        typed, says = _typed_as(about), Says(_MISSING, _WRONG)
        if about.is_required():
            fields[PREFIX + name] = (Annotated[typed, says], ...)
        else:
            fields[PREFIX + name] = (Annotated[typed | None, says], None)
    return create_model(f"Giving{model.__name__}", __base__=Giving, **fields)


def part_of(model: type[BaseModel], form: Filled[Any]) -> tuple[Filled[Any], dict[str, Any] | None]:
    """What was typed as a decision carries it, else the form with what is wrong at its field."""
    if form.model is None:
        return form, None
    said = {}
    for name, about in model.model_fields.items():
        value = getattr(form.model, PREFIX + name)
        if value is not None:
            said[name] = _meant(about, value)
    try:
        return form, model.model_validate(said).model_dump(mode="json")
    except ValidationError as error:
        for wrong in error.errors(include_url=False):
            name = str(wrong["loc"][0]) if wrong["loc"] else next(iter(model.model_fields))
            form = form.with_error(PREFIX + name, _WRONG if wrong["loc"] else _TOGETHER)
        return form, None


def typed_part(model: type[BaseModel], part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields as they look before somebody changes the part that is in force."""
    held = model.model_validate(part)
    for field in part_fields(model):
        value = getattr(held, field.name.removeprefix(PREFIX))
        match value:
            case None:
                continue
            case dt.date():
                yield from ((f"{field.name}-{each}", str(getattr(value, each))) for each in ("day", "month", "year"))
            case bool():
                yield field.name, "yes" if value else "no"
            case list() | tuple():
                yield field.name, "\n".join(_line(item) for item in value)
            case _:
                yield field.name, str(value)


def _field(name: str, about: FieldInfo) -> PartField:
    kind, choices = _bare(about.annotation), {}
    asked = Asked.TEXT
    if kind is bool:
        asked, choices = Asked.CHOICE, dict(YES_NO)
    elif kind is dt.date:
        asked = Asked.DATE
    elif isinstance(kind, type) and issubclass(kind, Enum):
        asked, choices = Asked.CHOICE, {str(one.value): str(one.value).replace("_", " ").capitalize() for one in kind}
    elif get_origin(kind) in (tuple, list):
        asked = Asked.LINES
    return PartField(PREFIX + name, about.title or name, asked, choices, _example(kind, about))


def _example(kind: Any, about: FieldInfo) -> str:
    """How it is typed: of a list one element, as it stands on its line."""
    if not about.examples:
        return ""
    example = about.examples[0]
    if get_origin(kind) in (tuple, list):
        element = _bare(get_args(kind)[0])
        return _line(element.model_validate(example[0]) if _has_lines(element) else example[0])
    return str(example)


def _typed_as(about: FieldInfo) -> Any:
    """What the browser's text is read as, before the model reads it."""
    kind = _bare(about.annotation)
    if kind is bool:
        return YesNo
    if kind is dt.date or (isinstance(kind, type) and issubclass(kind, Enum)):
        return kind
    return str


def _meant(about: FieldInfo, value: Any) -> Any:
    """The value that the model takes for what was typed."""
    kind = _bare(about.annotation)
    if kind is bool:
        return value == "yes"
    if get_origin(kind) in (tuple, list):
        element = _bare(get_args(kind)[0])
        lines = [line.strip() for line in value.split("\n") if line.strip()]
        return [element.from_line(line) if _has_lines(element) else line for line in lines]
    return value


def _line(item: Any) -> str:
    return item.to_line() if _has_lines(type(item)) else str(item)


def _has_lines(element: Any) -> bool:
    """Whether elements of a list have members, and so a way to stand on one line."""
    return isinstance(element, type) and issubclass(element, BaseModel)


def _bare(annotation: Any) -> Any:
    """The type itself of ``Annotated[X, ...]`` and ``X | None``."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return next(_bare(part) for part in get_args(annotation) if part is not type(None))
    return annotation


def posted(*fields: tuple[str, str]) -> Filled[Any]:
    """A form with something typed in it already."""
    return Filled(None, Posted(fields))
