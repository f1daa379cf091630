"""An authenticator and its browser in memory that lie wherever a test tells them to, correctly signed all the same.

It shares no code with what it tests. Keys come from seeds and signatures are deterministic, so that vectors can be
made of its answers.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

RP_ID = "id.example"
ORIGIN = "https://id.example"
OTHER_ORIGIN = "https://desk.id.example:8443"
CHALLENGE = hashlib.sha256(b"a challenge").digest()
USER_HANDLE = hashlib.sha512(b"an account").digest()
AAGUID = bytes.fromhex("01020304050607080102030405060708")
UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80

SigningKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
COSE_CURVES = {"secp256r1": (-7, 1), "secp384r1": (-35, 2), "secp521r1": (-36, 3)}
HASHES = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}


def text(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def changed(members: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """``members`` with some replaced; one that is changed to ``...`` is left out."""
    return {name: value for name, value in {**members, **(changes or {})}.items() if value is not ...}


def elliptic_key(seed: str, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """The ECDSA key of a seed."""
    return ec.derive_private_key(
        int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big") >> 8, curve or ec.SECP256R1()
    )


def edwards_key(seed: str) -> ed25519.Ed25519PrivateKey:
    """The Ed25519 key of a seed."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())


def cose_key(key: SigningKey) -> dict[int, Any]:
    """The COSE key of a private key's public half."""
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}
    algorithm, curve = COSE_CURVES[public.curve.name]
    size = (public.key_size + 7) // 8
    numbers = public.public_numbers()
    return {1: 2, 3: algorithm, -1: curve, -2: numbers.x.to_bytes(size, "big"), -3: numbers.y.to_bytes(size, "big")}


def cbor(value: Any) -> bytes:
    """CTAP2 canonical CBOR."""
    return cbor2.dumps(value, canonical=True)


def client_data(type_: str, challenge: bytes = CHALLENGE, changes: Mapping[str, Any] | None = None) -> bytes:
    """What the browser says."""
    honest = {"type": type_, "challenge": text(challenge), "origin": ORIGIN, "crossOrigin": False}
    return json.dumps(changed(honest, changes), separators=(",", ":")).encode()


def authenticator_data(flags: int, count: int = 1, rp_id: str = RP_ID, tail: bytes = b"") -> bytes:
    """What the authenticator says; ``tail`` is whatever follows the counter."""
    return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big") + tail


class Authenticator:
    """One credential. Every part of an answer can be replaced, and is signed as it is sent."""

    def __init__(self, key: SigningKey | None = None, credential_id: bytes | None = None) -> None:
        self.key = key or elliptic_key("a key")
        self.credential_id = hashlib.sha256(b"a credential").digest() if credential_id is None else credential_id
        self.cose_key = cbor(cose_key(self.key))

    def attested(self, key: bytes | None = None, credential_id: bytes | None = None) -> bytes:
        """Attested credential data."""
        id_ = self.credential_id if credential_id is None else credential_id
        return AAGUID + len(id_).to_bytes(2, "big") + id_ + (self.cose_key if key is None else key)

    def register(
        self,
        *,
        client: bytes | None = None,
        said: bytes | None = None,
        attestation: bytes | None = None,
        inner: Mapping[str, Any] | None = None,
        outer: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """``PublicKeyCredential.toJSON()`` of a registration, with ``said`` for its authenticator data."""
        said = authenticator_data(UP | UV | AT, tail=self.attested()) if said is None else said
        attestation = cbor({"fmt": "none", "attStmt": {}, "authData": said}) if attestation is None else attestation
        client = client_data("webauthn.create") if client is None else client
        honest = {"clientDataJSON": text(client), "attestationObject": text(attestation), "transports": ["usb"]}
        return self._credential(changed(honest, inner), outer)

    def sign_in(
        self,
        *,
        client: bytes | None = None,
        said: bytes | None = None,
        signature: bytes | None = None,
        inner: Mapping[str, Any] | None = None,
        outer: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """``PublicKeyCredential.toJSON()`` of an assertion, with ``said`` for its authenticator data."""
        said = authenticator_data(UP | UV, count=2) if said is None else said
        client = client_data("webauthn.get") if client is None else client
        signature = self.sign(said, client) if signature is None else signature
        honest = {
            "clientDataJSON": text(client),
            "authenticatorData": text(said),
            "signature": text(signature),
            "userHandle": text(USER_HANDLE),
        }
        return self._credential(changed(honest, inner), outer)

    def sign(self, said: bytes, client: bytes) -> bytes:
        """The assertion signature."""
        message = said + hashlib.sha256(client).digest()
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        return self.key.sign(message, ec.ECDSA(HASHES[self.key.curve.name], deterministic_signing=True))

    def _credential(self, response: dict[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
        honest = {
            "type": "public-key",
            "id": text(self.credential_id),
            "rawId": text(self.credential_id),
            "response": response,
            "authenticatorAttachment": "cross-platform",
            "clientExtensionResults": {},
        }
        return changed(honest, changes)
