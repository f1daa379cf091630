"""How well an identity was checked: levels, what is demanded, and the claim there and back."""

from __future__ import annotations

import datetime as dt
from itertools import product
from typing import Any

import pytest
from pydantic import ValidationError

from idverify.core import assurance
from idverify.core.assurance import (
    Confidence,
    Eidas,
    IdentityAssurance,
    Minimum,
    Protection,
    claim,
    read_claims,
)
from idverify.core.values import element_values, json_values
from idverify.errors import DocumentError

WHOLE: dict[str, Any] = {
    "checked_on": "2026-05-03",
    "confidence": "medium",
    "profile": "M1B",
    "checks": {"strength": 3, "validity": 2, "activity": 1, "fraud": 1, "verification": 2},
    "authentication": "high",
    "eidas": "substantial",
}
HELD = IdentityAssurance.model_validate(WHOLE)


@pytest.mark.parametrize("levels", [Confidence, Protection, Eidas])
def test_levels_are_in_order(levels: Any) -> None:
    """Each level reaches itself and those below it, and none above."""
    ranks = list(levels)
    for place, level in enumerate(ranks):
        assert [level.reaches(least) for least in ranks] == [other <= place for other in range(len(ranks))]


@pytest.mark.parametrize(
    ("least", "held", "unmet"),
    [
        ({}, None, ()),
        ({}, HELD, ()),
        ({"confidence": "medium", "authentication": "high", "eidas": "substantial"}, HELD, ()),
        ({"confidence": "high", "eidas": "high"}, HELD, ("confidence", "eidas")),
        ({"confidence": "low"}, None, ("confidence",)),
        ({"eidas": "low"}, IdentityAssurance(checked_on=dt.date(2026, 5, 3), confidence=Confidence.HIGH), ("eidas",)),
    ],
)
def test_a_minimum_is_met_by_what_is_stated_alone(
    least: dict[str, str], held: IdentityAssurance | None, unmet: tuple[str, ...]
) -> None:
    """What nobody stated reaches no demand, and one framework never stands in for another."""
    assert Minimum.model_validate(least).unmet(held) == unmet


@pytest.mark.parametrize(
    "changes",
    [
        {"profile": "H1B"},
        {"profile": "M9B"},
        {"profile": "M2D"},
        {"profile": "M3B"},
        {"profile": "M1E"},
        {"profile": "M1B\n"},
        {"confidence": None},
        {"confidence": "certain"},
        {"checks": {"strength": 5, "validity": 2, "activity": 1, "fraud": 1, "verification": 2}},
        {"checked_on": None},
        {"confidence": None, "profile": None, "checks": None, "authentication": None, "eidas": None},
    ],
)
def test_records_that_cannot_be(changes: dict[str, Any]) -> None:
    """A profile gives the confidence of its letter, scores belong to it, and a record says at least one level."""
    with pytest.raises(ValidationError):
        IdentityAssurance.model_validate(WHOLE | changes)


def test_every_profile_gives_the_confidence_of_its_letter() -> None:
    """GPG 45 has 32 profiles, by level and number of pieces of evidence, and no others."""
    told = {"low": ("ABC", "AB", "A"), "medium": ("ABCD", "ABC", "A")}
    told |= {"high": ("ABC", "ABCDE", "A"), "very_high": ("ABCD", "ABCD", "A")}
    there = {(level, level[0].upper() + str(pieces) + letter) for level, rows in told.items()
             for pieces, letters in enumerate(rows, 1) for letter in letters}  # fmt: skip
    asked = product(Confidence, product("LMHV", "01234", "ABCDEF"))
    assert {(level, "".join(name)) for level, name in asked if holds(level, "".join(name))} == there
    assert len(there) == 32


def holds(level: Confidence, profile: str) -> bool:
    """Whether a check of this level can be recorded with this profile."""
    try:
        IdentityAssurance(checked_on=dt.date(2026, 5, 3), confidence=level, profile=profile)
    except ValidationError:
        return False
    return True


def test_the_claim_has_the_names_of_openid() -> None:
    """Members of ``verification`` (OpenID Connect for Identity Assurance 1.0), and two that it has not."""
    assert json_values(claim(HELD)) == {
        "time": "2026-05-03",
        "trust_framework": "gpg45",
        "assurance_level": "medium",
        "assurance_process": {
            "policy": "gpg45",
            "procedure": "M1B",
            "assurance_details": [
                {"assurance_type": "strength", "assurance_classification": "3"},
                {"assurance_type": "validity", "assurance_classification": "2"},
                {"assurance_type": "activity", "assurance_classification": "1"},
                {"assurance_type": "fraud", "assurance_classification": "1"},
                {"assurance_type": "verification", "assurance_classification": "2"},
            ],
        },
        "authentication": {"policy": "gpg44", "assurance_level": "high"},
        "eidas_level": "substantial",
    }


@pytest.mark.parametrize(
    "held",
    [
        HELD,
        None,
        IdentityAssurance(checked_on=dt.date(2026, 5, 3), eidas=Eidas.HIGH),
        IdentityAssurance(checked_on=dt.date(2026, 5, 3), authentication=Protection.LOW),
        IdentityAssurance(checked_on=dt.date(2026, 5, 3), confidence=Confidence.VERY_HIGH, profile="V2D"),
    ],
)
def test_there_and_back(held: IdentityAssurance | None) -> None:
    """Both formats give back what was recorded."""
    assert read_claims(json_values({assurance.CLAIM: claim(held)})) == held
    assert read_claims({assurance.NAMESPACE: element_values({assurance.CLAIM: claim(held)})}) == held


@pytest.mark.parametrize("shown", [{}, {"family_name": "SPECIMEN"}, {"org.iso.18013.5.1": {"age_over_18": True}}])
def test_what_was_not_shown_states_nothing(shown: dict[str, Any]) -> None:
    """Copies of before say nothing of it, and a holder may keep it back."""
    assert read_claims(shown) is None


@pytest.mark.parametrize(
    "said",
    [
        "high",
        [],
        {},
        {"assurance_level": "high"},
        {"time": "2026-05-03", "trust_framework": "de_aml", "assurance_level": "high"},
        {"time": "2026-05-03", "trust_framework": "gpg45", "assurance_level": "certain"},
        {"time": "2026-05-03", "eidas_level": "medium"},
        {"time": "yesterday", "eidas_level": "high"},
        {"time": "2026-05-03", "authentication": "high"},
        {"time": "2026-05-03", "authentication": {"policy": "x", "assurance_level": "high"}},
        {
            "time": "2026-05-03",
            "trust_framework": "gpg45",
            "assurance_level": "high",
            "assurance_process": {"policy": "gpg45", "assurance_details": [{"assurance_type": "strength"}]},
        },
    ],
)
def test_a_claim_of_another_form_is_nothing_to_go_by(said: Any) -> None:
    """It fails by name: neither an error of ours nor a level."""
    with pytest.raises(DocumentError) as wrong:
        read_claims({assurance.CLAIM: said})
    assert wrong.value.rule == assurance.RULE
