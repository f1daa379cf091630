"""What a document or a permission says, line by line, with labels for people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import BaseModel

from idverify.core import assurance
from idverify.core.form_parts import MDOC
from idverify.core.person import Sex
from idverify.core.types import CREDENTIAL_TYPES
from idverify.core.types.immigration_status import Allowed
from idverify.web.pages.words import N_


@dataclass(frozen=True, slots=True)
class Said:
    """A line. ``translated``: the value is a sentence of the catalogue; else it is shown as it stands, or as a date."""

    label: str
    value: str
    translated: bool = False
    is_date: bool = False


_ENDS: Final = N_("Ends")
_NO_END: Final = N_("No end date")
NONE: Final = N_("None")
NOT_STATED: Final = N_("Not stated")
ANSWERS: Final = {True: N_("Yes"), False: N_("No")}
ALLOWED: Final[Mapping[str, str]] = {
    Allowed.YES: N_("Yes"),
    Allowed.LIMITED: N_("With limits"),
    Allowed.NO: N_("No"),
}


def _titles(model: type[BaseModel], within: str = "") -> Iterator[tuple[str, str]]:
    """Path and title of the fields that a declaration gives a title (``core.types``)."""
    for name, field in model.model_fields.items():
        if field.title is not None:
            yield within + name, field.title
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _titles(part, f"{within}{name}.")


# By path, in the order in which people read them (core.person, core.types.immigration_status). Elements of an mdoc
# have no path of their own: they are found by their names.
LABELS: Final[Mapping[str, str]] = {
    "family_name": N_("Family name"),
    "given_name": N_("Given names"),
    "birthdate": N_("Date of birth"),
    "age_over_18": N_("Over 18"),
    "nationalities": N_("Nationalities"),
    "title": N_("Title"),
    "sex": N_("Sex, as the documents say it"),
    "birth_family_name": N_("Family name at birth"),
    "birth_given_name": N_("Given names at birth"),
    "place_of_birth.locality": N_("Place of birth"),
    "place_of_birth.region": N_("Region of birth"),
    "place_of_birth.country": N_("Country of birth"),
    "address.formatted": N_("Address"),
    "address.street_address": N_("Street"),
    "address.house_number": N_("House number"),
    "address.postal_code": N_("Postcode"),
    "address.locality": N_("Town"),
    "address.region": N_("Region"),
    "address.country": N_("Country"),
    "personal_administrative_number": N_("Administrative number"),
    # Elements of an mdoc that are called otherwise
    "birth_date": N_("Date of birth"),
    "age_over_21": N_("Over 21"),
    "age_over_25": N_("Over 25"),
    "nationality": N_("Nationalities"),
    "birth_place": N_("Place of birth"),
    "family_name_birth": N_("Family name at birth"),
    "given_name_birth": N_("Given names at birth"),
    "resident_address": N_("Address"),
    "resident_street": N_("Street"),
    "resident_house_number": N_("House number"),
    "resident_postal_code": N_("Postcode"),
    "resident_city": N_("Town"),
    "resident_state": N_("Region"),
    "resident_country": N_("Country"),
    "un_distinguishing_sign": N_("Distinguishing sign of vehicles"),
    "permission_indefinite": N_("Without an end date"),
    "issuance_date": N_("First day"),
    "travel_document.type": N_("Travel document: kind"),
    "travel_document.number": N_("Travel document: number"),
    "travel_document.issuing_state": N_("Travel document: issued by"),
    "travel_document.expiry": N_("Travel document: valid until"),
    "status_type.text": N_("Kind of permission"),
    "status_type.code": N_("Kind of permission (code)"),
    "permission_start": N_("Starts"),
    "permission_end": _ENDS,
    "conditions": N_("Conditions"),
    "work.allowed": N_("Work"),
    "work.occupations_text": N_("Occupations"),
    "work.hours_per_week": N_("Hours a week"),
    "work.self_employed": N_("Self-employment"),
    "study.allowed": N_("Study"),
    "rent.allowed": N_("Renting a home"),
    "travel.allowed": N_("Travel here"),
    "public_funds.recourse": N_("Public funds"),
    "public_funds.benefits_text": N_("Benefits"),
    "sponsor_ref": N_("Sponsor's reference"),
    **dict(pair for kind in CREDENTIAL_TYPES.values() for pair in _titles(kind.permission)),
    "document_number": N_("Number of the document"),  # of whichever type; each calls it otherwise on its form
    "status_reference": N_("Reference of the status"),
    "decision_date": N_("Decided on"),
    "issuing_authority": N_("Issued by"),
    "issuing_country": N_("Issuing country"),
    "attestation_legal_category": N_("Legal category"),
    "identity_assurance.time": N_("Identity checked on"),
    "identity_assurance.checked_on": N_("Identity checked on"),
    "identity_assurance.assurance_level": N_("Confidence in the identity (GPG 45)"),
    "identity_assurance.confidence": N_("Confidence in the identity (GPG 45)"),
    "identity_assurance.profile": N_("Identity profile (GPG 45)"),
    "identity_assurance.assurance_process.procedure": N_("Identity profile (GPG 45)"),
    "identity_assurance.checks": N_("Scores of the check (GPG 45)"),
    "identity_assurance.checks.strength": N_("Strength of the evidence (GPG 45)"),
    "identity_assurance.checks.validity": N_("Validity of the evidence (GPG 45)"),
    "identity_assurance.checks.activity": N_("Activity of the identity (GPG 45)"),
    "identity_assurance.checks.fraud": N_("Risk of identity fraud (GPG 45)"),
    "identity_assurance.checks.verification": N_("Verification of the person (GPG 45)"),
    "identity_assurance.authentication": N_("Authentication when it was collected (GPG 44)"),
    "identity_assurance.authentication.assurance_level": N_("Authentication when it was collected (GPG 44)"),
    "identity_assurance.eidas": N_("Assurance level (eIDAS)"),
    "identity_assurance.eidas_level": N_("Assurance level (eIDAS)"),
}
SEXES: Final[Mapping[str, str]] = {
    str(sex.value): word
    for sex, word in (
        (Sex.FEMALE, N_("Female")),
        (Sex.MALE, N_("Male")),
        (Sex.OTHER, N_("Other")),
        (Sex.INTER, N_("Intersex")),
        (Sex.DIVERSE, N_("Diverse")),
        (Sex.OPEN, N_("Open")),
        (Sex.NOT_KNOWN, N_("Not known")),
        (Sex.NOT_APPLICABLE, N_("Not applicable")),
    )
}
_LEVELS: Final[Mapping[str, str]] = {
    "low": N_("Low"),
    "medium": N_("Medium"),
    "substantial": N_("Substantial"),
    "high": N_("High"),
    "very_high": N_("Very high"),
    "not_stated": NOT_STATED,
}
_DATES: Final = frozenset(
    {
        "birthdate",
        "travel_document.expiry",
        "permission_start",
        "permission_end",
        "decision_date",
        "date_of_issuance",
        "date_of_expiry",
        "issue_date",
        "expiry_date",
        "identity_assurance.time",
        "identity_assurance.checked_on",
    }
)
_PHOTOS: Final = frozenset({"picture", "portrait"})  # shown as a picture, not as a line
# How a check was made in full, for machines: whoever reads wants the levels
_FOR_MACHINES: Final = frozenset(
    {
        "identity_assurance.trust_framework",
        "identity_assurance.assurance_process.policy",
        "identity_assurance.assurance_process.assurance_details",
        "identity_assurance.authentication.policy",
    }
)
_NAMESPACES: Final = frozenset(
    path[0]
    for kind in CREDENTIAL_TYPES.values()
    if MDOC in kind.forms
    for view in kind.forms[MDOC].views.values()
    for path in view or ()
    if path[0] is not None
) | {assurance.NAMESPACE}
_PLACES: Final = {path: place for place, path in enumerate(LABELS)}


def said(claims: Mapping[str, Any]) -> tuple[Said, ...]:
    """Every claim as a line. One that has no label here is shown under its own name, last: nothing goes unsaid."""
    leaves = [(path, value) for path, value in _leaves(claims, "") if path not in _PHOTOS | _FOR_MACHINES]
    leaves.sort(key=lambda leaf: _PLACES.get(leaf[0], len(_PLACES)))
    return tuple(_line(path, value) for path, value in leaves)


def is_namespace(name: Any, inside: Any) -> bool:
    """Whether a claim is a namespace of an mdoc, with its elements inside."""
    return "." in str(name) and isinstance(inside, Mapping)


def is_declared(namespace: str) -> bool:
    """Whether the words here are those of this namespace, or of one below it: that of a type that is issued here.

    Elements of any other are shown by their full names: what they mean is not ours to say.
    """
    return any(namespace == known or namespace.startswith(f"{known}.") for known in _NAMESPACES)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and (value or not path):
        for name, inner in value.items():
            ours = not path and is_namespace(name, inner) and is_declared(name)
            yield from _leaves(inner, "" if ours else f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def _element(item: Any) -> str:
    """One of several, such as a category of vehicles with its dates and codes."""
    if isinstance(item, Mapping):
        return " ".join(_element(value) for value in item.values() if value not in (None, [], ()))
    if isinstance(item, list | tuple):
        return ", ".join(_element(value) for value in item)
    return str(item)


def _line(path: str, value: Any) -> Said:
    label = LABELS.get(path, path)
    word = _word(path, label, value)
    if word is not None:
        return Said(label, word, translated=True)
    shown = value.hex() if isinstance(value, bytes) else _element(value)
    return Said(label, shown, is_date=path in _DATES or isinstance(value, dt.date))


# Parts of a path, and the words of what stands there
_WORDS: Final[tuple[tuple[str, Mapping[str, str]], ...]] = (
    (".sex.", SEXES),
    (".allowed.", ALLOWED),
    (".identity_assurance.", _LEVELS),
)


def _word(path: str, label: str, value: Any) -> str | None:
    """The catalogue's word for a value that has one."""
    match value:
        case None:
            return _NO_END if label == _ENDS else NOT_STATED
        case [] | ():
            return NONE
        case bool():
            return ANSWERS[value]
    words = next((table for within, table in _WORDS if within in f".{path}."), {})
    return words.get(str(value))
