"""Ceremonies of others: the W3C's own test vectors (WebAuthn L3 section 16), and real devices collected by Yubico."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from idverify.auth import ceremony, webauthn
from idverify.auth.attestation.path import fingerprint, require_anchor
from idverify.auth.authenticator_data import Flag
from idverify.errors import CeremonyRefused, UserVerificationNeeded
from tests.simulators.authenticator import text

SHARED = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "fido2"
W3C = SHARED / "w3c-webauthn-l3" / "ceremony-vectors.json"
REAL = SHARED / "java-webauthn-server" / "real-examples.json"
IN_2026 = 1_767_225_600
CHROMIUM = SHARED / "chromium-156-packed-registration.json"

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared vectors are not beside this checkout")


def w3c() -> dict[str, Any]:
    vectors = json.loads(W3C.read_text())["vectors"] if W3C.exists() else {}
    return {name: vector for name, vector in vectors.items() if "registration" in vector}


def real() -> dict[str, Any]:
    examples = json.loads(REAL.read_text()) if REAL.exists() else []
    return {example["name"]: example for example in examples}


def answer(credential_id: bytes, **parts: bytes) -> dict[str, Any]:
    """``PublicKeyCredential.toJSON()``."""
    members = {name: text(part) for name, part in parts.items()}
    return {"type": "public-key", "id": text(credential_id), "rawId": text(credential_id), "response": members}


def expectation(client_data: bytes, rp_id: str, flags: int) -> webauthn.Expectation:
    """What was asked for: the challenge and origin that it answers, and user verification where there was one."""
    said = json.loads(client_data)
    challenge = base64.urlsafe_b64decode(said["challenge"] + "==")
    return webauthn.Expectation(
        rp_id, frozenset({said["origin"]}), challenge, bool(flags & Flag.UV), account_known=True
    )


def register(attestation: bytes, client_data: bytes, rp_id: str) -> webauthn.RegisteredKey:
    """Check a registration whose credential id is known from nowhere but itself."""
    said = attestation[attestation.index(b"\x68authData") + 9 :]
    said = said[2 + (said[0] == 0x59) :]  # past the head of a byte string of one or two bytes of length
    credential_id = said[55 : 55 + int.from_bytes(said[53:55], "big")]
    response = answer(credential_id, clientDataJSON=client_data, attestationObject=attestation)
    return webauthn.check_registration(expectation(client_data, rp_id, said[32]), response)


def assert_with(key: webauthn.RegisteredKey, said: bytes, client_data: bytes, signature: bytes, rp_id: str) -> None:
    """Check an assertion with a key that was just registered; its counter has moved on or is not used."""
    known = webauthn.KnownKey(key.credential_id, key.cose_key, key.sign_count, key.backup_eligible, b"")
    parts = {"clientDataJSON": client_data, "authenticatorData": said, "signature": signature}
    asserted = webauthn.check_assertion(
        expectation(client_data, rp_id, said[32]), known, answer(key.credential_id, **parts)
    )

    assert asserted.sign_count == int.from_bytes(said[33:37], "big")
    assert not asserted.counter_anomaly
    assert asserted.backed_up == bool(said[32] & Flag.BS)


ATTESTATION_TYPES = {
    "none": "none",
    "packed-self": "self",
    "packed": "basic",
    "packed-rs256": "basic",
    "packed-eddsa": "basic",
    "packed-ed448": "basic",
    "tpm": "attca",
    "android-key": "basic",
    "apple": "anonca",
    "fido-u2f": "basic",
}


def framed(name: str) -> bool:
    """The two vectors of ceremonies inside another site's page, which are nothing that we let happen."""
    return name in {"none-es256-crossOrigin", "none-es256-topOrigin"}


def unframed_rules() -> tuple[Any, ...]:
    return tuple(rule for rule in ceremony.RULES if rule not in {ceremony.cross_origin, ceremony.top_origin})


def test_the_whole_collection_is_there() -> None:
    """15 ceremonies of the W3C and 25 devices, 2 of which only registered; fewer would be a broken copy."""
    assert len(w3c()) == 15
    assert len(real()) == 25
    assert sum("authentication" not in example or not example["authentication"] for example in real().values()) == 2


@pytest.mark.parametrize("name", w3c())
def test_w3c(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registration and assertion hold; the two in frames do once frames are allowed, and are refused before that."""
    registration, authentication = w3c()[name]["registration"], w3c()[name]["authentication"]
    attestation, created = (bytes.fromhex(registration[part]) for part in ("attestationObject", "clientDataJSON"))
    if framed(name):
        with pytest.raises(CeremonyRefused) as refused:
            register(attestation, created, "example.org")
        assert refused.value.rule == "cross-origin"
        monkeypatch.setattr(ceremony, "RULES", unframed_rules())
    key = register(attestation, created, "example.org")
    said, got, signature = (
        bytes.fromhex(authentication[part]) for part in ("authenticatorData", "clientDataJSON", "signature")
    )

    assert key.credential_id == bytes.fromhex(registration["credential_id"])
    assert key.aaguid == bytes.fromhex(registration["aaguid"])
    if key.certificates:
        root = bytes.fromhex(json.loads(W3C.read_text())["vectors"]["attestation-root-cert"]["attestation_ca_cert"])
        assert require_anchor(key.certificates, (root,), IN_2026) == fingerprint(root)
    assert key.attestation_type == ATTESTATION_TYPES[name.split("-es", maxsplit=1)[0]]
    assert_with(key, said, got, signature, "example.org")


def decoded(part: dict[str, str]) -> bytes:
    """Base64 of either alphabet, or hex."""
    if part["encoding"] == "hex":
        return bytes.fromhex(part["value"])
    return base64.urlsafe_b64decode(part["value"].replace("+", "-").replace("/", "_") + "==")


@pytest.mark.parametrize("name", real())
def test_real_devices(name: str) -> None:
    """What security keys and phones really sent is accepted, ML-DSA keys among it."""
    example = real()[name]
    rp_id = example["rp_id"] or "localhost"
    created = example["registration"]["clientDataJSON_text"].encode()
    key = register(decoded(example["registration"]["attestationObject"]), created, rp_id)
    proves = {"packed": "basic", "fido-u2f": "basic", "apple": "anonca", "none": "none"}
    assert key.attestation_type == proves[key.attestation_format]
    if authentication := example.get("authentication"):
        assert key.credential_id == decoded(authentication["id"])
        got = authentication["clientDataJSON_text"].encode()
        assert_with(key, decoded(authentication["authDataBytes"]), got, decoded(authentication["sig"]), rp_id)
    else:
        assert key.algorithm == -7


def test_chromium() -> None:
    """What Chromium's `toJSON()` makes is read as it comes; its certificate is trusted where it is listed itself."""
    response = json.loads(CHROMIUM.read_text())
    client_data = base64.urlsafe_b64decode(response["response"]["clientDataJSON"] + "==")
    key = webauthn.check_registration(expectation(client_data, "localhost", Flag.UV), response)

    assert (key.algorithm, key.attestation_format, key.transports) == (-7, "packed", ("usb",))
    assert key.attestation_type == "basic"
    itself = webauthn.AllowedModel(key.aaguid, fingerprint(key.certificates[0]), "Chromium")
    rules = webauthn.AuthenticatorRules((itself,), key.certificates, minimum=None)
    assert webauthn.judge(key, rules, IN_2026).name == "Chromium"


def test_user_verification_is_demanded_of_real_devices() -> None:
    """A YubiKey that was only touched is asked for its PIN."""
    registration = real()["YubiKey5"]["registration"]
    created = registration["clientDataJSON_text"].encode()
    attestation = decoded(registration["attestationObject"])
    key = register(attestation, created, "example.com")
    asked = expectation(created, "example.com", Flag.UV)
    response = answer(key.credential_id, clientDataJSON=created, attestationObject=attestation)
    with pytest.raises(UserVerificationNeeded):
        webauthn.check_registration(asked, response)
