"""What browsers are asked for, and the policy behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fido2.webauthn import PublicKeyCredentialCreationOptions, PublicKeyCredentialRequestOptions

from idverify.auth import base64url, cose_key, webauthn
from idverify.auth.key_policy import KEY_POLICIES, SESSION_LIMITS, SHARED_LIMITS, require_taken, session_limits
from idverify.auth.options import creation_options, request_options
from idverify.core.policy import Role
from idverify.errors import KeyNotAllowed
from tests.simulators import authenticator as sim

KEY = webauthn.RegisteredKey(b"id", b"key", -7, 0, False, False, bytes(16), (), "none", "none", (), b"", bytes(32))


@pytest.mark.parametrize("role", Role)
def test_creation_options(role: Role) -> None:
    """python-fido2 reads them as what was meant, for every role."""
    policy = KEY_POLICIES[role]
    exclude = [(b"one", ("usb", "nfc")), (b"two", ())]
    asked = creation_options(sim.RP_ID, "A service", sim.USER_HANDLE, "Ann", sim.CHALLENGE, exclude, policy)
    read = PublicKeyCredentialCreationOptions.from_dict(asked)

    assert (read.rp.id, read.rp.name) == (sim.RP_ID, "A service")
    assert (read.user.id, read.user.name, read.user.display_name) == (sim.USER_HANDLE, "Ann", "Ann")
    assert read.challenge == sim.CHALLENGE
    assert [parameters.alg for parameters in read.pub_key_cred_params] == list(cose_key.ALGORITHMS)
    assert read.authenticator_selection is not None
    assert read.authenticator_selection.user_verification == "required"
    assert read.authenticator_selection.resident_key == policy.resident_key
    assert read.exclude_credentials is not None
    assert [known.id for known in read.exclude_credentials] == [b"one", b"two"]
    assert read.attestation == policy.attestation
    assert list(read.hints or ()) == list(policy.hints)


@pytest.mark.parametrize("role", Role)
def test_a_key_made_on_a_shared_computer_is_one_to_take_along(role: Role) -> None:
    """No passkey stays on the library's computer; on one's own computer either kind will do."""
    everybody = (sim.RP_ID, "A service", sim.USER_HANDLE, "Ann", sim.CHALLENGE, (), KEY_POLICIES[role])
    own, shared = creation_options(*everybody), creation_options(*everybody, shared_computer=True)
    selection = {**own["authenticatorSelection"], "authenticatorAttachment": "cross-platform"}

    assert "authenticatorAttachment" not in own["authenticatorSelection"]
    assert shared == {**own, "authenticatorSelection": selection, "hints": ["security-key"]}


def test_request_options_without_a_name() -> None:
    """Sign-in asks for any key that knows an account."""
    assert request_options(sim.RP_ID, sim.CHALLENGE) == {
        "challenge": base64url.encode(sim.CHALLENGE),
        "timeout": 300_000,
        "rpId": sim.RP_ID,
        "allowCredentials": [],
        "userVerification": "required",
    }


def test_request_options_for_keys_of_one_account() -> None:
    """Step-up asks for the keys of whoever is signed in, with the ways to reach them."""
    read = PublicKeyCredentialRequestOptions.from_dict(request_options(sim.RP_ID, sim.CHALLENGE, [(b"one", ("usb",))]))

    assert read.allow_credentials is not None
    assert [(known.id, list(known.transports or ())) for known in read.allow_credentials] == [(b"one", ["usb"])]
    assert read.user_verification == "required"


def test_every_role_has_a_policy() -> None:
    """Nobody falls through a table."""
    assert set(KEY_POLICIES) == set(SESSION_LIMITS) == set(SHARED_LIMITS) == set(Role)


@pytest.mark.parametrize(
    ("role", "idle", "absolute", "same_site"),
    [
        (Role.CITIZEN, 3600, 86400, "Lax"),
        (Role.OFFICER, 900, 43200, "Strict"),
        (Role.ADMIN, 900, 43200, "Strict"),
        (Role.RELYING_PARTY, 3600, 86400, "Lax"),
    ],
)
def test_session_limits(role: Role, idle: int, absolute: int, same_site: str) -> None:
    """15 minutes and 12 hours at AAL3, an hour and a day at AAL2."""
    limits = SESSION_LIMITS[role]

    assert (limits.idle, limits.absolute, limits.same_site) == (idle, absolute, same_site)


@pytest.mark.parametrize("role", Role)
def test_sessions_on_shared_computers(role: Role) -> None:
    """Ten minutes and an hour, whatever the role; the cookie is sent as it is elsewhere."""
    limits = session_limits(role, shared_computer=True)

    assert (limits.idle, limits.absolute) == (600, 3600)
    assert limits.same_site == SESSION_LIMITS[role].same_site
    assert session_limits(role, shared_computer=False) == SESSION_LIMITS[role]


@pytest.mark.parametrize("role", Role)
def test_synced_passkeys(role: Role) -> None:
    """Staff may not use keys that leave their device; everybody's other keys are taken."""
    policy, synced = KEY_POLICIES[role], replace(KEY, backup_eligible=True)
    require_taken(policy, KEY)
    if role in {Role.OFFICER, Role.ADMIN}:
        with pytest.raises(KeyNotAllowed) as refused:
            require_taken(policy, synced)
        assert refused.value.rule == "synced"
    else:
        require_taken(policy, synced)
