"""``urn:idverify:immigration-status:1``: permission to be in a country, and what it allows.

Ours: no rulebook of anybody else's describes it. An mdoc says the same by the same names.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from idverify.core import assurance
from idverify.core.credential_type import CredentialType, Facts, Form, Purpose, Runs, days
from idverify.core.declared import Declared
from idverify.core.form_parts import (
    MDOC,
    PAPER_CODE,
    SD_JWT_VC,
    assurance_claims,
    assurance_elements,
    claim_views,
    code_form,
    element_views,
)
from idverify.core.values import element_values, jpeg, json_values

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


NAMESPACE: Final = "org.idverify.immigration.1"
# What of a person it says; the rest of their details is nobody's business here.
_PERSON: Final = frozenset({"family_name", "given_name", "birthdate", "nationalities", "picture", "travel_document"})
_DISCLOSABLE: Final = (
    _PERSON
    | frozenset(ImmigrationPermission.model_fields)
    | {"age_over_18", "status_reference", "decision_date", assurance.CLAIM}
)


def _said(facts: Facts) -> dict[str, Any]:
    """All of it, by the names of the SD-JWT VC."""
    said = facts.details.model_dump(include=set(_PERSON), exclude_none=True)
    said |= facts.permission.model_dump(exclude_none=True)
    return said | {
        "permission_end": facts.permission.permission_end,
        "age_over_18": facts.is_over(AGE_OF_MAJORITY),
        "status_reference": facts.status_reference,
        "decision_date": facts.decided_on,
        "issuing_authority": facts.issuing_authority,
        "issuing_country": facts.issuing_country,
    }


def _claims(facts: Facts) -> dict[str, Any]:
    return json_values(_said(facts)) | assurance_claims(facts)


def _elements(facts: Facts) -> dict[str, dict[str, Any]]:
    """The same; an mdoc has no null, so that a permission has no end is an element of its own."""
    said = _said(facts)
    said["permission_indefinite"] = said["permission_end"] is None
    if "picture" in said:
        said["picture"] = jpeg(said["picture"])
    return {NAMESPACE: element_values(said), **assurance_elements(facts)}


def _runs(permission: ImmigrationPermission) -> Runs:
    return days(permission.permission_start, permission.permission_end)


_WHO: Final = frozenset({"family_name", "given_name", "picture", assurance.CLAIM})
_ENDS: Final = frozenset({"permission_end", "permission_indefinite"})
_VIEWS: Final[Mapping[Purpose, frozenset[str]]] = {
    Purpose.WORK: _WHO | _ENDS | {"work"},
    Purpose.RENT: _WHO | _ENDS | {"rent"},
    Purpose.TRAVEL: frozenset({"family_name", "given_name", "travel_document", "travel", assurance.CLAIM}),
    Purpose.AGE: frozenset({"age_over_18", assurance.CLAIM}),
}

_DOCUMENT: Final = Form(
    type="urn:idverify:immigration-status:1",
    claims=_claims,
    views=claim_views(_VIEWS),
    disclosable=frozenset((name,) for name in _DISCLOSABLE),
)

IMMIGRATION_STATUS = CredentialType(
    id="urn:idverify:immigration-status:1",
    name="Immigration status",
    key_role="document-signer/immigration-status",
    valid_for=NINETY_DAYS,
    permission=ImmigrationPermission,
    runs=_runs,
    letter_template="immigration_status",
    forms={
        SD_JWT_VC: _DOCUMENT,
        PAPER_CODE: code_form(_DOCUMENT),
        MDOC: Form(type=NAMESPACE, claims=_elements, views=element_views(NAMESPACE, _VIEWS)),
    },
)
