"""What is kept of a person. All of it is personal data and rests only under the person's own key."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from idverify.core.credential_type import Declared

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


class PersonDetails(Declared):
    """Who a person is, as an officer recorded it."""

    family_name: Name
    given_name: Name
    birthdate: dt.date
    nationalities: Annotated[list[Alpha2], Field(min_length=1, max_length=5)]
    picture: Annotated[str | None, Field(max_length=30_000, pattern=r"^data:image/jpeg;base64,[A-Za-z0-9+/=]+$")] = None
    travel_document: TravelDocument | None = None
