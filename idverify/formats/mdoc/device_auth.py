"""Device authentication (ISO/IEC 18013-5, 9.1.3): whoever presents the document holds its key, here and now.

The device signs, or computes a MAC under a key that it shares with the reader, over the session, the type and what it
says itself. What it says itself is kept apart from what the issuer said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from idverify.errors import DocumentError
from idverify.formats import cose, jose, strict_cbor
from idverify.formats.mdoc.session_transcript import Session
from idverify.formats.strict_cbor import Embedded

WHAT: Final = "DeviceSigned"
SIGNATURE: Final = cose.MessageProfile("deviceSignature", cose.ES256)
MAC: Final = cose.MessageProfile("deviceMac", cose.HMAC_256_256)
NOTHING_SAID: Final = strict_cbor.embed(strict_cbor.encode({}))


@dataclass(frozen=True, slots=True)
class DeviceSigned:
    """As received: parsed, not believed. ``name_spaces`` are DeviceNameSpacesBytes, ``elements`` what is in them."""

    name_spaces: Embedded
    elements: Mapping[str, Mapping[str, Any]]
    auth: cose.Message
    is_mac: bool


def parse(value: Any) -> DeviceSigned:
    """From decoded CBOR. Raises ``DocumentError``: ``device-signed``, or a rule of ``cose``."""
    if type(value) is not dict or value.keys() != {"nameSpaces", "deviceAuth"}:
        raise DocumentError("device-signed", f"{WHAT} must have nameSpaces and deviceAuth, and nothing else.")
    name_spaces, auth = value["nameSpaces"], value["deviceAuth"]
    if type(name_spaces) is not Embedded:
        raise DocumentError("device-signed", f"The nameSpaces of {WHAT} must be embedded with tag 24.")
    if type(auth) is not dict or auth.keys() not in ({"deviceSignature"}, {"deviceMac"}):
        raise DocumentError("device-signed", "deviceAuth must be one signature or one MAC.")
    elements = strict_cbor.decode(name_spaces.content, f"The nameSpaces of {WHAT}")
    if type(elements) is not dict or not all(type(named) is dict and named for named in elements.values()):
        raise DocumentError("device-signed", f"The nameSpaces of {WHAT} must be maps of elements.")
    if "deviceMac" in auth:
        return DeviceSigned(name_spaces, elements, cose.message(auth["deviceMac"], MAC), is_mac=True)
    return DeviceSigned(name_spaces, elements, cose.message(auth["deviceSignature"], SIGNATURE), is_mac=False)


def device_authentication(transcript: bytes, doc_type: str, name_spaces: Embedded) -> bytes:
    """9.1.3.4: DeviceAuthenticationBytes, which stand nowhere and are the detached payload of signature and MAC."""
    said = strict_cbor.encode("DeviceAuthentication") + transcript + strict_cbor.encode(doc_type) + name_spaces.encoded
    return strict_cbor.embed(b"\x84" + said).encoded


def mac_key(ours: ec.EllipticCurvePrivateKey, theirs: ec.EllipticCurvePublicKey, transcript: bytes) -> bytes:
    """9.1.3.5: the key that reader and device share, the same from either side."""
    salt = hashlib.sha256(strict_cbor.embed(transcript).encoded).digest()
    derived = HKDF(hashes.SHA256(), 32, salt, b"EMacKey")
    return derived.derive(ours.exchange(ec.ECDH(), theirs))


def verify(signed: DeviceSigned, doc_type: str, jwk: Mapping[str, str], session: Session) -> None:
    """The device's key signed this, or computed its MAC, in this session.

    Raises ``DocumentError``: ``device-signature``, ``device-mac``, ``device-mac-unasked`` where the reader has no key.
    """
    covered = device_authentication(session.transcript, doc_type, signed.name_spaces)
    key = jose.public_key(dict(jwk))
    if signed.is_mac and session.reader_key is None:
        raise DocumentError("device-mac-unasked", "The wallet must sign: this request has no key for a MAC.")
    try:
        if session.reader_key is not None and signed.is_mac:
            shared = mac_key(session.reader_key, key, session.transcript)
            cose.verify_mac(signed.auth, covered, shared, "the device")
        else:
            cose.verify_signature(signed.auth, covered, key, "the device")
    except DocumentError as broken:
        told = "The wallet's proof does not hold: it was made with another key, or for another verifier or request."
        raise DocumentError(f"device-{broken.rule}", told) from None
