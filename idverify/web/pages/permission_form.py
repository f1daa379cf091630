"""The form of an immigration status (``core.types.immigration_status``): flat fields, and the way there and back.

It has its own, since sentences and hints speak of work, study and the rest; every other type has ``part_form``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from idverify.core.types.immigration_status import Allowed, ImmigrationPermission
from idverify.web.pages.assurance_form import Giving
from idverify.web.pages.forms import Annotated, Field, Filled, Says
from idverify.web.pages.part_form import YesNo
from idverify.web.pages.words import N_

_YES_NO: Final[Mapping[bool | None, YesNo | None]] = {True: "yes", False: "no", None: None}
_CODES: Final = r"^[A-Z0-9-]{1,30}(?:[ ,]+[A-Z0-9-]{1,30}){0,19}$"
_LONG: Final = N_("Use at most 500 characters")
_CHOOSE: Final = N_("Choose one of the answers")
_FREE: Final = Says(_LONG, _LONG)
_END_FIRST: Final = N_("The last day must not be before the first day")


class Granting(Giving):
    """What a decision says that gives an immigration status."""

    type_code: Annotated[
        str,
        Field(pattern=r"^[A-Z0-9-]{1,30}$"),
        Says(
            N_("Give the code of the permission"), N_("Use capital letters, digits and hyphens, such as SKILLED-WORKER")
        ),
    ]
    type_text: Annotated[str, Field(max_length=500), Says(N_("Say what kind of permission it is"), _LONG)]
    starts: Annotated[dt.date, Says(N_("Give the first day"), N_("The first day must be a real date"))]
    ends: Annotated[dt.date | None, Says(_END_FIRST, N_("The last day must be a real date"))] = None
    work: Annotated[Allowed, Says(N_("Say whether work is allowed"), _CHOOSE)]
    occupations: Annotated[str | None, Field(max_length=500), _FREE] = None
    hours_per_week: Annotated[
        int | None, Field(ge=0, le=168), Says(_CHOOSE, N_("Hours a week must be a whole number from 0 to 168"))
    ] = None
    self_employed: Annotated[YesNo | None, Says(_CHOOSE, _CHOOSE)] = None
    study: Annotated[Allowed, Says(N_("Say whether study is allowed"), _CHOOSE)]
    rent: Annotated[Allowed, Says(N_("Say whether renting a home is allowed"), _CHOOSE)]
    travel: Annotated[Allowed, Says(N_("Say whether travel here is allowed"), _CHOOSE)]
    public_funds: Annotated[YesNo, Says(N_("Say whether public funds may be claimed"), _CHOOSE)]
    benefits: Annotated[str | None, Field(max_length=500), _FREE] = None
    conditions: Annotated[
        str | None,
        Field(pattern=_CODES),
        Says(_CHOOSE, N_("Conditions are codes in capital letters, digits and hyphens, with commas between them")),
    ] = None
    sponsor_ref: Annotated[str | None, Field(max_length=60), Says(_CHOOSE, N_("Use at most 60 characters"))] = None


def permission_of(form: Granting) -> dict[str, Any]:
    """The permission that was typed, as a decision carries it. ``ValidationError`` if it ends before it starts."""
    said = {
        "status_type": {"code": form.type_code, "text": form.type_text},
        "permission_start": form.starts,
        "permission_end": form.ends,
        "conditions": tuple((form.conditions or "").replace(",", " ").split()),
        "work": {
            "allowed": form.work,
            "occupations_text": form.occupations,
            "hours_per_week": form.hours_per_week,
            "self_employed": None if form.self_employed is None else form.self_employed == "yes",
        },
        "study": {"allowed": form.study},
        "rent": {"allowed": form.rent},
        "travel": {"allowed": form.travel},
        "public_funds": {"recourse": form.public_funds == "yes", "benefits_text": form.benefits},
        "sponsor_ref": form.sponsor_ref,
    }
    return ImmigrationPermission.model_validate(said).model_dump(mode="json")


def with_permission(filled: Filled[Granting]) -> tuple[Filled[Granting], dict[str, Any] | None]:
    """The permission of a form that is right, else the form with what is wrong between its fields."""
    if filled.model is None:
        return filled, None
    try:
        return filled, permission_of(filled.model)
    except ValidationError:  # each field holds, so it is the one rule over two of them
        return filled.with_error("ends", _END_FIRST), None


def typed_from(permission: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields as they look before somebody changes the permission that is in force."""
    return _typed(ImmigrationPermission.model_validate(permission))


def _typed(said: ImmigrationPermission) -> Iterator[tuple[str, str]]:
    for name, date in (("starts", said.permission_start), ("ends", said.permission_end)):
        if date is not None:
            yield from ((f"{name}-{part}", str(getattr(date, part))) for part in ("day", "month", "year"))
    flat: dict[str, Any] = {
        "type_code": said.status_type.code,
        "type_text": said.status_type.text,
        "work": said.work.allowed,
        "occupations": said.work.occupations_text,
        "hours_per_week": said.work.hours_per_week,
        "self_employed": _YES_NO[said.work.self_employed],
        "study": said.study.allowed,
        "rent": said.rent.allowed,
        "travel": said.travel.allowed,
        "public_funds": _YES_NO[said.public_funds.recourse],
        "benefits": said.public_funds.benefits_text,
        "conditions": ", ".join(said.conditions) or None,
        "sponsor_ref": said.sponsor_ref,
    }
    yield from ((name, str(value)) for name, value in flat.items() if value is not None)
