"""What is kept of a person. All of it is personal data and rests only under the person's own key."""

from __future__ import annotations

import datetime as dt
from enum import IntEnum
from typing import Annotated

from pydantic import Field, model_validator

from idverify.core.declared import Declared

# No control characters and no marks that turn the reading direction; no blank at either end.
_HIDDEN = r"\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069"
_PRINTED = rf"^[^\s{_HIDDEN}](?:[^{_HIDDEN}]*[^\s{_HIDDEN}])?$"
Name = Annotated[str, Field(max_length=150, pattern=_PRINTED)]
Alpha2 = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2, or QU unknown, QS stateless")]
DocumentCode = Annotated[str, Field(pattern=r"^[A-Z<]{1,2}$", description="Document code of the MRZ", examples=["P"])]
DocumentNumber = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}$")]
IssuingState = Annotated[str, Field(pattern=r"^[A-Z]{1,3}$", description="ICAO three-letter code")]


class TravelDocumentNumber(Declared):
    """Which passport or similar it is (ICAO Doc 9303): what a person is found by."""

    type: DocumentCode
    number: DocumentNumber
    issuing_state: IssuingState


class TravelDocument(TravelDocumentNumber):
    """A passport or similar, until when it holds."""

    expiry: dt.date


class Sex(IntEnum):
    """As the PID rulebook numbers it (section 2.3); 0, 1, 2 and 9 are those of ISO/IEC 5218."""

    NOT_KNOWN = 0
    MALE = 1
    FEMALE = 2
    OTHER = 3
    INTER = 4
    DIVERSE = 5
    OPEN = 6
    NOT_APPLICABLE = 9


class PlaceOfBirth(Declared):
    """Where a person was born (OpenID Connect for Identity Assurance, section 4.1): one of the three at least."""

    country: Alpha2 | None = None
    region: Name | None = None
    locality: Name | None = None

    @model_validator(mode="after")
    def _says_something(self) -> PlaceOfBirth:
        if self.country is None and self.region is None and self.locality is None:
            raise ValueError("place_of_birth needs a country, a region or a locality")
        return self


class Address(Declared):
    """Where a person lives (OpenID Connect Core, section 5.1.1): one member at least."""

    formatted: Name | None = None
    street_address: Name | None = None
    house_number: Name | None = None
    postal_code: Name | None = None
    locality: Name | None = None
    region: Name | None = None
    country: Alpha2 | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Address:
        if all(value is None for _, value in self):
            raise ValueError("address needs one member at least")
        return self


class PersonDetails(Declared):
    """Who a person is, as an officer recorded it."""

    family_name: Name
    given_name: Name
    birthdate: dt.date
    nationalities: Annotated[list[Alpha2], Field(min_length=1, max_length=5)]
    picture: Annotated[str | None, Field(max_length=30_000, pattern=r"^data:image/jpeg;base64,[A-Za-z0-9+/=]+$")] = None
    travel_document: TravelDocument | None = None
    title: Name | None = None
    sex: Sex | None = None
    place_of_birth: PlaceOfBirth | None = None
    birth_family_name: Name | None = None
    birth_given_name: Name | None = None
    address: Address | None = None
    personal_administrative_number: Name | None = None
