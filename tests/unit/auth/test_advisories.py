"""What was found wrong in other servers, once each.

Decided by services, and tested there: LINE #73 and #83 (who is registered shows in the options) in
``tests/unit/services/test_sign_in.py``, ``test_an_unknown_user_is_not_told_from_a_wrong_key``; the part of YSA-2026-02
that is about looking a key up, in ``tests/unit/services/test_step_up.py``, ``test_another_s_key_confirms_nothing``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from idverify.auth import webauthn
from idverify.auth.attestation.path import fingerprint, require_anchor
from idverify.errors import CeremonyMalformed, CeremonyRefused, DocumentError, KeyNotAllowed
from tests.simulators import authenticator as sim
from tests.simulators import makers
from tests.simulators.authenticator import AT, UP, UV, Authenticator, authenticator_data
from tests.vectors.make_attestation_vectors import chain_of

KEY = makers.KEY
ORIGINS = frozenset({sim.ORIGIN})
EXPECTED = webauthn.Expectation(sim.RP_ID, ORIGINS, sim.CHALLENGE)
KNOWN = webauthn.KnownKey(KEY.credential_id, KEY.cose_key, 1, False, sim.USER_HANDLE)
LISTED = webauthn.AllowedModel(sim.AAGUID, fingerprint(makers.ROOT.certificate), "Maker's key")
RULES = webauthn.AuthenticatorRules((LISTED,), (makers.ROOT.certificate,), minimum=None)


def refusal(response: dict[str, Any]) -> str:
    with pytest.raises((CeremonyMalformed, CeremonyRefused, KeyNotAllowed)) as refused:
        webauthn.check_registration(EXPECTED, response)
    return str(refused.value.rule)


def distrust(response: dict[str, Any], rules: webauthn.AuthenticatorRules = RULES) -> str:
    key = webauthn.check_registration(replace(EXPECTED, user_verification=False), response)
    with pytest.raises(KeyNotAllowed) as refused:
        webauthn.judge(key, rules, makers.AT_TIME)
    return str(refused.value.rule)


def test_ghsa_6hxq_p678_4hr2() -> None:
    """SimpleWebAuthn: a self-signed root within x5c, of the trusted root's name or any other, is no root."""
    for impostor in (makers.root("Root", "an impostor"), makers.OTHER_ROOT):
        chain = chain_of(impostor)
        assert distrust(makers.packed(chain)) == "attestation-untrusted"
        with pytest.raises(DocumentError):
            require_anchor(tuple(chain), (makers.ROOT.certificate,), makers.AT_TIME)


def test_ysa_2026_02() -> None:
    """java-webauthn-server: the credential of another user than the one who began is refused, known or not."""
    others = sim.text(b"another")
    for account_known in (True, False):
        expected = webauthn.Expectation(sim.RP_ID, ORIGINS, sim.CHALLENGE, account_known=account_known)
        with pytest.raises(CeremonyRefused) as refused:
            webauthn.check_assertion(expected, KNOWN, KEY.sign_in(inner={"userHandle": others}))
        assert refused.value.rule == "user-handle"


def test_keycloak_48404() -> None:
    """A listed model counts for nothing where nobody, the key itself, or another maker says that it is one."""
    both = (makers.ROOT.certificate, makers.OTHER_ROOT.certificate)
    other = makers.batch_certificate(makers.OTHER_ROOT)
    rules = webauthn.AuthenticatorRules((LISTED,), both, minimum=None)

    assert distrust(makers.register("none", {}), rules) == "attestation-missing"
    assert distrust(makers.packed_self(), rules) == "attestation-untrusted"
    assert distrust(makers.packed([other]), rules) == "attestation-untrusted"


def test_keycloak_48388() -> None:
    """The list is asked of what is attested: an AAGUID that no signature covers is not looked up."""
    assert distrust(makers.fido_u2f(aaguid=sim.AAGUID)) == "aaguid"
    assert distrust(makers.register("future", {})) == "attestation-missing"


def test_line_72() -> None:
    """User presence is demanded of registrations and assertions."""
    assert refusal(KEY.register(said=authenticator_data(UV | AT, tail=KEY.attested()))) == "user-present"
    with pytest.raises(CeremonyRefused) as refused:
        webauthn.check_assertion(EXPECTED, KNOWN, KEY.sign_in(said=authenticator_data(UV, count=2)))
    assert refused.value.rule == "user-present"


def test_line_74() -> None:
    """A ceremony within another site's page is refused."""
    framed = {"crossOrigin": True}
    created = sim.client_data("webauthn.create", changes=framed)

    assert refusal(KEY.register(client=created)) == "cross-origin"
    with pytest.raises(CeremonyRefused) as refused:
        webauthn.check_assertion(EXPECTED, KNOWN, KEY.sign_in(client=sim.client_data("webauthn.get", changes=framed)))
    assert refused.value.rule == "cross-origin"


def _with_key(changes: dict[int, Any]) -> dict[str, Any]:
    key = sim.cbor({**sim.cose_key(KEY.key), **changes})
    return KEY.register(said=authenticator_data(UP | UV | AT, tail=KEY.attested(key=key)))


def test_line_78() -> None:
    """A key of an algorithm that was not offered is refused."""
    assert refusal(_with_key({3: -47, -1: 8})) == "algorithm"


def test_line_81() -> None:
    """Credential ids have 1 to 1023 bytes."""
    assert refusal(Authenticator(credential_id=bytes(1024)).register()) == "json-rawId"
    assert refusal(Authenticator(credential_id=b"").register()) == "json-rawId"


def test_line_82() -> None:
    """SHA-1 proves nothing: a key of RS1 is refused, and what one attests is worth as much as nothing."""
    assert refusal(_with_key({3: -65535})) == "algorithm"
    key = webauthn.check_registration(EXPECTED, makers.tpm(alg=-65535))

    assert key.attestation_type == "unverified"
    assert distrust(makers.tpm(alg=-65535)) == "attestation-missing"
