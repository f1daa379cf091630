"""A credential type that nobody ships: what somebody writes who adds one. The test adds its line to the table."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from idverify.core.credential_type import CredentialType, Facts, Form, Purpose, Runs, days
from idverify.core.declared import Declared
from idverify.core.form_parts import (
    MDOC,
    SD_JWT_VC,
    assurance_claims,
    assurance_elements,
    claim_views,
    element_views,
)
from idverify.core.values import element_values, json_values


class Reader(StrEnum):
    """Who borrows."""

    ADULT = "adult"
    CHILD = "child"


class LibraryCard(Declared):
    """What a decision says of a person's library card."""

    number: Annotated[str, Field(title="Number of the card", pattern=r"^[0-9]{6}$", examples=["123456"])]
    reader: Annotated[Reader, Field(title="Kind of reader")]
    first_day: Annotated[dt.date, Field(title="First day of borrowing")]
    last_day: Annotated[dt.date | None, Field(title="Last day of borrowing")] = None
    may_reserve: Annotated[bool, Field(title="May reserve")]
    branches: Annotated[tuple[str, ...], Field(title="Branches", max_length=5)] = ()


def _said(facts: Facts) -> dict[str, Any]:
    return facts.permission.model_dump(exclude_none=True) | {"family_name": facts.details.family_name}


def _claims(facts: Facts) -> dict[str, Any]:
    return json_values(_said(facts)) | assurance_claims(facts)


def _elements(facts: Facts) -> dict[str, dict[str, Any]]:
    return {"org.example.library.1": element_values(_said(facts)), **assurance_elements(facts)}


def _runs(card: LibraryCard) -> Runs:
    return days(card.first_day, card.last_day)


_VIEWS = {
    Purpose.WORK: frozenset({"family_name", "reader"}),
    Purpose.RENT: frozenset[str](),
    Purpose.TRAVEL: frozenset[str](),
    Purpose.AGE: frozenset({"reader"}),
}

LIBRARY_CARD = CredentialType(
    id="urn:example:library-card:1",
    name="Library card",
    key_role="document-signer/library-card",
    valid_for=10 * 86_400,
    permission=LibraryCard,
    runs=_runs,
    forms={
        SD_JWT_VC: Form(
            type="urn:example:library-card:1",
            claims=_claims,
            views=claim_views(_VIEWS),
            disclosable=frozenset((name,) for name in (*LibraryCard.model_fields, "family_name", "identity_assurance")),
        ),
        MDOC: Form(
            type="org.example.library.1", claims=_elements, views=element_views("org.example.library.1", _VIEWS)
        ),
    },
)
