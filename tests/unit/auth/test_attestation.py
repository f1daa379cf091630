"""Attestation statements: every rule refuses what it is for, and alone; all errors are of the family."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

import pytest

from idverify.auth import webauthn
from idverify.auth.attestation import android_key, apple, fido_u2f, packed, tpm
from idverify.errors import CeremonyMalformed, CeremonyRefused
from tests.simulators import authenticator as sim
from tests.simulators import makers
from tests.unit.auth.test_webauthn import TYPED, mutations
from tests.vectors.make_attestation_vectors import FAMILIES, FOLDER, document, load

# U2F keys, which are among them, verify no user
EXPECTED = webauthn.Expectation(sim.RP_ID, frozenset({sim.ORIGIN}), sim.CHALLENGE, user_verification=False)
CASES = load("attestation")
GOOD = [case for case in CASES if case["breaks"] is None]


class Step(NamedTuple):
    """One rule in one table of one format."""

    module: ModuleType
    table: str
    rule: str

    @property
    def name(self) -> str:
        return f"{self.module.__name__.rpartition('.')[2]}_{self.rule}".replace("_", "-")


STEPS = [
    Step(module, table, rule.__name__)
    for module, table in (
        (packed, "RULES"),
        (packed, "SELF_RULES"),
        (fido_u2f, "RULES"),
        (apple, "RULES"),
        (android_key, "RULES"),
        (tpm, "RULES"),
    )
    for rule in getattr(module, table)
]


def outcome(response: dict[str, Any]) -> tuple[str | None, str | None]:
    """The rule that refuses an answer, and otherwise what its statement proves."""
    try:
        return None, webauthn.check_registration(EXPECTED, response).attestation_type
    except (CeremonyMalformed, CeremonyRefused) as refused:
        return refused.rule, None


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_are_what_the_script_makes(family: str) -> None:
    """The checked-in vectors are exactly what the checked-in script writes."""
    assert (FOLDER / f"{family}.json").read_text() == document(family)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_vector(case: dict[str, Any]) -> None:
    """A statement proves what its vector says, or is refused by the rule that it names."""
    assert outcome(case["response"]) == (case["breaks"], case["proves"])


@pytest.mark.parametrize("step", [pytest.param(step, id=step.name) for step in STEPS])
def test_rule_knockout(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, every statement that the rule refused gets through."""
    refused = [case["response"] for case in CASES if case["breaks"] == step.name]
    others = tuple(rule for rule in getattr(step.module, step.table) if rule.__name__ != step.rule)
    monkeypatch.setattr(step.module, step.table, others)

    assert [outcome(response)[0] for response in refused] == [None] * len(refused)
    assert refused, f"nothing shows what {step.name} is for"


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in GOOD])
def test_changed_statements_fail_in_the_family(case: dict[str, Any]) -> None:
    """Every byte of every attestation changed, cut off and doubled: a key, or an error of the family."""
    for changed in mutations(case["response"], "attestationObject"):
        try:
            webauthn.check_registration(EXPECTED, changed)
        except TYPED:
            continue


def test_what_is_kept_of_a_statement() -> None:
    """The certificates as they came, leaf first, and all that judging needs later."""
    chain = next(case for case in GOOD if case["name"] == "packed, a chain")
    key = webauthn.check_registration(EXPECTED, chain["response"])

    assert len(key.certificates) == 2
    assert sim.text(key.attestation_object) == chain["response"]["response"]["attestationObject"]
    assert key.client_data_hash == makers.CLIENT_HASH
