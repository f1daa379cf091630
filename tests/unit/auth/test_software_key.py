"""The software key behaves like a security key with a browser around it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from idverify.auth import webauthn
from idverify.auth.key_policy import KEY_POLICIES
from idverify.auth.options import creation_options, request_options
from idverify.auth.software_key import SoftwareKey
from idverify.core.policy import Role
from idverify.errors import KeyAlreadyRegistered, MalformedRequest, NotAllowed, NotFound
from tests.simulators import authenticator as sim

EXPECTED = webauthn.Expectation(sim.RP_ID, frozenset({sim.ORIGIN}), sim.CHALLENGE)


def asked(user_handle: bytes = sim.USER_HANDLE, exclude: tuple[bytes, ...] = ()) -> dict[str, Any]:
    known = [(credential_id, ()) for credential_id in exclude]
    policy = KEY_POLICIES[Role.OFFICER]
    return creation_options(sim.RP_ID, "A service", user_handle, "Ann", sim.CHALLENGE, known, policy)


def register(key: SoftwareKey, user_handle: bytes = sim.USER_HANDLE) -> webauthn.KnownKey:
    made = webauthn.check_registration(EXPECTED, key.create(asked(user_handle), sim.ORIGIN))
    return webauthn.KnownKey(made.credential_id, made.cose_key, made.sign_count, made.backup_eligible, user_handle)


def test_it_registers_and_signs_in_without_a_name() -> None:
    """What it made is found again by the RP ID alone, after it was written down and read back."""
    key = SoftwareKey()
    known = register(key)
    again = SoftwareKey.load(key.dump())
    asserted = webauthn.check_assertion(
        EXPECTED, known, again.get(request_options(sim.RP_ID, sim.CHALLENGE), sim.ORIGIN)
    )

    assert asserted.sign_count > known.sign_count
    assert not asserted.counter_anomaly
    assert not asserted.backed_up


def test_a_copy_of_it_is_noticed() -> None:
    """Two copies count on by themselves, so the second one to sign gives itself away."""
    key = SoftwareKey()
    known = register(key)
    copy = SoftwareKey.load(key.dump())
    request = request_options(sim.RP_ID, sim.CHALLENGE)
    first = webauthn.check_assertion(EXPECTED, known, key.get(request, sim.ORIGIN))
    second = webauthn.check_assertion(
        EXPECTED, replace(known, sign_count=first.sign_count), copy.get(request, sim.ORIGIN)
    )

    assert (first.counter_anomaly, second.counter_anomaly) == (False, True)


def test_it_holds_several_accounts() -> None:
    """Asked without a name it answers for the newest, asked for a key it answers with that one."""
    key = SoftwareKey()
    one, two = register(key, b"one"), register(key, b"two")
    newest = key.get(request_options(sim.RP_ID, sim.CHALLENGE), sim.ORIGIN)
    named = key.get(request_options(sim.RP_ID, sim.CHALLENGE, [(one.credential_id, ())]), sim.ORIGIN)

    assert webauthn.credential_id_of(newest) == two.credential_id
    assert webauthn.credential_id_of(named) == one.credential_id


def test_a_second_registration_of_an_account_replaces_the_first() -> None:
    """CTAP2: one discoverable credential for each account."""
    key = SoftwareKey()
    first, second = register(key), register(key)

    assert first.credential_id != second.credential_id
    with pytest.raises(NotFound):
        key.get(request_options(sim.RP_ID, sim.CHALLENGE, [(first.credential_id, ())]), sim.ORIGIN)


def test_it_refuses_what_a_browser_refuses() -> None:
    """Pages of other sites, keys that are registered already, algorithms it has not, and accounts it does not hold."""
    key = SoftwareKey()
    known = register(key)
    request = request_options(sim.RP_ID, sim.CHALLENGE)
    for origin in ("https://evil.example", "https://evilid.example", "https://example", "null", ""):
        with pytest.raises(NotAllowed):
            key.get(request, origin)
        with pytest.raises(NotAllowed):
            key.create(asked(), origin)
    with pytest.raises(KeyAlreadyRegistered):
        key.create(asked(exclude=(known.credential_id,)), sim.ORIGIN)
    with pytest.raises(MalformedRequest):
        key.create({**asked(), "pubKeyCredParams": [{"type": "public-key", "alg": -257}]}, sim.ORIGIN)
    with pytest.raises(NotFound):
        SoftwareKey().get(request, sim.ORIGIN)


def test_it_serves_pages_below_the_rp_id() -> None:
    """An origin on a host below the RP ID may use it."""
    key = SoftwareKey()
    key.create(asked(), sim.OTHER_ORIGIN)

    assert key.get(request_options(sim.RP_ID, sim.CHALLENGE), sim.OTHER_ORIGIN)["type"] == "public-key"


def test_the_same_entropy_makes_the_same_key() -> None:
    """Nothing is random but what it is given, so that scripts can be repeated."""

    def stream() -> Iterator[bytes]:
        block = b"seed"
        while True:
            block = hashlib.sha512(block).digest()
            yield block

    def answers() -> tuple[Any, Any, bytes]:
        blocks = stream()
        key = SoftwareKey(lambda n: next(blocks)[:n])
        created = key.create(asked(), sim.ORIGIN)
        return created, key.get(request_options(sim.RP_ID, sim.CHALLENGE), sim.ORIGIN), key.dump()

    assert answers() == answers()


@pytest.mark.parametrize("dumped", [b"", b"{}", b"[1]", b'{"counter": 1, "credentials": [{}]}'])
def test_what_is_no_key_is_not_loaded(dumped: bytes) -> None:
    """A file of something else is an error, not an empty key."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        SoftwareKey.load(dumped)
