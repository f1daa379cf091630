"""Each rule on a security key's answer is switched off in turn; what it alone refuses must then get through."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import pytest

from idverify.auth import assertion, ceremony, registration, webauthn
from idverify.errors import CeremonyMalformed, CeremonyRefused, KeyNotAllowed, UserVerificationNeeded
from tests.simulators import authenticator as sim
from tests.vectors.make_fido2_vectors import FAMILIES, FOLDER, KEY, Case, document, load

ORIGINS = frozenset({sim.ORIGIN, sim.OTHER_ORIGIN})


class Step(NamedTuple):
    """One rule in the table of one module, and the family of vectors that it must show in."""

    module: ModuleType
    rule: str
    family: str


STEPS = [
    Step(module, rule.__name__, family)
    for module, families in (
        (ceremony, ("registration", "assertion")),
        (registration, ("registration",)),
        (assertion, ("assertion",)),
    )
    for family in families
    for rule in module.RULES
]


def broken_rule(case: Case, family: str) -> str | None:
    """The rule that refuses a case, or ``None``; whatever is not of the ceremonies' errors is a bug and flies on."""
    expected = webauthn.Expectation(sim.RP_ID, ORIGINS, sim.CHALLENGE, case.user_verification, case.account_known)
    known = webauthn.KnownKey(KEY.credential_id, bytes.fromhex(case.cose_key), 1, False, sim.USER_HANDLE)
    try:
        if family == "registration":
            webauthn.check_registration(expected, case.response)
        else:
            webauthn.check_assertion(expected, known, case.response)
    except UserVerificationNeeded:
        return "user-verified"
    except (CeremonyMalformed, CeremonyRefused, KeyNotAllowed) as refused:
        return refused.rule
    return None


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_are_what_the_script_makes(family: str) -> None:
    """The checked-in vectors are exactly what the checked-in script writes."""
    assert (FOLDER / f"{family}.json").read_text() == document(family)


@pytest.mark.parametrize(
    ("family", "case"),
    [pytest.param(name, case, id=f"{name}: {case.name}") for name in FAMILIES for case in load(name)],
)
def test_vector(family: str, case: Case) -> None:
    """An answer holds, or is refused by the rule that its vector names."""
    assert broken_rule(case, family) == case.breaks


@pytest.mark.parametrize("step", [pytest.param(step, id=f"{step.family}: {step.rule}") for step in STEPS])
def test_rule_knockout(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, every answer that the rule refused gets through."""
    refused = [case for case in load(step.family) if case.breaks == step.rule.replace("_", "-")]
    others = tuple(rule for rule in step.module.RULES if rule.__name__ != step.rule)
    monkeypatch.setattr(step.module, "RULES", others)

    assert [broken_rule(case, step.family) for case in refused] == [None] * len(refused)
    assert refused, f"nothing shows what {step.rule} is for"


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in load("assertion")])
def test_nobody_s_key_is_refused_like_somebody_s(case: Case) -> None:
    """Whether a key is registered shows in no answer to those who cannot sign with it: refusals are the same."""
    expected = webauthn.Expectation(sim.RP_ID, ORIGINS, sim.CHALLENGE, case.user_verification, case.account_known)
    stranger = sim.cbor(sim.cose_key(sim.elliptic_key("another stranger")))
    known = webauthn.KnownKey(KEY.credential_id, stranger, 1, False, sim.USER_HANDLE)
    with pytest.raises((CeremonyMalformed, CeremonyRefused, UserVerificationNeeded)) as of_somebody:
        webauthn.check_assertion(expected, known, case.response)
    with pytest.raises((CeremonyMalformed, CeremonyRefused, UserVerificationNeeded)) as of_nobody:
        webauthn.check_nothing(expected, case.response)

    assert type(of_nobody.value) is type(of_somebody.value)
    assert str(of_nobody.value) == str(of_somebody.value)
