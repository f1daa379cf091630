"""mdocs of the synthetic authority in ``credential_world``: those that are issued, and any that nobody would issue."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from idverify.core.credential import Credential, Issuer, StatusReference, day_rounded
from idverify.core.trust import TrustStore
from idverify.formats import cose, jose
from idverify.formats.base import HolderBindingExpected
from idverify.formats.mdoc import device_auth, device_response
from idverify.formats.mdoc.credential import Mdoc
from idverify.formats.mdoc.session_transcript import of_request
from idverify.formats.strict_cbor import Embedded, Encoded, embed, encode
from tests.simulators import credential_world as world

DOC_TYPE = "org.iso.18013.5.1.mDL"
ISO, GB = "org.iso.18013.5.1", "org.iso.18013.5.1.GB"
ASKED = HolderBindingExpected("https://verifier.example", "n-0S6_WzA2Mj", "https://verifier.example/answer")
PORTRAIT = bytes.fromhex("ffd8ffe000104a4649460001") + bytes(range(256)) * 4 + b"\xff\xd9"
CLAIMS: Mapping[str, Mapping[str, Any]] = {
    ISO: {
        "family_name": "Example",
        "given_name": "Ada",
        "birth_date": dt.date(1990, 1, 31),
        "issue_date": dt.date(2026, 9, 1),
        "expiry_date": dt.date(2036, 8, 31),
        "issuing_country": "XU",
        "issuing_authority": "Example Authority",
        "document_number": "EXAMP901310A99AA",
        "portrait": PORTRAIT,
        "driving_privileges": [{"vehicle_category_code": "B", "issue_date": dt.date(2010, 3, 1)}],
        "un_distinguishing_sign": "XU",
        "age_over_18": True,
    },
    GB: {"title": "Dr", "welsh_licence": False},
}
WISHES = ((ISO, "family_name"), (ISO, "birth_date"), (ISO, "portrait"), (ISO, "issuing_country"), (GB, "title"))
FORMAT = Mdoc()
TRUST = TrustStore({world.ISS: replace(world.TRUSTED, types=frozenset({DOC_TYPE, world.VCT}))})
PROTECTED = bytes.fromhex("a10126")
DEVICE_KEY = cose.cose_key(jose.public_jwk(world.HOLDER_KEY.public_key()))


def credential(claims: Mapping[str, Any] = CLAIMS, doc_type: str = DOC_TYPE) -> Credential:
    """A credential of ninety days, bound to the holder's key."""
    holder = jose.public_jwk(world.HOLDER_KEY.public_key())
    reference = StatusReference(world.STATUS_URI, 5)
    until = world.NOW + 90 * world.DAY
    return Credential(doc_type, claims, frozenset(), day_rounded(world.NOW), until, reference, holder)


def issue(one: Credential | None = None, issuer: Issuer = world.ISSUER) -> bytes:
    """A whole IssuerSigned as the holder gets it."""
    unsigned = FORMAT.prepare(one or credential(), issuer, world.entropy())
    sealed = FORMAT.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload))
    assert isinstance(sealed, bytes)
    return sealed


def present(document: bytes, wishes: Iterable[tuple[str, str]] = WISHES, asked: HolderBindingExpected = ASKED) -> bytes:
    """``document`` as its holder's wallet shows it."""
    unsigned = device_response.prepare(document, wishes, of_request(asked))
    return device_response.seal(unsigned, world.sign(world.HOLDER_KEY, unsigned.payload))


# --- what nobody would issue --------------------------------------------------------------------------------------


def item(number: int, element: Any, value: Any, **changes: Any) -> Embedded:
    """An element of any content, embedded; ``None`` leaves a member out."""
    salt = hashlib.sha256(f"{number} {element}".encode()).digest()[:16]
    members = {"digestID": number, "random": salt, "elementIdentifier": element, "elementValue": value} | changes
    return embed(cbor2.dumps({name: member for name, member in members.items() if member is not None}))


ITEMS: Mapping[str, list[Embedded]] = {
    ISO: [item(7, "family_name", "Example"), item(90210, "age_over_18", True)],
    GB: [item(7, "title", "Dr")],
}
NUMBERS = {ISO: (7, 90210), GB: (7,)}


def digests(items: Mapping[str, list[Embedded]] = ITEMS, numbers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The valueDigests of elements under their numbers."""
    given = NUMBERS if numbers is None else numbers
    return {
        space: {number: hashlib.sha256(one.encoded).digest() for number, one in zip(given[space], held, strict=True)}
        for space, held in items.items()
    }


def time(at: int) -> dt.datetime:
    """A moment as a tdate."""
    return dt.datetime.fromtimestamp(at, dt.UTC)


def validity(signed: int = 0, valid_from: int = 0, valid_until: int = world.DAY) -> dict[str, dt.datetime]:
    """The validityInfo by seconds after ``NOW``."""
    names = ("signed", "validFrom", "validUntil")
    return dict(zip(names, (time(world.NOW + at) for at in (signed, valid_from, valid_until)), strict=True))


def mso(**changes: Any) -> dict[str, Any]:
    """The least mobile security object that holds, changed; ``None`` leaves a member out."""
    members = {
        "version": "1.0",
        "digestAlgorithm": "SHA-256",
        "valueDigests": digests(),
        "deviceKeyInfo": {"deviceKey": DEVICE_KEY},
        "docType": DOC_TYPE,
        "validityInfo": validity(),
        "status": {"status_list": {"idx": 5, "uri": world.STATUS_URI}},
    } | changes
    return {name: member for name, member in members.items() if member is not None}


def issuer_auth(
    said: Any = None,
    *,
    payload: bytes | None = None,
    protected: bytes = PROTECTED,
    unprotected: Mapping[Any, Any] | None = None,
    key: ec.EllipticCurvePrivateKey = world.ISSUER_KEY,
) -> bytes:
    """A signed COSE_Sign1 over any mobile security object, or any payload."""
    covered = payload if payload is not None else embed(cbor2.dumps(mso() if said is None else said)).encoded
    headers = {cose.X5CHAIN: world.CHAIN[0]} if unprotected is None else unprotected
    return cose.sign1(protected, headers, covered, world.sign(key, cose.sign1_input(protected, covered)))


def issuer_signed(items: Any = ITEMS, auth: bytes | None = None, **more: Any) -> bytes:
    """An IssuerSigned of any content."""
    members = {"nameSpaces": items, "issuerAuth": Encoded(auth or issuer_auth()), **more}
    return encode({name: member for name, member in members.items() if member is not None})


def forged(items: Mapping[str, list[Embedded]], numbers: Mapping[str, Any] | None = None, **changes: Any) -> bytes:
    """An IssuerSigned of any elements, each of them listed by the issuer."""
    return issuer_signed(items, issuer_auth(mso(valueDigests=digests(items, numbers), **changes)))


def device_signed(
    *,
    doc_type: str = DOC_TYPE,
    asked: HolderBindingExpected = ASKED,
    key: ec.EllipticCurvePrivateKey = world.HOLDER_KEY,
    said: Mapping[str, Any] | None = None,
    protected: bytes = PROTECTED,
    payload: bytes | None = None,
) -> dict[str, Any]:
    """DeviceSigned by any key, for any request, with anything said."""
    spaces = embed(cbor2.dumps(said or {}))
    covered = device_auth.device_authentication(of_request(asked), doc_type, spaces)
    signature = cose.sign1(protected, {}, payload, world.sign(key, cose.sign1_input(protected, covered)))
    return {"nameSpaces": spaces, "deviceAuth": {"deviceSignature": Encoded(signature)}}


def document(signed: bytes, doc_type: Any = DOC_TYPE, device: Any = None, **more: Any) -> dict[str, Any]:
    """One document of a response."""
    return {"docType": doc_type, "issuerSigned": Encoded(signed), "deviceSigned": device or device_signed(), **more}


def response(signed: bytes | None = None, device: Any = None, **changes: Any) -> bytes:
    """A DeviceResponse of any content; ``None`` leaves a member out."""
    documents = [document(issuer_signed() if signed is None else signed, device=device)]
    members = {"version": "1.0", "documents": documents, "status": 0} | changes
    return encode({name: member for name, member in members.items() if member is not None})
