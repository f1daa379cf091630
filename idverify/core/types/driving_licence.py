"""``org.iso.18013.5.1.mDL``: a mobile driving licence (ISO/IEC 18013-5 section 7.2, table 5), with the GB namespace.

An mdoc and nothing else: the standard knows no other form. Names of the GB namespace are those of GOV.UK Wallet.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from idverify.core import assurance
from idverify.core.credential_type import CredentialType, Facts, Form, Purpose, Runs, days
from idverify.core.declared import Declared
from idverify.core.form_parts import MDOC, assurance_elements, element_views
from idverify.core.values import element_values, jpeg

THIRTY_DAYS: Final = 30 * 86_400
DOCTYPE: Final = "org.iso.18013.5.1.mDL"
NAMESPACE: Final = "org.iso.18013.5.1"
GB_NAMESPACE: Final = "org.iso.18013.5.1.GB"
AGES: Final = (18, 21, 25)
# Alpha-2 code -> distinguishing sign of vehicles in international traffic (UN Convention on Road Traffic of 1968,
# annex 3), where it differs from the code. An authority of another country adds its own line.
SIGNS: Final[Mapping[str, str]] = {"GB": "UK", "UT": "UTO"}


class Privilege(Declared):
    """One category that may be driven (section 7.2.4)."""

    vehicle_category_code: Annotated[str, Field(pattern=r"^[A-Z0-9+]{1,6}$", examples=["B"])]
    issue_date: dt.date | None = None
    expiry_date: dt.date | None = None
    codes: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Z0-9.]{1,10}$")], ...], Field(max_length=20)] = ()

    def to_line(self) -> str:
        """As it stands on one line of a form: category, first and last day, codes; a hyphen for what is left out."""
        dates = (day.isoformat() if day else "-" for day in (self.issue_date, self.expiry_date))
        return " ".join((self.vehicle_category_code, *dates, ",".join(self.codes))).strip()

    @staticmethod
    def from_line(line: str) -> dict[str, Any]:
        """What the model reads of such a line; days and codes at the end may be left out."""
        parts = line.split()
        named = dict(zip(("vehicle_category_code", "issue_date", "expiry_date"), parts, strict=False))
        said: dict[str, Any] = {name: text for name, text in named.items() if text != "-"}
        return said | {"codes": tuple(code for part in parts[3:] for code in part.split(",") if code)}


Categories = Annotated[tuple[Privilege, ...], Field(max_length=40)]


_EXAMPLE: Final = {"vehicle_category_code": "B", "issue_date": "2020-01-31", "expiry_date": "2040-01-30"}


class DrivingLicence(Declared):
    """What a decision says of a person's driving licence."""

    document_number: Annotated[
        str, Field(title="Number of the licence", pattern=r"^[A-Z0-9]{1,25}$", examples=["SPECI708124A99AB"])
    ]
    issue_date: Annotated[dt.date, Field(title="First day")]
    expiry_date: Annotated[dt.date, Field(title="Last day")]
    driving_privileges: Annotated[
        Categories, Field(title="Categories of vehicles", min_length=1, examples=[[_EXAMPLE]])
    ]
    provisional_driving_privileges: Annotated[
        Categories, Field(title="Categories, provisionally", examples=[[{"vehicle_category_code": "A"}]])
    ] = ()
    welsh_licence: Annotated[bool, Field(title="Issued in Wales")] = False

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> DrivingLicence:
        if self.expiry_date < self.issue_date:
            raise ValueError("expiry_date must not be before issue_date")
        return self


def _elements(facts: Facts) -> dict[str, dict[str, Any]]:
    spaces = {NAMESPACE: dict(_iso(facts)), GB_NAMESPACE: dict(_gb(facts))}
    return {space: element_values(said) for space, said in spaces.items()} | assurance_elements(facts)


def _iso(facts: Facts) -> Iterator[tuple[str, Any]]:
    """The mandatory elements of table 5, then those of the optional ones that are known."""
    details, licence = facts.details, facts.permission
    portrait = jpeg(details.picture or "")  # required: nobody without one is granted a licence
    yield from {"family_name": details.family_name, "given_name": details.given_name}.items()
    yield from {"birth_date": details.birthdate, "portrait": portrait}.items()
    yield from {"issue_date": licence.issue_date, "expiry_date": licence.expiry_date}.items()
    yield from {"issuing_country": facts.issuing_country, "issuing_authority": facts.issuing_authority}.items()
    yield "document_number", licence.document_number
    yield "driving_privileges", [_privilege(one) for one in licence.driving_privileges]
    yield "un_distinguishing_sign", SIGNS.get(facts.issuing_country, facts.issuing_country)
    yield from ((f"age_over_{years}", facts.is_over(years)) for years in AGES)
    if details.place_of_birth is not None:
        born = details.place_of_birth
        yield "birth_place", ", ".join(part for part in (born.locality, born.region, born.country) if part)
    if details.address is not None:
        lives = details.address
        yield "resident_address", lives.formatted or lives.street_address
        yield from {"resident_city": lives.locality, "resident_postal_code": lives.postal_code}.items()
        yield from {"resident_state": lives.region, "resident_country": lives.country}.items()


def _gb(facts: Facts) -> Iterator[tuple[str, Any]]:
    yield "title", facts.details.title
    yield "welsh_licence", facts.permission.welsh_licence
    if facts.permission.provisional_driving_privileges:
        provisional = facts.permission.provisional_driving_privileges
        yield "provisional_driving_privileges", [_privilege(one) for one in provisional]


def _privilege(one: Privilege) -> dict[str, Any]:
    said = one.model_dump(exclude={"codes"}, exclude_none=True)
    return said | ({"codes": [{"code": code} for code in one.codes]} if one.codes else {})


def _runs(licence: DrivingLicence) -> Runs:
    return days(licence.issue_date, licence.expiry_date)


_WHO: Final = frozenset({"family_name", "given_name", "portrait", assurance.CLAIM})
_VIEWS: Final[Mapping[Purpose, frozenset[str]]] = {
    Purpose.WORK: _WHO | {"driving_privileges", "expiry_date"},
    Purpose.RENT: _WHO,
    Purpose.TRAVEL: _WHO,
    Purpose.AGE: frozenset({"age_over_18", "portrait", assurance.CLAIM}),
}

DRIVING_LICENCE = CredentialType(
    id=DOCTYPE,
    name="Driving licence",
    key_role="document-signer/driving-licence",
    valid_for=THIRTY_DAYS,
    permission=DrivingLicence,
    runs=_runs,
    requires=frozenset({"picture"}),
    forms={MDOC: Form(type=DOCTYPE, claims=_elements, views=element_views(NAMESPACE, _VIEWS))},
)
