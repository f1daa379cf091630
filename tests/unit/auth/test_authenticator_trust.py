"""Whom a role trusts: every rule refuses what it is for, and alone, for new keys and for those on record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from idverify.auth import authenticator_trust, mds, mds_status, webauthn
from idverify.auth.attestation.path import fingerprint, require_anchor
from idverify.auth.authenticator_trust import SENTENCES, AllowedModel, AuthenticatorRules, judge
from idverify.auth.mds_status import StatusReport
from idverify.errors import DocumentError, KeyNotAllowed
from tests.simulators import authenticator as sim
from tests.simulators import makers
from tests.vectors.make_attestation_vectors import bad_paths, chain_of, load

# U2F keys, which are among them, verify no user
EXPECTED = webauthn.Expectation(sim.RP_ID, frozenset({sim.ORIGIN}), sim.CHALLENGE, user_verification=False)
CASES = load("trust")
TWICE_WRONG = ("self attestation under a trusted model", "which is on no list any more")  # for two rules
RULES = AuthenticatorRules(
    (AllowedModel(sim.AAGUID, fingerprint(makers.ROOT.certificate), "Maker's key"),),
    (makers.ROOT.certificate,),
    minimum=None,
)


def rules_of(case: dict[str, Any]) -> AuthenticatorRules:
    """The policy of a case."""
    entries = {}
    if case["reports"] is not None:
        reports = tuple(StatusReport(*report) for report in case["reports"])
        roots = tuple(bytes.fromhex(root) for root in case["metadata_roots"])
        entries[bytes.fromhex(case["metadata_model"])] = mds.Entry("Maker's key", roots, reports)
    return AuthenticatorRules(
        allow=tuple(
            AllowedModel(bytes.fromhex(model), None if root is None else bytes.fromhex(root), name)
            for model, root, name in case["allow"]
        ),
        roots=tuple(bytes.fromhex(root) for root in case["roots"]),
        metadata=mds.Metadata(7, case["next_update"], entries),
        minimum=case["minimum"],
        fips=case["fips"],
        grace=case["grace"],
    )


def broken_rule(case: dict[str, Any]) -> str | None:
    """The rule that refuses a case."""
    key = webauthn.check_registration(EXPECTED, case["response"])
    if case["other_key"]:
        key = replace(key, cose_key=makers.OTHER.cose_key)
    try:
        judge(key, rules_of(case), makers.AT_TIME, case["registered_at"])
    except KeyNotAllowed as refused:
        return refused.rule
    return None


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_vector(case: dict[str, Any]) -> None:
    """A key is trusted, or refused by the rule that its vector names."""
    assert broken_rule(case) == case["breaks"]


@pytest.mark.parametrize("rule", [rule.__name__ for rule in authenticator_trust.RULES])
def test_rule_knockout(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, every key that the rule refused gets through."""
    wrong = [case for case in CASES if case["breaks"] == rule.replace("_", "-")]
    refused = [case for case in wrong if not case["name"].endswith(TWICE_WRONG)]
    others = tuple(other for other in authenticator_trust.RULES if other.__name__ != rule)
    monkeypatch.setattr(authenticator_trust, "RULES", others)

    assert [broken_rule(case) for case in refused] == [None] * len(refused)
    assert refused, f"nothing shows what {rule} is for"


def test_why_a_key_is_trusted() -> None:
    """The root behind it, its name on the list, its certification, and the metadata that said so."""
    case = next(case for case in CASES if case["name"] == "by an authority below it")
    key = webauthn.check_registration(EXPECTED, case["response"])

    assert judge(key, rules_of(case), makers.AT_TIME) == authenticator_trust.Trusted(
        fingerprint(makers.ROOT.certificate), "Maker's key", "FIDO_CERTIFIED_L1", 7
    )
    assert judge(key, RULES, makers.AT_TIME).metadata_number is None


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"attestation_object": b""}, "attestation-missing"),
        ({"attestation_object": b"\xa0"}, "attestation-evidence"),
        ({"client_data_hash": bytes(32)}, "attestation-evidence"),
        ({"credential_id": b"another"}, "attestation-evidence"),
    ],
)
def test_evidence_that_does_not_hold(changes: dict[str, bytes], rule: str) -> None:
    """A row from before it was kept, and rows that somebody changed."""
    key = webauthn.check_registration(EXPECTED, makers.packed())
    judge(key, RULES, makers.AT_TIME)
    with pytest.raises(KeyNotAllowed) as refused:
        judge(replace(key, **changes), RULES, makers.AT_TIME)

    assert refused.value.rule == rule
    assert str(refused.value) == SENTENCES[rule]


def test_no_byte_of_the_evidence_may_change() -> None:
    """Whatever is changed in what was kept, nobody is trusted, and nothing but the policy's error comes out."""
    key = webauthn.check_registration(EXPECTED, makers.packed(chain_of(makers.ROOT.below("CA"))))
    kept = key.attestation_object
    for place, byte in enumerate(kept):
        for other in (byte ^ 0x01, byte ^ 0x80, 0xFF):
            changed = kept[:place] + bytes([other]) + kept[place + 1 :]
            if changed == kept:
                continue
            with pytest.raises(KeyNotAllowed):
                judge(replace(key, attestation_object=changed), RULES, makers.AT_TIME)


def test_every_refusal_says_what_to_do() -> None:
    """A sentence for every rule, in which something is asked of somebody."""
    rules = {rule.__name__.replace("_", "-") for rule in authenticator_trust.RULES}

    assert set(SENTENCES) == rules | {"attestation-missing"}
    assert rules > authenticator_trust.SUSPENDS
    for sentence in SENTENCES.values():
        assert any(verb in sentence for verb in ("Use ", "Ask ", "Add ", "add it again")), sentence


@pytest.mark.parametrize(("name", "chain"), [pytest.param(*bad, id=bad[0]) for bad in bad_paths()])
def test_bad_paths(name: str, chain: list[bytes]) -> None:
    """Certificates that lead nowhere, without a policy around them."""
    with pytest.raises(DocumentError) as refused:
        require_anchor(tuple(chain), (makers.ROOT.certificate,), makers.AT_TIME)

    assert refused.value.rule == "path"
    assert "{" not in str(refused.value), name


def test_good_paths() -> None:
    """To a root, to an authority below it, and to the certificate itself; the fingerprint says which."""
    middle, leaf = makers.ROOT.below("CA"), makers.batch_certificate()
    chain = tuple(chain_of(middle))
    for given, anchor in ((chain, makers.ROOT.certificate), (chain, middle.certificate), ((leaf,), leaf)):
        anchors = (makers.OTHER_ROOT.certificate, anchor)
        assert require_anchor(given, anchors, makers.AT_TIME) == fingerprint(anchor)


@pytest.mark.parametrize("years", [(2020, 2025), (2030, 2044)])
def test_an_anchor_has_its_time(years: tuple[int, int]) -> None:
    """A root, or a certificate that is listed itself, is trusted while it is valid."""
    old = makers.root("Old root", years=years)
    leaf = makers.batch_certificate(years=years)
    for chain, anchor in (((makers.batch_certificate(old),), old.certificate), ((leaf,), leaf)):
        with pytest.raises(DocumentError):
            require_anchor(chain, (anchor,), makers.AT_TIME)


def test_paths_of_nothing() -> None:
    """No certificates, no anchors, and bytes that are neither."""
    root = makers.ROOT.certificate
    for chain, anchors, rule in (((), (root,), "path"), ((root,), (), "path"), ((root,), (b"x",), "certificate")):
        with pytest.raises(DocumentError) as refused:
            require_anchor(chain, anchors, makers.AT_TIME)
        assert refused.value.rule == rule


def test_every_certification_reaches_those_below_it() -> None:
    """The table's order is the order of its levels."""
    levels = mds_status.CERTIFICATIONS
    for place, level in enumerate(levels):
        assert [mds_status.reaches(frozenset({level}), minimum) for minimum in levels] == [
            below <= place for below in range(len(levels))
        ]
