"""How well the identity was checked (``core.assurance``), as an officer types it: all of it may be left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from pydantic import ValidationError

from idverify.core.assurance import Confidence, Eidas, IdentityAssurance, Profile, Protection
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.words import N_

_CHOOSE: Final = N_("Choose one of the answers")
_DATE: Final = N_("Give the day on which the identity was checked, or leave every level open")
_LEVEL: Final = N_("Choose the level that the check reached, or leave the day blank")
_PROFILE: Final = N_("Give a profile of GPG 45, such as M1B, that gives the confidence of its letter")

# One table for all three frameworks: what is the same word is the same in each
LEVELS: Final[Mapping[str, str]] = {
    "low": N_("Low"),
    "medium": N_("Medium"),
    "substantial": N_("Substantial"),
    "high": N_("High"),
    "very_high": N_("Very high"),
}


# What each level is called on forms, by the name of its field
FRAMEWORKS: Final[Mapping[str, str]] = {
    "confidence": N_("Confidence in the identity (GPG 45)"),
    "authentication": N_("Authentication when it was collected (GPG 44)"),
    "eidas": N_("Assurance level (eIDAS)"),
}


class Deciding(Form):
    """What every decision says."""

    reason: Annotated[str, Says(N_("Choose the reason"), N_("Choose a reason from the list"))]
    legal_basis: Annotated[
        str, Field(max_length=300), Says(N_("Give the legal basis"), N_("Use at most 300 characters"))
    ]


class Giving(Deciding):
    """What a decision says that gives something, whatever it gives."""

    checked_on: Annotated[dt.date | None, Says(_DATE, N_("The day of the check must be a real date"))] = None
    confidence: Annotated[Confidence | None, Says(_LEVEL, _CHOOSE)] = None
    profile: Annotated[Profile | None, Says(_PROFILE, _PROFILE)] = None
    authentication: Annotated[Protection | None, Says(_CHOOSE, _CHOOSE)] = None
    eidas: Annotated[Eidas | None, Says(_CHOOSE, _CHOOSE)] = None


F = TypeVar("F", bound=Giving)


def assurance_of(form: Filled[F], held: IdentityAssurance | None) -> tuple[Filled[F], IdentityAssurance | None]:
    """What was typed; ``None`` where nothing was. A form that contradicts itself comes back with what is wrong.

    ``held`` is what is recorded so far: its scores, which no form asks for, stay with what stays as it was.
    """
    typed = form.model
    if typed is None:
        return form, None
    levels = (typed.confidence, typed.authentication, typed.eidas)
    if typed.checked_on is None:
        said = typed.profile or any(level is not None for level in levels)
        return (form.with_error("checked_on", _DATE) if said else form), None
    if all(level is None for level in levels):
        return form.with_error("confidence", _LEVEL), None
    try:
        new = IdentityAssurance(
            checked_on=typed.checked_on,
            confidence=typed.confidence,
            profile=typed.profile,
            authentication=typed.authentication,
            eidas=typed.eidas,
        )
    except ValidationError:  # each field holds, so it is the profile that gives another confidence
        return form.with_error("profile", _PROFILE), None
    unchanged = held is not None and held.model_copy(update={"checks": None}) == new
    return form, held if unchanged else new


def typed_assurance(held: IdentityAssurance | None) -> Iterator[tuple[str, str]]:
    """The fields as they look before somebody changes what is recorded."""
    if held is None:
        return
    yield from ((f"checked_on-{part}", str(getattr(held.checked_on, part))) for part in ("day", "month", "year"))
    for name in ("confidence", "profile", "authentication", "eidas"):
        if (value := getattr(held, name)) is not None:
            yield name, str(value)
