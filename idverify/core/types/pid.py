"""``urn:eudi:pid:1``: person identification data, by the PID rulebook 1.7 of the EUDI wallet (CIR (EU) 2024/2977).

Issued as an SD-JWT VC (rulebook chapter 4) and as an mdoc (chapter 3). It says who somebody is and nothing of what
they may do. There are no age attributes: the rulebook took them out. Whoever did not want a photo has an empty one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from idverify.core import assurance
from idverify.core.assurance import Eidas, Minimum
from idverify.core.credential_type import EVERY, CredentialType, Facts, Form, Purpose, Runs, days
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
from idverify.core.person import Address, PersonDetails, PlaceOfBirth
from idverify.core.values import element_values, jpeg, json_values

THIRTY_DAYS: Final = 30 * 86_400
NAMESPACE: Final = "eu.europa.ec.eudi.pid.1"
LEGAL_CATEGORY: Final = "PID"


class PidPart(Declared):
    """What a decision says of a person's PID: its administrative validity (section 2.4), and its number."""

    date_of_issuance: Annotated[dt.date, Field(title="First day")]
    date_of_expiry: Annotated[dt.date, Field(title="Last day")]
    document_number: Annotated[
        str | None, Field(title="Number of the document", pattern=r"^[A-Z0-9-]{1,40}$", examples=["PID-0001"])
    ] = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> PidPart:
        if self.date_of_expiry < self.date_of_issuance:
            raise ValueError("date_of_expiry must not be before date_of_issuance")
        return self


# Claim of the SD-JWT VC (section 4.1) -> element of the mdoc (section 3.1), for those that only change their names
_ELEMENTS: Final[Mapping[str, str]] = {
    "family_name": "family_name",
    "given_name": "given_name",
    "birthdate": "birth_date",
    "place_of_birth": "place_of_birth",
    "nationalities": "nationality",
    "birth_family_name": "family_name_birth",
    "birth_given_name": "given_name_birth",
    "sex": "sex",
    "personal_administrative_number": "personal_administrative_number",
    "date_of_issuance": "issuance_date",
    "date_of_expiry": "expiry_date",
    "document_number": "document_number",
    "issuing_authority": "issuing_authority",
    "issuing_country": "issuing_country",
    "attestation_legal_category": "attestation_legal_category",
}
# Members of ``address`` -> elements of their own
_RESIDENT: Final[Mapping[str, str]] = {
    "formatted": "resident_address",
    "country": "resident_country",
    "region": "resident_state",
    "locality": "resident_city",
    "postal_code": "resident_postal_code",
    "street_address": "resident_street",
    "house_number": "resident_house_number",
}
_OF_PERSON: Final = frozenset(_ELEMENTS) & frozenset(PersonDetails.model_fields)
_OPEN: Final = frozenset({"issuing_authority", "issuing_country", "attestation_legal_category"})
_WHOLE: Final = (frozenset(_ELEMENTS) - _OPEN) | {"picture", "address", assurance.CLAIM}
_DISCLOSABLE: Final = (
    frozenset((name,) for name in _WHOLE)
    | frozenset(("place_of_birth", name) for name in PlaceOfBirth.model_fields)
    | frozenset(("address", name) for name in Address.model_fields)
    | {("nationalities", EVERY)}
)


def _said(facts: Facts) -> dict[str, Any]:
    """What both forms say, by the names of the SD-JWT VC."""
    said = facts.details.model_dump(include=set(_OF_PERSON), exclude_none=True)
    said |= facts.permission.model_dump(exclude_none=True)
    return said | {
        "issuing_authority": facts.issuing_authority,
        "issuing_country": facts.issuing_country,
        "attestation_legal_category": LEGAL_CATEGORY,
    }


def _claims(facts: Facts) -> dict[str, Any]:
    said = _said(facts) | {"picture": facts.details.picture or ""}
    if facts.details.address is not None:
        said["address"] = facts.details.address.model_dump(exclude_none=True)
    return json_values(said) | assurance_claims(facts)


def _elements(facts: Facts) -> dict[str, dict[str, Any]]:
    said = {_ELEMENTS[name]: value for name, value in _said(facts).items()}
    if facts.details.address is not None:
        said |= {_RESIDENT[name]: value for name, value in facts.details.address if value is not None}
    said["portrait"] = b"" if facts.details.picture is None else jpeg(facts.details.picture)
    return {NAMESPACE: element_values(said), **assurance_elements(facts)}


def _runs(part: PidPart) -> Runs:
    return days(part.date_of_issuance, part.date_of_expiry)


# Who somebody is, for whoever must know whom they have before them; an age is for a proof of age to say.
_WHO: Final = frozenset({"family_name", "given_name", "birthdate", "picture", assurance.CLAIM})
_CLAIM_VIEWS: Final[Mapping[Purpose, frozenset[str]]] = {
    Purpose.WORK: _WHO,
    Purpose.RENT: _WHO,
    Purpose.TRAVEL: _WHO | {"nationalities"},
    Purpose.AGE: frozenset(),
}
_NAMES: Final = {**_ELEMENTS, "picture": "portrait"}

_DOCUMENT: Final = Form(
    type="urn:eudi:pid:1",
    claims=_claims,
    views=claim_views(_CLAIM_VIEWS),
    disclosable=_DISCLOSABLE,
    decoys=2,
)

PID = CredentialType(
    id="urn:eudi:pid:1",
    name="Person identification data",
    key_role="document-signer/pid",
    valid_for=THIRTY_DAYS,
    permission=PidPart,
    runs=_runs,
    letter_template="person_identification",
    # Section 2.2: the mandatory attributes; the photo may be empty
    requires=frozenset({"place_of_birth"}),
    # Regulation (EU) 910/2014 article 5a(11): a wallet's PID is issued at the level high
    least_assurance=Minimum(eidas=Eidas.HIGH),
    forms={
        SD_JWT_VC: _DOCUMENT,
        PAPER_CODE: code_form(_DOCUMENT),
        MDOC: Form(
            type=NAMESPACE,
            claims=_elements,
            views=element_views(
                NAMESPACE,
                {purpose: frozenset(_NAMES.get(name, name) for name in view) for purpose, view in _CLAIM_VIEWS.items()},
            ),
        ),
    },
)
