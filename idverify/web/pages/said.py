"""What a document or a permission says, line by line, with labels for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

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
_ANSWERS: Final = {True: N_("Yes"), False: N_("No"), "yes": N_("Yes"), "no": N_("No"), "limited": N_("With limits")}

# By path, in the order in which people read them (core.person, core.types.immigration_status)
LABELS: Final[Mapping[str, str]] = {
    "family_name": N_("Family name"),
    "given_name": N_("Given names"),
    "birthdate": N_("Date of birth"),
    "age_over_18": N_("Over 18"),
    "nationalities": N_("Nationalities"),
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
    "status_reference": N_("Reference of the status"),
    "decision_date": N_("Decided on"),
    "issuing_authority": N_("Issued by"),
    "issuing_country": N_("Issuing country"),
}
_DATES: Final = frozenset(
    {"birthdate", "travel_document.expiry", "permission_start", "permission_end", "decision_date"}
)
_PHOTO: Final = "picture"  # shown as a picture, not as a line
_PLACES: Final = {path: place for place, path in enumerate(LABELS)}


def said(claims: Mapping[str, Any]) -> tuple[Said, ...]:
    """Every claim as a line. One that has no label here is shown under its own name, last: nothing goes unsaid."""
    leaves = [(path, value) for path, value in _leaves(claims, "") if path != _PHOTO]
    leaves.sort(key=lambda leaf: _PLACES.get(leaf[0], len(_PLACES)))
    return tuple(_line(path, value) for path, value in leaves)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and (value or not path):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def _line(path: str, value: Any) -> Said:
    label = LABELS.get(path, path)
    match value:
        case None:
            return Said(label, _NO_END if label == _ENDS else NOT_STATED, translated=True)
        case [] | ():
            return Said(label, NONE, translated=True)
        case bool():
            return Said(label, _ANSWERS[value], translated=True)
        case str() if path.endswith(".allowed") and value in _ANSWERS:
            return Said(label, _ANSWERS[value], translated=True)
        case list() | tuple():
            return Said(label, ", ".join(map(str, value)))
        case _:
            return Said(label, str(value), is_date=path in _DATES)
