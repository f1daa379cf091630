"""mdocs in process: issued and verified, against the hashes, CBOR and ECDSA that nobody can do without.

The limit is counted operation by operation: one hash for each element, one encoding or decoding for each CBOR item that
stands by itself (elements, mobile security object, what is signed, the document), and each signature or verification.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsm.cost import cpu_of
from hsm.rows import Pair, Row, row
from idverify.app.bench.effort import Effort
from idverify.core.credential import Credential, Issuer, StatusReference, day_rounded
from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.verdict import Result
from idverify.formats import jose, x509, x509_build
from idverify.formats.base import HolderBindingExpected
from idverify.formats.mdoc import device_response
from idverify.formats.mdoc.credential import Mdoc
from idverify.formats.mdoc.session_transcript import of_request

_FORMAT: Final = Mdoc()
_ISS: Final = "https://issuer.example"
_DOC_TYPE, _SPACE, _DOMESTIC = "org.iso.18013.5.1.mDL", "org.iso.18013.5.1", "org.iso.18013.5.1.GB"
_ASKED: Final = HolderBindingExpected("https://verifier.example", "bench", "https://verifier.example/answer")
_ES256: Final = ec.ECDSA(hashes.SHA256())
_OF_PRIMITIVES: Final = 0.4
_PORTRAIT: Final = b"\xff\xd8\xff\xe0" + bytes(18 * 1024)  # a photo for a phone has up to 20 kB

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Example:
    """A licence, its issuer, and what its holder presents of it."""

    credential: Credential
    issuer: Issuer
    key: ec.EllipticCurvePrivateKey
    trust: TrustStore
    issued: bytes
    presented: bytes
    at: int


async def measure(effort: Effort) -> list[Row]:
    """Issuing, verifying what an issuer gives, and verifying what a wallet presents."""
    made = _example()

    def measured(name: str, limit_is: str, ours: Call, least: Call) -> Row:
        seconds = effort.probe_seconds
        pairs = [Pair(cpu_of(ours, seconds), cpu_of(least, seconds)) for _ in range(effort.rounds)]
        return row(f"mdoc {name}", "documents/s", limit_is, _OF_PRIMITIVES, pairs)

    return [
        measured("issue", "its hashes, its CBOR, one ECDSA signature", _issue(made), _least_to_issue(made)),
        measured("verify, as issued", "its hashes, its CBOR, one verification", _verify(made), _least_to_verify(made)),
        measured("verify, presented", "its hashes, its CBOR, two verifications", _accept(made), _least_to_accept(made)),
    ]


def _claims() -> dict[str, dict[str, Any]]:
    texts = {
        "family_name": "Example",
        "given_name": "Ada",
        "issuing_country": "XU",
        "document_number": "EXAMP901310A99AA",
    }
    texts |= {"issuing_authority": "Example Authority", "un_distinguishing_sign": "XU", "birth_place": "Example City"}
    days = {"birth_date": dt.date(1990, 1, 31), "issue_date": dt.date(2026, 9, 1), "expiry_date": dt.date(2036, 8, 31)}
    ages = {f"age_over_{age}": True for age in (18, 21)}
    privileges = [{"vehicle_category_code": code, "issue_date": dt.date(2010, 3, 1)} for code in ("A", "B")]
    whole = texts | days | ages | {"portrait": _PORTRAIT, "driving_privileges": privileges}
    return {_SPACE: whole, _DOMESTIC: {"title": "Dr", "welsh_licence": False}}


def _example() -> _Example:
    root_key, key, holder = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    now, day = int(time.time()), 86_400

    def certified(name: str, owner: ec.EllipticCurvePrivateKey, days: int) -> x509_build.Certified:
        spki = owner.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return x509_build.Certified("XU", name, spki, 2**100 + 1, now - 2 * day, now + days * day)

    unsigned = x509_build.tbs_root(certified("Root", root_key, 3650), uri=_ISS, crl_uri=_ISS)
    root = x509_build.seal_certificate(unsigned, _sign(root_key, unsigned))
    purpose = x509.Purpose.DOCUMENT
    unsigned = x509_build.tbs_leaf(certified("Signer", key, 400), purpose, root, iss=_ISS, crl_uri=_ISS)
    issuer = Issuer(_ISS, (x509_build.seal_certificate(unsigned, _sign(root_key, unsigned)),), bytes(8))
    trusted = TrustedIssuer(_ISS, "Example", (root,), frozenset({_DOC_TYPE}), f"{_ISS}/status/")
    reference, jwk = StatusReference(f"{_ISS}/status/1", 5), jose.public_jwk(holder.public_key())
    credential = Credential(_DOC_TYPE, _claims(), frozenset(), day_rounded(now), now + 90 * day, reference, jwk)
    issued = _issued(credential, issuer, key)
    wishes = [(_SPACE, "family_name"), (_SPACE, "given_name"), (_SPACE, "portrait"), (_SPACE, "age_over_18")]
    to_present = device_response.prepare(issued, wishes, of_request(_ASKED))
    presented = device_response.seal(to_present, _sign(holder, to_present.payload))
    return _Example(credential, issuer, key, TrustStore({_ISS: trusted}), issued, presented, now)


def _sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, _ES256))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _issued(credential: Credential, issuer: Issuer, key: ec.EllipticCurvePrivateKey) -> bytes:
    unsigned = _FORMAT.prepare(credential, issuer, os.urandom)
    sealed = _FORMAT.seal(unsigned, _sign(key, unsigned.payload))
    assert isinstance(sealed, bytes)
    return sealed


# --- ours ---------------------------------------------------------------------------------------------------------


def _issue(made: _Example) -> Call:
    return lambda: _issued(made.credential, made.issuer, made.key)


def _verify(made: _Example) -> Call:
    return lambda: _require_held(made, made.issued, None)


def _accept(made: _Example) -> Call:
    return lambda: _require_held(made, made.presented, _ASKED)


def _require_held(made: _Example, document: bytes, asked: HolderBindingExpected | None) -> None:
    found = list(_FORMAT.check(_FORMAT.read(document), made.trust, made.at, asked))
    if any(check.result is Result.FAIL for check in found):
        raise AssertionError(f"expected a document that holds, got {found}")


# --- the least ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Items:
    """What stands by itself in a document: its CBOR items, encoded and decoded, and the elements that are hashed."""

    encoded: tuple[bytes, ...]
    elements: tuple[bytes, ...]
    payload: bytes


def _items(document: bytes) -> _Items:
    whole = cbor2.loads(document)
    signed = whole if "issuerAuth" in whole else whole["documents"][0]["issuerSigned"]
    _, _, payload, _ = signed["issuerAuth"]
    elements = tuple(cbor2.dumps(item) for items in signed["nameSpaces"].values() for item in items)
    contents = tuple(item.value for items in signed["nameSpaces"].values() for item in items)
    return _Items((document, *contents, payload, cbor2.loads(payload).value), elements, payload)


def _signed_structure(payload: bytes) -> list[Any]:
    return ["Signature1", b"\xa1\x01\x26", b"", payload]


def _least_to_issue(made: _Example) -> Call:
    items = _items(made.issued)
    values = [cbor2.loads(encoded) for encoded in items.encoded]
    structure = _signed_structure(items.payload)

    def least() -> None:
        for element in items.elements:
            hashlib.sha256(element).digest()
        for value in values:
            cbor2.dumps(value)
        decode_dss_signature(made.key.sign(cbor2.dumps(structure), _ES256))

    return least


def _least_to_read(document: bytes, key: ec.EllipticCurvePrivateKey, verifications: int) -> Call:
    items, public = _items(document), key.public_key()
    structure = _signed_structure(items.payload)
    r, s = decode_dss_signature(key.sign(cbor2.dumps(structure), _ES256))

    def least() -> None:
        for element in items.elements:
            hashlib.sha256(element).digest()
        for encoded in items.encoded:
            cbor2.loads(encoded, allow_indefinite=False, allow_duplicate_keys=False)
        for _ in range(verifications):
            public.verify(encode_dss_signature(r, s), cbor2.dumps(structure), _ES256)

    return least


def _least_to_verify(made: _Example) -> Call:
    return _least_to_read(made.issued, made.key, 1)


def _least_to_accept(made: _Example) -> Call:
    return _least_to_read(made.presented, made.key, 2)
