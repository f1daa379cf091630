"""Each step of reading key proofs is switched off in turn; what it alone refuses gets through.

Of credentials and status lists: ``tests/corpus``. So no rule is dead, no rule hides behind another, and a rule that
somebody weakens is noticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType

import pytest

from idverify.errors import DocumentError
from idverify.formats import key_proof, x509
from tests.corpus.knockout import Step, steps, switch_off
from tests.simulators import credential_world as world
from tests.vectors.make_credential_vectors import FAMILIES, FOLDER, NONCE, Case, load, text

TABLES: tuple[tuple[ModuleType, str], ...] = ((key_proof, "RULES"),)

# Where a rule raises what a shared helper calls it, or passes on what a table of another module says.
RAISES: Mapping[str, tuple[str, ...]] = {
    "proof_signature": ("signature",),
}
FAMILY: Mapping[str, tuple[str, ...]] = {
    "idverify.formats.key_proof": ("key_proof",),
}


def broken_rule(case: Case, family: str) -> str | None:
    """The rule that refuses a case, or ``None``; whatever is not a ``DocumentError`` is a bug and flies on."""
    try:
        _examine(case, family)
    except DocumentError as refused:
        return refused.rule
    return None


def _examine(case: Case, family: str) -> None:
    assert family == "key_proof"
    key_proof.check_key_proof(case.document.encode("ascii"), world.ISS, NONCE, case.at)


@pytest.fixture(autouse=True)
def _forget_verified_paths() -> Iterator[None]:
    x509._verified.cache_clear()
    yield
    x509._verified.cache_clear()


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_are_what_the_script_makes(family: str) -> None:
    """The checked-in vectors are exactly what the checked-in script writes."""
    assert (FOLDER / f"{family}.json").read_text() == text(family)


@pytest.mark.parametrize(
    ("family", "case"),
    [pytest.param(name, case, id=f"{name}: {case.name}") for name in FAMILIES for case in load(name)],
)
def test_vector(family: str, case: Case) -> None:
    """A vector holds, or is refused by the rule it names."""
    assert broken_rule(case, family) == case.breaks


@pytest.mark.parametrize("step", list(steps(TABLES)), ids=str)
def test_rule_knockout(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, at least one document that the rule refused gets through."""
    raises = RAISES.get(step.rule, (step.rule.replace("_", "-"),))
    cases = [
        (family, case) for family in FAMILY[step.module.__name__] for case in load(family) if case.breaks in raises
    ]
    assert [broken_rule(case, family) for family, case in cases] == [case.breaks for _, case in cases]
    switch_off(step, monkeypatch)
    x509._verified.cache_clear()
    let_through = [case.name for family, case in cases if broken_rule(case, family) is None]
    assert let_through, f"nothing shows what {step.rule} is for"
