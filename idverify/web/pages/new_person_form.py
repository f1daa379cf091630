"""The form of a new person (``core.person``): what was typed and the photo, read as details."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any, Final

from pydantic import BeforeValidator, ValidationError

from idverify.core.person import Alpha2, Name, PersonDetails, Sex, TravelDocument
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.travel_document_form import NUMBER, STATE, TYPE, Number, State, Type
from idverify.web.pages.words import N_

_JPEG: Final = b"\xff\xd8\xff"
_PICTURE: Final = N_("The photo must be a JPEG file of at most 22 kB")
_WHOLE: Final = N_("Give every field of the travel document, or none of them")
_NAME: Final = N_("Use at most 150 characters that can be printed")
_DOCUMENT: Final = ("document_type", "document_number", "issuing_state", "document_expiry")


_CHOOSE: Final = N_("Choose one of the answers")
_COUNTRY: Final = N_("A country is a code of two letters, such as GB")
# Parts of what a record holds as one (core.person), by the form's names
_BORN: Final = {"birth_locality": "locality", "birth_region": "region", "birth_country": "country"}
_LIVES: Final = ("street_address", "house_number", "postal_code", "locality", "region", "country")


def _code(typed: Any) -> Any:
    return typed.upper() if isinstance(typed, str) else typed


def _number(typed: Any) -> Any:
    return int(typed) if isinstance(typed, str) and typed.isascii() and typed.isdigit() else typed


def _codes(typed: Any) -> Any:
    return tuple(typed.upper().replace(",", " ").split()) if isinstance(typed, str) else typed


class NewPersonForm(Form):
    """Who a person is, as their papers say it."""

    family_name: Annotated[Name, Says(N_("Give the family name"), _NAME)]
    given_name: Annotated[Name, Says(N_("Give the given names"), _NAME)]
    birthdate: Annotated[
        dt.date, Says(N_("Give the date of birth"), N_("The date of birth must be a real date, such as 27 3 1987"))
    ]
    nationalities: Annotated[
        list[Alpha2],
        Field(min_length=1, max_length=5),
        BeforeValidator(_codes),
        Says(N_("Give at least one nationality"), N_("Nationalities are one to five codes of two letters, such as QU")),
    ]
    title: Annotated[Name | None, Says(_NAME, _NAME)] = None
    sex: Annotated[Sex | None, BeforeValidator(_number), Says(_CHOOSE, _CHOOSE)] = None
    birth_family_name: Annotated[Name | None, Says(_NAME, _NAME)] = None
    birth_given_name: Annotated[Name | None, Says(_NAME, _NAME)] = None
    birth_locality: Annotated[Name | None, Says(_NAME, _NAME)] = None
    birth_region: Annotated[Name | None, Says(_NAME, _NAME)] = None
    birth_country: Annotated[Alpha2 | None, BeforeValidator(_code), Says(_COUNTRY, _COUNTRY)] = None
    street_address: Annotated[Name | None, Says(_NAME, _NAME)] = None
    house_number: Annotated[Name | None, Says(_NAME, _NAME)] = None
    postal_code: Annotated[Name | None, Says(_NAME, _NAME)] = None
    locality: Annotated[Name | None, Says(_NAME, _NAME)] = None
    region: Annotated[Name | None, Says(_NAME, _NAME)] = None
    country: Annotated[Alpha2 | None, BeforeValidator(_code), Says(_COUNTRY, _COUNTRY)] = None
    personal_administrative_number: Annotated[Name | None, Says(_NAME, _NAME)] = None
    document_type: Annotated[Type | None, TYPE] = None
    document_number: Annotated[Number | None, NUMBER] = None
    issuing_state: Annotated[State | None, STATE] = None
    document_expiry: Annotated[
        dt.date | None, Says(_WHOLE, N_("The last day of the document must be a real date, such as 27 3 2031"))
    ] = None


def details_of(form: Filled[NewPersonForm], photo: bytes | None) -> tuple[Filled[NewPersonForm], PersonDetails | None]:
    """The details of a form that is right, else the form with what is wrong between its fields."""
    if form.model is None:
        return form, None
    typed = form.model
    parts = [getattr(typed, name) for name in _DOCUMENT]
    if None in parts and any(part is not None for part in parts):
        return form.with_error(_DOCUMENT[parts.index(None)], _WHOLE), None
    said: dict[str, Any] = typed.model_dump(exclude={*_DOCUMENT, *_BORN, *_LIVES})
    born = {part: getattr(typed, name) for name, part in _BORN.items() if getattr(typed, name) is not None}
    lives = {name: getattr(typed, name) for name in _LIVES if getattr(typed, name) is not None}
    said |= {"place_of_birth": born or None, "address": lives or None}
    if typed.document_expiry is not None:
        type_, number, state, expiry = parts
        said["travel_document"] = TravelDocument(type=type_, number=number, issuing_state=state, expiry=expiry)
    if photo is not None:
        said["picture"] = f"data:image/jpeg;base64,{base64.b64encode(photo).decode()}"
    if photo is not None and not photo.startswith(_JPEG):
        return form.with_error("picture", _PICTURE), None
    try:
        return form, PersonDetails.model_validate(said)
    except ValidationError:  # every field typed holds already, so it is the photo's size
        return form.with_error("picture", _PICTURE), None
