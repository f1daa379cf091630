"""A signature over one act, and evidence of it that a stranger can check."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from idverify.auth import step_up, webauthn
from idverify.auth.key_policy import KEY_POLICIES
from idverify.auth.options import creation_options, request_options
from idverify.auth.software_key import SoftwareKey
from idverify.core.action import Action, canonical_json
from idverify.core.policy import Role
from idverify.errors import CeremonyMalformed, CeremonyRefused, IdverifyError, UserVerificationNeeded
from tests.simulators import authenticator as sim
from tests.simulators.authenticator import UP, Authenticator, authenticator_data

KEY = Authenticator()
KNOWN = webauthn.KnownKey(KEY.credential_id, KEY.cose_key, 1, False, sim.USER_HANDLE)
ORIGINS = frozenset({sim.ORIGIN})
NONCE = hashlib.sha256(b"a nonce").digest()
ACTION = Action("decide", "ab" * 16, {"kind": "revoke", "reason": "a reason"})
CONTEXT = step_up.Context("aa", "bb", "cc", sim.RP_ID, 1_800_000_000, 1_800_000_120)


def confirm(action: Action = ACTION, context: step_up.Context = CONTEXT, nonce: bytes = NONCE) -> bytes:
    """Evidence of an act that was confirmed."""
    challenge = step_up.challenge(nonce, action.digest(), context)
    expected = webauthn.Expectation(sim.RP_ID, ORIGINS, challenge)
    response = KEY.sign_in(client=sim.client_data("webauthn.get", challenge))
    asserted = webauthn.check_assertion(expected, KNOWN, response)
    return step_up.evidence(nonce, action.digest(), context, ORIGINS, KNOWN, asserted)


def changed(evidence: bytes, **changes: Any) -> bytes:
    return canonical_json(sim.changed(json.loads(evidence), changes))


def test_the_challenge_is_what_the_text_says() -> None:
    """SHA-256 over label, zero, nonce, digest of the act and digest of the context, worked out by hand."""
    context = (
        b'{"account":"aa","expires_at":1800000120,"issued_at":1800000000,'
        b'"rp_id":"id.example","security_key":"cc","session":"bb"}'
    )
    by_hand = b"idverify/step-up/v1\x00" + NONCE + ACTION.digest() + hashlib.sha256(context).digest()

    assert step_up.challenge(NONCE, ACTION.digest(), CONTEXT) == hashlib.sha256(by_hand).digest()


def test_everything_is_in_the_challenge() -> None:
    """Another nonce, act, or anything else in the context makes another challenge."""
    digest = ACTION.digest()
    challenges = {
        step_up.challenge(NONCE, digest, CONTEXT),
        step_up.challenge(bytes(32), digest, CONTEXT),
        step_up.challenge(NONCE, Action("decide", "ab" * 16, {"kind": "grant"}).digest(), CONTEXT),
        *(
            step_up.challenge(NONCE, digest, replace(CONTEXT, **{name: value}))
            for name, value in {
                "account": "dd",
                "session": "dd",
                "security_key": "dd",
                "rp_id": "other.example",
                "issued_at": 1,
                "expires_at": 2,
            }.items()
        ),
    }

    assert len(challenges) == 9


@pytest.mark.parametrize(("nonce", "digest"), [(bytes(31), bytes(32)), (bytes(32), bytes(33)), (b"", b"")])
def test_parts_of_other_lengths_have_no_challenge(nonce: bytes, digest: bytes) -> None:
    """A byte that moves from one part to the next would leave the message as it was."""
    with pytest.raises(ValueError, match="expected a nonce"):
        step_up.challenge(nonce, digest, CONTEXT)


def test_evidence_says_who_signed_what() -> None:
    """A third party learns the act's digest, the context and the key, and can compare them."""
    assert step_up.verify_evidence(confirm()) == step_up.Confirmation(
        ACTION.digest(), CONTEXT, KEY.credential_id, KEY.cose_key, ORIGINS
    )


def test_evidence_of_a_real_ceremony() -> None:
    """Registered, asked, signed and proven with the parts that services use."""
    key, role = SoftwareKey(), KEY_POLICIES[Role.OFFICER]
    asked = creation_options(sim.RP_ID, "A service", sim.USER_HANDLE, "Ann", sim.CHALLENGE, [], role)
    expected = webauthn.Expectation(sim.RP_ID, ORIGINS, sim.CHALLENGE)
    made = webauthn.check_registration(expected, key.create(asked, sim.ORIGIN))
    known = webauthn.KnownKey(made.credential_id, made.cose_key, made.sign_count, made.backup_eligible, sim.USER_HANDLE)
    challenge = step_up.challenge(NONCE, ACTION.digest(), CONTEXT)
    answer = key.get(request_options(sim.RP_ID, challenge, [(made.credential_id, made.transports)]), sim.ORIGIN)
    asserted = webauthn.check_assertion(replace(expected, challenge=challenge), known, answer)
    evidence = step_up.evidence(NONCE, ACTION.digest(), CONTEXT, ORIGINS, known, asserted)

    assert step_up.verify_evidence(evidence).action_digest == ACTION.digest()


def test_a_swapped_act_is_refused() -> None:
    """A signature over one act proves no other, nor another's context."""
    evidence = confirm()
    other = Action("decide", "ab" * 16, {"kind": "grant"})
    context = json.loads(evidence)["context"]
    for swapped in (
        changed(evidence, action_digest=other.digest().hex()),
        changed(evidence, nonce=bytes(32).hex()),
        *(changed(evidence, context={**context, name: "dd"}) for name in ("account", "session", "security_key")),
        changed(evidence, context={**context, "expires_at": 1_900_000_000}),
    ):
        with pytest.raises(CeremonyRefused) as refused:
            step_up.verify_evidence(swapped)
        assert refused.value.rule == "challenge"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"origins": ["https://other.example"]}, "origin"),
        ({"signature": sim.text(b"signature")}, "signature"),
        ({"cose_key": sim.text(sim.cbor(sim.cose_key(sim.elliptic_key("stranger"))))}, "signature"),
        ({"backup_eligible": True}, "backup-eligibility"),
        ({"origins": "https://id.example"}, "evidence"),
        ({"type": "another"}, "evidence"),
        ({"type": ...}, "evidence"),
        ({"more": 1}, "evidence"),
        ({"nonce": NONCE.hex().upper()}, "evidence"),
        ({"nonce": NONCE.hex()[2:]}, "evidence"),
        ({"nonce": 1}, "evidence"),
        ({"context": {}}, "evidence"),
        ({"context": []}, "evidence"),
        ({"backup_eligible": 0}, "evidence"),
        ({"origins": [["x"]]}, "evidence"),
        ({"origins": [sim.ORIGIN, sim.ORIGIN]}, "evidence"),
        ({"cose_key": None}, "evidence"),
        ({"credential_id": ""}, "json-rawId"),
        ({"signature": "="}, "json-signature"),
        ({"client_data": 1}, "evidence"),
        ({"client_data": ""}, "json-clientDataJSON"),
    ],
)
def test_changed_evidence_is_refused(changes: dict[str, Any], rule: str) -> None:
    """Each member, in another content, type or spelling."""
    with pytest.raises((CeremonyMalformed, CeremonyRefused)) as refused:
        step_up.verify_evidence(changed(confirm(), **changes))

    assert refused.value.rule == rule


@pytest.mark.parametrize("name", ["account", "session", "security_key", "rp_id", "issued_at", "expires_at"])
@pytest.mark.parametrize("value", [None, [], True])
def test_a_context_of_other_types_is_refused(name: str, value: Any) -> None:
    """Names are text and times whole seconds, whatever a stranger's evidence says."""
    evidence = confirm()
    with pytest.raises(CeremonyMalformed) as refused:
        step_up.verify_evidence(changed(evidence, context={**json.loads(evidence)["context"], name: value}))

    assert refused.value.rule == "evidence"


def test_evidence_in_another_spelling_is_refused() -> None:
    """Its hash is on the ledger, so there is one spelling of it, and not a long one."""
    evidence = confirm()
    for other in (
        b" " + evidence,
        evidence[:-1] + b"\n}",
        json.dumps(json.loads(evidence)).encode(),
        b"",
        b"[]",
        b"\xff",
    ):
        with pytest.raises(CeremonyMalformed):
            step_up.verify_evidence(other)
    with pytest.raises(CeremonyMalformed, match="65536 bytes"):
        step_up.verify_evidence(evidence + b" " * 65536)


def test_evidence_without_user_verification_is_refused() -> None:
    """Who only touched a key has confirmed nothing."""
    challenge = step_up.challenge(NONCE, ACTION.digest(), CONTEXT)
    client, said = sim.client_data("webauthn.get", challenge), authenticator_data(UP)
    touched = webauthn.Asserted(1, False, False, client, said, KEY.sign(said, client))
    with pytest.raises(UserVerificationNeeded):
        step_up.verify_evidence(step_up.evidence(NONCE, ACTION.digest(), CONTEXT, ORIGINS, KNOWN, touched))


def test_no_byte_of_evidence_may_change() -> None:
    """Every change to every byte is refused by an error of ours; the credential id alone, no key ever signs."""
    evidence = confirm()
    start = evidence.index(sim.text(KEY.credential_id).encode())
    unsigned = range(start, start + len(sim.text(KEY.credential_id)))
    for place in set(range(len(evidence))) - set(unsigned):
        for byte in {evidence[place] ^ 1, evidence[place] ^ 0x20, 0xFF, ord('"')} - {evidence[place]}:
            with pytest.raises(IdverifyError):
                step_up.verify_evidence(evidence[:place] + bytes([byte]) + evidence[place + 1 :])
