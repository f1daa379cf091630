"""What registrations and assertions give back, sizes at their limits, and that nothing else ever comes out."""

from __future__ import annotations

import base64
import copy
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idverify.auth import webauthn
from idverify.auth.assertion import _DECOY
from idverify.auth.cose_key import verifying_key
from idverify.errors import CeremonyMalformed, CeremonyRefused, KeyNotAllowed, UserVerificationNeeded
from tests.simulators import authenticator as sim
from tests.simulators.authenticator import AT, BE, BS, UP, UV, Authenticator, authenticator_data

KEY = Authenticator()
EXPECTED = webauthn.Expectation(sim.RP_ID, frozenset({sim.ORIGIN}), sim.CHALLENGE)
KNOWN = webauthn.KnownKey(KEY.credential_id, KEY.cose_key, 1, False, sim.USER_HANDLE)
TYPED = (CeremonyMalformed, CeremonyRefused, UserVerificationNeeded, KeyNotAllowed)
PARTS = {
    "register": ("clientDataJSON", "attestationObject"),
    "sign_in": ("clientDataJSON", "authenticatorData", "signature", "userHandle"),
}


def test_a_registered_key_is_what_the_authenticator_made() -> None:
    """Every field comes out of the attestation object, but for the transports."""
    said = authenticator_data(UP | UV | AT | BE | BS, count=0x0A0B0C0D, tail=KEY.attested())
    answer = KEY.register(said=said, inner={"transports": ["usb", "nfc", "usb"]})
    made = webauthn.check_registration(EXPECTED, answer)

    assert made == webauthn.RegisteredKey(
        credential_id=KEY.credential_id,
        cose_key=KEY.cose_key,
        algorithm=-7,
        sign_count=0x0A0B0C0D,
        backup_eligible=True,
        backed_up=True,
        aaguid=sim.AAGUID,
        transports=("usb", "nfc"),
        attestation_format="none",
        attestation_type="none",
        certificates=(),
        attestation_object=sim.cbor({"fmt": "none", "attStmt": {}, "authData": said}),
        client_data_hash=hashlib.sha256(sim.client_data("webauthn.create")).digest(),
    )


def test_an_assertion_is_kept_as_it_was_received() -> None:
    """Counter and backup state for the key's row; the signed bytes for the evidence."""
    said, client = authenticator_data(UP | UV | BE | BS, count=9), sim.client_data("webauthn.get")
    known = webauthn.KnownKey(KEY.credential_id, KEY.cose_key, 8, True, sim.USER_HANDLE)
    asserted = webauthn.check_assertion(EXPECTED, known, KEY.sign_in(said=said, client=client))

    assert asserted == webauthn.Asserted(
        sign_count=9,
        backed_up=True,
        counter_anomaly=False,
        client_data=client,
        authenticator_data=said,
        signature=KEY.sign(said, client),
    )


@pytest.mark.parametrize(
    ("known", "said", "anomaly"),
    [(0, 0, False), (0, 1, False), (1, 2, False), (5, 5, True), (5, 4, True), (5, 0, True), (2**32 - 1, 0, True)],
)
def test_counters(known: int, said: int, anomaly: bool) -> None:  # noqa: FBT001 expected values of a table
    """A counter that does not rise is flagged and the assertion holds all the same; one that is not used stays 0."""
    key = webauthn.KnownKey(KEY.credential_id, KEY.cose_key, known, False, sim.USER_HANDLE)
    response = KEY.sign_in(said=authenticator_data(UP | UV, count=said))

    assert webauthn.check_assertion(EXPECTED, key, response).counter_anomaly is anomaly


def test_the_credential_id_comes_before_the_look_up() -> None:
    """The id is read as strictly as by the check itself."""
    assert webauthn.credential_id_of(KEY.sign_in()) == KEY.credential_id
    with pytest.raises(CeremonyMalformed):
        webauthn.credential_id_of(KEY.sign_in(outer={"id": "another"}))


@pytest.mark.parametrize("response", [None, [], "x", 1, {}])
def test_an_answer_that_is_no_credential(response: Any) -> None:
    """Whatever JSON a stranger sends instead of an object is malformed."""
    for check in (
        lambda: webauthn.credential_id_of(response),
        lambda: webauthn.check_registration(EXPECTED, response),
        lambda: webauthn.check_assertion(EXPECTED, KNOWN, response),
        lambda: webauthn.check_nothing(EXPECTED, response),
    ):
        with pytest.raises(CeremonyMalformed):
            check()


@pytest.mark.parametrize(
    ("answer", "part", "limit"),
    [
        ("register", "clientDataJSON", 8192),
        ("register", "attestationObject", 32768),
        ("sign_in", "clientDataJSON", 8192),
        ("sign_in", "authenticatorData", 8192),
        ("sign_in", "signature", 5120),
        ("sign_in", "userHandle", 64),
    ],
)
def test_sizes_are_capped(answer: str, part: str, limit: int) -> None:
    """A part of the largest size is looked into; one byte more is refused for its size."""
    check = {
        "register": lambda response: webauthn.check_registration(EXPECTED, response),
        "sign_in": lambda response: webauthn.check_assertion(EXPECTED, KNOWN, response),
    }[answer]

    def rule(size: int) -> str:
        response = getattr(KEY, answer)(inner={part: sim.text(bytes(size))})
        with pytest.raises((CeremonyMalformed, CeremonyRefused)) as refused:
            check(response)
        return str(refused.value.rule)

    assert rule(limit) != f"json-{part}"
    assert rule(limit + 1) == f"json-{part}"


def test_nobody_has_the_decoy() -> None:
    """The key of those who have none is a key like any other, and what would hold with it is refused."""
    assert verifying_key(_DECOY.cose_key).algorithm == -7
    with pytest.raises(CeremonyRefused) as refused:
        webauthn.check_nothing(EXPECTED, KEY.sign_in())

    assert refused.value.rule == "unknown-credential"


def test_a_signature_by_the_decoy_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if somebody found its private key: nobody registered it."""
    decoy = webauthn.KnownKey(b"", KEY.cose_key, 0, False, b"")
    monkeypatch.setattr("idverify.auth.assertion._DECOY", decoy)
    monkeypatch.setattr("idverify.auth.assertion.RULES", ())
    with pytest.raises(CeremonyRefused) as refused:
        webauthn.check_nothing(EXPECTED, KEY.sign_in())

    assert refused.value.rule == "unknown-credential"


def mutations(response: dict[str, Any], part: str) -> Iterator[dict[str, Any]]:
    """The answer with each byte of one part changed in turn, cut off there, and doubled."""
    whole = base64.urlsafe_b64decode(response["response"][part] + "==")
    for place in range(len(whole)):
        for other in (
            whole[:place] + bytes([whole[place] ^ 0x01]) + whole[place + 1 :],
            whole[:place] + bytes([whole[place] ^ 0x80]) + whole[place + 1 :],
            whole[:place] + b"\xff" + whole[place + 1 :],
            whole[:place],
            whole[:place] + whole[place : place + 1] + whole[place:],
        ):
            changed = copy.deepcopy(response)
            changed["response"][part] = sim.text(other)
            yield changed


@pytest.mark.parametrize("part", PARTS["sign_in"])
def test_no_byte_of_an_assertion_may_change(part: str) -> None:
    """Every change to every byte is refused, by an error of the family."""
    honest = KEY.sign_in()
    for changed in mutations(honest, part):
        if changed == honest:
            continue
        with pytest.raises(TYPED):
            webauthn.check_assertion(EXPECTED, KNOWN, changed)


@pytest.mark.parametrize("part", PARTS["register"])
def test_changed_registrations_fail_in_the_family(part: str) -> None:
    """Whatever happens to a byte, the answer is a key or an error of the family; what is not signed may well hold."""
    refused = 0
    for changed in mutations(KEY.register(), part):
        try:
            webauthn.check_registration(EXPECTED, changed)
        except TYPED:
            refused += 1
    assert refused > 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
ENCODED = st.binary(max_size=200).map(sim.text)
MEMBERS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(sorted({*PARTS["register"], *PARTS["sign_in"], "transports"}), JSON | ENCODED)
)


@settings(max_examples=300, deadline=None)
@given(inner=MEMBERS, outer=st.dictionaries(st.sampled_from(["id", "rawId", "type", "response"]), JSON, max_size=2))
def test_no_json_gets_through(inner: dict[str, Any], outer: dict[str, Any]) -> None:
    """Members of any type and content: nothing but the errors of the family comes out."""
    for answer in (KEY.register(inner=inner, outer=outer), KEY.sign_in(inner=inner, outer=outer)):
        for check in (
            lambda response: webauthn.check_registration(EXPECTED, response),
            lambda response: webauthn.check_assertion(EXPECTED, KNOWN, response),
            lambda response: webauthn.check_nothing(EXPECTED, response),
        ):
            try:
                check(answer)
            except TYPED:
                continue


CBOR = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.binary(max_size=40) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-4, 4) | st.sampled_from(["fmt", "attStmt", "authData"]), inner, max_size=5)
    ),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(value=CBOR, key=CBOR, flags=st.integers(0, 255), tail=st.binary(max_size=100))
def test_no_cbor_gets_through(value: Any, key: Any, flags: int, tail: bytes) -> None:
    """Attestation objects, keys and authenticator data of any content: nothing but the errors of the family."""
    for attestation, said in (
        (sim.cbor(value), None),
        (None, authenticator_data(UP | UV | AT, tail=KEY.attested(key=sim.cbor(key)))),
        (None, authenticator_data(flags, tail=tail)),
    ):
        with pytest.raises(TYPED):
            webauthn.check_registration(EXPECTED, KEY.register(attestation=attestation, said=said))


@settings(max_examples=300, deadline=None)
@given(changes=st.dictionaries(st.sampled_from([-3, -2, -1, 1, 3]), CBOR, min_size=1, max_size=3))
def test_no_key_gets_through(changes: dict[int, Any]) -> None:
    """A key with other parameters is refused by an error of the family, or takes no foreign signature."""
    key = {**sim.cose_key(KEY.key), **changes}
    try:
        assert not verifying_key(sim.cbor(key)).holds(b"signature", b"message")
    except (CeremonyMalformed, KeyNotAllowed):
        return
