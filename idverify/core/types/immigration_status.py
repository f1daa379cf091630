"""``urn:idverify:immigration-status:1``: permission to be in a country, and what it allows."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from idverify.core.credential_type import CredentialType, Declared, Purpose, Runs
from idverify.core.person import PersonDetails

AGE_OF_MAJORITY = 18
NINETY_DAYS = 90 * 86_400
Code = Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,30}$")]
Text = Annotated[str, Field(max_length=500)]


class Allowed(StrEnum):
    """Three answers, no free text."""

    YES = "yes"
    NO = "no"
    LIMITED = "limited"


class StatusType(Declared):
    """The kind of permission: a code for machines, a text for people."""

    code: Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,30}$", examples=["SKILLED-WORKER"])]
    text: Text


class Work(Declared):
    """What work is allowed."""

    allowed: Allowed
    occupations_text: Text | None = None
    hours_per_week: Annotated[int | None, Field(ge=0, le=168)] = None
    self_employed: bool | None = None


class Study(Declared):
    """Whether study is allowed."""

    allowed: Allowed


class Rent(Declared):
    """Whether renting a home is allowed."""

    allowed: Allowed


class Travel(Declared):
    """Whether a carrier may bring the person here."""

    allowed: Allowed


class PublicFunds(Declared):
    """Whether public funds may be claimed."""

    recourse: bool
    benefits_text: Text | None = None


class ImmigrationPermission(Declared):
    """What a decision granted. ``permission_end`` of ``null`` means without end."""

    status_type: StatusType
    permission_start: dt.date
    permission_end: dt.date | None
    conditions: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    work: Work
    study: Study
    rent: Rent
    travel: Travel
    public_funds: PublicFunds
    sponsor_ref: Annotated[str | None, Field(max_length=60)] = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> ImmigrationPermission:
        if self.permission_end is not None and self.permission_end < self.permission_start:
            raise ValueError("permission_end must not be before permission_start")
        return self


def _years_between(born: dt.date, on: dt.date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _claims(details: BaseModel, permission: BaseModel, at: int) -> dict[str, Any]:
    if not isinstance(details, PersonDetails) or not isinstance(permission, ImmigrationPermission):
        raise TypeError(f"expected PersonDetails and ImmigrationPermission, got {details!r}, {permission!r}")
    today = dt.datetime.fromtimestamp(at, dt.UTC).date()
    said = details.model_dump(mode="json", exclude_none=True)
    said |= permission.model_dump(mode="json", exclude_none=True)
    said["permission_end"] = permission.permission_end.isoformat() if permission.permission_end else None
    said["age_over_18"] = _years_between(details.birthdate, today) >= AGE_OF_MAJORITY
    return said


def _runs(permission: BaseModel) -> Runs:
    """From the first second of the first day to the last second of the last day (UTC)."""
    if not isinstance(permission, ImmigrationPermission):
        raise TypeError(f"expected an ImmigrationPermission, got {permission!r}")
    end = permission.permission_end
    return Runs(
        _moment(permission.permission_start, dt.time()), None if end is None else _moment(end, dt.time(23, 59, 59))
    )


def _moment(day: dt.date, time: dt.time) -> int:
    return int(dt.datetime.combine(day, time, dt.UTC).timestamp())


_WHO = frozenset({"family_name", "given_name", "picture"})

IMMIGRATION_STATUS = CredentialType(
    vct="urn:idverify:immigration-status:1",
    name="Immigration status",
    key_role="document-signer/immigration-status",
    valid_for=NINETY_DAYS,
    disclosable=frozenset(PersonDetails.model_fields)
    | frozenset(ImmigrationPermission.model_fields)
    | {"age_over_18", "status_reference", "decision_date"},
    views={
        Purpose.WORK: _WHO | {"work", "permission_end"},
        Purpose.RENT: _WHO | {"rent", "permission_end"},
        Purpose.TRAVEL: frozenset({"family_name", "given_name", "travel_document", "travel"}),
        Purpose.AGE: frozenset({"age_over_18"}),
        Purpose.CHOSEN: None,
    },
    permission=ImmigrationPermission,
    claims=_claims,
    runs=_runs,
)
