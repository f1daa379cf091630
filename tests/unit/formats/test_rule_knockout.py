"""Each verification step is switched off in turn; a document that it alone refuses must then get through.

So no rule is dead, no rule hides behind another, and a rule that somebody weakens is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from cryptography.x509 import Certificate

from idverify.core.credential import StatusReference
from idverify.core.trust import TrustStore
from idverify.core.verdict import CheckId, Result
from idverify.errors import DocumentError
from idverify.formats import jose, key_binding, key_proof, sdjwt, sdjwt_vc, status_list, x509
from tests.simulators import credential_world as world
from tests.vectors.make_credential_vectors import FAMILIES, FOLDER, NONCE, Case, load, text


class Step(NamedTuple):
    """One rule in one table of one module; ``key`` when the table is a mapping of tables."""

    module: ModuleType
    table: str
    rule: str
    key: CheckId | None = None


TABLES: tuple[tuple[ModuleType, str], ...] = (
    (jose, "HEADER_RULES"),
    (sdjwt, "PAYLOAD_RULES"),
    (sdjwt, "DISCLOSURE_RULES"),
    (sdjwt, "NESTING_RULES"),
    (sdjwt, "LEVEL_RULES"),
    (sdjwt, "ARRAY_RULES"),
    (sdjwt, "DIGEST_RULES"),
    (sdjwt, "PROPERTY_RULES"),
    (sdjwt, "ELEMENT_RULES"),
    (sdjwt, "WHOLE_RULES"),
    (sdjwt_vc, "FORMAT_RULES"),
    (x509, "LEAF_RULES"),
    (x509, "TIME_RULES"),
    (x509, "SIGNER_RULES"),
    (key_binding, "BINDING_RULES"),
    (key_binding, "REPLAY_RULES"),
    (key_binding, "AUDIENCE_RULES"),
    (key_proof, "RULES"),
    (status_list, "RULES"),
)

# Where a rule raises what a shared helper calls it, or passes on what a table of another module says.
RAISES: Mapping[str, tuple[str, ...]] = {
    "issuer_named": ("iss",),
    "type_named": ("vct",),
    "issuer_signature": ("signature",),
    "issuer_certified": ("path",),
    "binding_holds": ("signature",),
    "binding_signature": ("signature",),
    "made_for_us": ("binding-nonce",),
    "proof_signature": ("signature",),
    "list_signature": ("signature",),
    "list_issuer": ("path",),
}
# A name that is missing is refused when it is looked up, if it was not before.
THEN: Mapping[str, str] = {"issuer_named": "issuer-known", "type_named": "type-allowed"}
FAMILY: Mapping[str, tuple[str, ...]] = {
    "idverify.formats.jose": ("header",),
    "idverify.formats.sdjwt": ("sd_jwt",),
    "idverify.formats.sdjwt_vc": ("sd_jwt_vc", "path", "key_binding"),
    "idverify.formats.x509": ("path",),
    "idverify.formats.key_binding": ("key_binding",),
    "idverify.formats.key_proof": ("key_proof",),
    "idverify.formats.status_list": ("status_list",),
}


def broken_rule(case: Case, family: str) -> str | None:
    """The rule that refuses a case, or ``None``; whatever is not a ``DocumentError`` is a bug and flies on."""
    try:
        return _examine(case, family)
    except DocumentError as refused:
        return refused.rule


def _examine(case: Case, family: str) -> str | None:
    document = case.document.encode("ascii")
    if family == "key_proof":
        key_proof.check_key_proof(document, world.ISS, NONCE, case.at)
        return None
    if family == "status_list":
        expected = status_list.StatusExpected(world.STATUS_URI, world.TRUSTED, frozenset(), case.at)
        status_list.check(status_list.read(document), expected)
        return None
    revoked = frozenset({(issuer, serial) for issuer, serial in _path_of(world.CHAIN)}) if case.revoked else frozenset()
    trust = TrustStore(world.TRUST.issuers, revoked)
    presented = world.FORMAT.read(document)
    for check in world.FORMAT.check(presented, trust, case.at, world.ASKED if case.asked else None):
        if check.result is Result.FAIL:
            assert check.evidence is not None
            return str(check.evidence["rule"])
    return None


def _path_of(chain: tuple[bytes, ...]) -> Iterator[tuple[str, int]]:
    for der in chain:
        certificate = x509.read_certificate(der)
        yield certificate.issuer.rfc4514_string(), certificate.serial_number


def steps() -> Iterator[Step]:
    """Every rule of every table."""
    for module, table in TABLES:
        yield from (Step(module, table, rule.__name__) for rule in getattr(module, table))
    for check, rules in sdjwt_vc.RULES.items():
        yield from (Step(sdjwt_vc, "RULES", rule.__name__, check) for rule in rules)


def switch_off(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one rule out of its table; every cached path is forgotten before and after."""

    def without(rules: tuple[Callable[..., Any], ...]) -> tuple[Callable[..., Any], ...]:
        return tuple(rule for rule in rules if rule.__name__ != step.rule)

    table = getattr(step.module, step.table)
    changed = without(table) if step.key is None else {**table, step.key: without(table[step.key])}
    monkeypatch.setattr(step.module, step.table, changed)


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


@pytest.mark.parametrize("step", [pytest.param(step, id=f"{step.table}.{step.rule}") for step in steps()])
def test_rule_knockout(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, at least one document that the rule refused gets through."""
    raises = RAISES.get(step.rule, (step.rule.replace("_", "-"),))
    cases = [
        (family, case) for family in FAMILY[step.module.__name__] for case in load(family) if case.breaks in raises
    ]
    assert [broken_rule(case, family) for family, case in cases] == [case.breaks for _, case in cases]
    switch_off(step, monkeypatch)
    x509._verified.cache_clear()
    let_through = [case.name for family, case in cases if broken_rule(case, family) == THEN.get(step.rule)]
    assert let_through, f"nothing shows what {step.rule} is for"


def test_path_knockout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the path check, a certificate under a stranger's root gets through."""
    (case,) = (case for case in load("path") if case.name == "another root")
    assert broken_rule(case, "path") == "path"

    def believe(chain: tuple[bytes, ...], roots: tuple[bytes, ...]) -> list[Certificate]:
        return [x509.read_certificate(der) for der in (*chain, roots[0])]

    monkeypatch.setattr(x509, "_path_to_root", believe)
    assert broken_rule(case, "path") is None


def test_status_reference_is_read() -> None:
    """The index and address of the status are those that were issued."""
    assert world.FORMAT.read(world.issue()).status == StatusReference(world.STATUS_URI, 5)
