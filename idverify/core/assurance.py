"""How well it was checked who somebody is: what an officer recorded, what a credential says, what a checker demands.

The frameworks are those of the United Kingdom (Good Practice Guides 45 and 44) and of eIDAS (Regulation (EU) 910/2014,
article 8). The claim has the member names of OpenID Connect for Identity Assurance 1.0 (``verification``) where it has
one, in an SD-JWT VC as in an mdoc.

>>> held = IdentityAssurance(checked_on=dt.date(2026, 5, 3), confidence=Confidence.MEDIUM)
>>> Minimum(confidence=Confidence.HIGH).unmet(held)
('confidence',)
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidationError, model_validator

from idverify.core.declared import Declared
from idverify.errors import DocumentError

CLAIM: Final = "identity_assurance"
NAMESPACE: Final = "org.idverify.assurance.1"
"""Of the element ``CLAIM`` in an mdoc of any type."""

NOT_STATED: Final = "not_stated"
GPG45: Final = "gpg45"
GPG44: Final = "gpg44"
RULE: Final = "identity-assurance"


class Level(StrEnum):
    """A level of some framework; its members are declared from the lowest up."""

    def reaches(self, least: Self) -> bool:
        """Whether it is ``least`` or higher."""
        levels = list(type(self))
        return levels.index(self) >= levels.index(least)


class Confidence(Level):
    """GPG 45: how sure one is that the person is who they say they are."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    VERY_HIGH = "very_high"


class Protection(Level):
    """GPG 44: how well the person was authenticated when they collected."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Eidas(Level):
    """Article 8(2): the assurance level of an electronic identification."""

    LOW = "low"
    SUBSTANTIAL = "substantial"
    HIGH = "high"


# The 32 identity profiles of GPG 45, each of one, two or three pieces of evidence. There are no others.
_PROFILES: Final = r"^(L(1[A-C]|2[AB]|3A)|M(1[A-D]|2[A-C]|3A)|H(1[A-C]|2[A-E]|3A)|V(1[A-D]|2[A-D]|3A))$"
Profile = Annotated[str, Field(pattern=_PROFILES, examples=["M1B"])]
# A profile bears the letter of the confidence that it gives.
_LETTERS: Final[Mapping[str, Confidence]] = {
    "L": Confidence.LOW,
    "M": Confidence.MEDIUM,
    "H": Confidence.HIGH,
    "V": Confidence.VERY_HIGH,
}
Score = Annotated[int, Field(ge=0, le=4)]


class Checks(Declared):
    """The scores of GPG 45's five parts of an identity check."""

    strength: Score
    validity: Score
    activity: Score
    fraud: Score
    verification: Score


class IdentityAssurance(Declared):
    """What was recorded of the check; what nobody recorded stays ``None`` and claims nothing."""

    checked_on: dt.date
    confidence: Confidence | None = None
    profile: Profile | None = None
    checks: Checks | None = None
    authentication: Protection | None = None
    eidas: Eidas | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> IdentityAssurance:
        if self.confidence is None and self.authentication is None and self.eidas is None:
            raise ValueError("identity_assurance needs a level: confidence, authentication or eidas")
        if self.confidence is None and (self.profile or self.checks):
            raise ValueError("profile and checks need the confidence that they give")
        if self.profile is not None and _LETTERS[self.profile[0]] is not self.confidence:
            raise ValueError("the profile's letter must be that of the confidence")
        return self


class Minimum(Declared):
    """What somebody demands; ``None`` demands nothing."""

    confidence: Confidence | None = None
    authentication: Protection | None = None
    eidas: Eidas | None = None

    def demands(self) -> dict[str, Level]:
        """What is demanded, by name."""
        return {name: least for name, least in self if least is not None}

    def raised_by(self, other: Minimum) -> Minimum:
        """What meets both: of each demand the higher."""
        mine, theirs = self.demands(), other.demands()
        higher = {name: mine[name] for name in mine.keys() & theirs.keys() if mine[name].reaches(theirs[name])}
        return Minimum.model_validate(mine | theirs | higher)

    def unmet(self, held: IdentityAssurance | None) -> tuple[str, ...]:
        """The names of those demands that ``held`` does not reach; of an assurance that is not stated, all."""
        return tuple(name for name, least in self if least is not None and not _reaches(held, name, least))


def _reaches(held: IdentityAssurance | None, name: str, least: Level) -> bool:
    level: Level | None = getattr(held, name, None)
    return level is not None and level.reaches(least)


def claim(held: IdentityAssurance | None) -> dict[str, Any]:
    """The claim's value, whose ``time`` is a ``datetime.date``; a format without dates writes it in ISO 8601."""
    if held is None:
        return {"assurance_level": NOT_STATED}
    return {"time": held.checked_on, **dict(_members(held))}


def _members(held: IdentityAssurance) -> Iterator[tuple[str, Any]]:
    if held.confidence is not None:
        yield "trust_framework", GPG45
        yield "assurance_level", held.confidence.value
    if held.profile is not None or held.checks is not None:
        yield "assurance_process", dict(_process(held))
    if held.authentication is not None:
        yield "authentication", {"policy": GPG44, "assurance_level": held.authentication.value}
    if held.eidas is not None:
        yield "eidas_level", held.eidas.value


def _process(held: IdentityAssurance) -> Iterator[tuple[str, Any]]:
    yield "policy", GPG45
    if held.profile is not None:
        yield "procedure", held.profile
    if held.checks is not None:
        scores = held.checks.model_dump()
        yield (
            "assurance_details",
            [{"assurance_type": name, "assurance_classification": str(score)} for name, score in scores.items()],
        )


def read_claims(claims: Mapping[str, Any]) -> IdentityAssurance | None:
    """What disclosed claims of either format say; ``None``: nothing was stated, or it was not shown.

    Raises ``DocumentError`` (``identity-assurance``) for a claim that is none of ours: nothing may be made of it.
    """
    inside = claims.get(NAMESPACE)
    said = inside.get(CLAIM) if isinstance(inside, Mapping) else claims.get(CLAIM)
    if said is None or said == {"assurance_level": NOT_STATED}:
        return None
    try:
        return IdentityAssurance.model_validate(dict(_read(said)))
    except (ValidationError, TypeError, KeyError, AttributeError, ValueError) as wrong:
        raise DocumentError(RULE, "How the identity was checked is said in a form that is not known here.") from wrong


def _read(said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "checked_on", said["time"]
    if "trust_framework" in said:
        _require(said["trust_framework"], GPG45)
        yield "confidence", said["assurance_level"]
    if "assurance_process" in said:
        process = said["assurance_process"]
        _require(process["policy"], GPG45)
        yield "profile", process.get("procedure")
        if "assurance_details" in process:
            found = process["assurance_details"]
            yield "checks", {one["assurance_type"]: int(one["assurance_classification"]) for one in found}
    if "authentication" in said:
        _require(said["authentication"]["policy"], GPG44)
        yield "authentication", said["authentication"]["assurance_level"]
    yield "eidas", said.get("eidas_level")


def _require(found: Any, expected: str) -> None:
    if found != expected:
        raise ValueError(expected)
