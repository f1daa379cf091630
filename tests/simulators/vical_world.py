"""A synthetic provider of VICALs with fixed keys, and lists of its, right or wrong in one way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import cbor2
from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from idverify.formats import cose, strict_cbor, x509
from tests.simulators import credential_world as world
from tests.simulators.foreign_issuer import NORTH, SOUTH, Foreign

PROVIDER_KEY, SIGNER_KEY, STRANGER_KEY = (world.private_key(secret) for secret in (4001, 4002, 4003))
MDL = "org.iso.18013.5.1.mDL"
PERMIT = "org.example.permit.1"


def instant(at: int) -> dt.datetime:
    """A time as CBOR's tdate."""
    return dt.datetime.fromtimestamp(at, dt.UTC)


def root(key: Any = PROVIDER_KEY) -> bytes:
    """The provider's root, DER."""
    return world.root(key, "Example Provider Root")


def root_of_state(issuer: Foreign, state: str) -> bytes:
    """A root of an issuer's that names the state that it is of, DER."""
    key = issuer.root_key
    name = cryptography_x509.Name(
        [
            cryptography_x509.NameAttribute(NameOID.COUNTRY_NAME, issuer.country),
            cryptography_x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, state),
            cryptography_x509.NameAttribute(NameOID.COMMON_NAME, issuer.name),
        ]
    )
    usual = x509.read_certificate(issuer.root())
    builder = (
        cryptography_x509.CertificateBuilder(name, name, key.public_key(), 4712)
        .not_valid_before(usual.not_valid_before_utc)
        .not_valid_after(usual.not_valid_after_utc)
    )
    for extension in usual.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def signer(
    *, root_key: Any = PROVIDER_KEY, purpose: x509.Purpose = x509.Purpose.VICAL, start: int = world.NOW - world.DAY
) -> bytes:
    """The certificate of whoever signs the lists, DER."""
    authority = x509.read_certificate(root(root_key))
    name = [
        cryptography_x509.NameAttribute(NameOID.COUNTRY_NAME, "XU"),
        cryptography_x509.NameAttribute(NameOID.COMMON_NAME, "Example Provider"),
    ]
    usage = x509.read_certificate(world.CHAIN[0]).extensions.get_extension_for_class(cryptography_x509.KeyUsage)
    builder = (
        cryptography_x509.CertificateBuilder(
            authority.subject, cryptography_x509.Name(name), SIGNER_KEY.public_key(), 4711
        )
        .not_valid_before(instant(start))
        .not_valid_after(instant(start + 400 * world.DAY))
        .add_extension(cryptography_x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage.value, critical=True)
        .add_extension(cryptography_x509.ExtendedKeyUsage([purpose.value]), critical=True)
        .add_extension(
            cryptography_x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
        )
    )
    return builder.sign(root_key, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def entry(
    whose: Foreign = NORTH, /, *doc_types: str, certificate: bytes | None = None, **changes: Any
) -> dict[str, Any]:
    """The entry of an issuer's root, changed; ``None`` leaves a member out."""
    der = certificate or whose.root()
    held = x509.read_certificate(der)
    ski = held.extensions.get_extension_for_class(cryptography_x509.SubjectKeyIdentifier).value.digest
    said: dict[str, Any] = {
        "certificate": der,
        "serialNumber": held.serial_number,
        "ski": ski,
        "docType": list(doc_types or (MDL,)),
        "issuingAuthority": whose.name,
        "issuingCountry": whose.country,
        "issuer": held.issuer.public_bytes(),
        "subject": held.subject.public_bytes(),
        "notBefore": held.not_valid_before_utc,
        "notAfter": held.not_valid_after_utc,
    } | changes
    return {name: value for name, value in said.items() if value is not None}


def listed(*entries: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A list of these entries, changed; ``None`` leaves a member out."""
    said: dict[str, Any] = {
        "version": "1.0",
        "vicalProvider": "Example Provider",
        "date": instant(world.NOW - world.DAY),
        "vicalIssueID": 7,
        "nextUpdate": instant(world.NOW + 30 * world.DAY),
        "certificateInfos": list(entries or (entry(), entry(SOUTH, MDL, PERMIT))),
    } | changes
    return {name: value for name, value in said.items() if value is not None}


def signed(
    said: Any = None,
    *,
    key: Any = SIGNER_KEY,
    chain: Any = None,
    alg: int = cose.ES256,
    payload: bytes | None = None,
) -> bytes:
    """A list as its provider would sign it. Numbers of any size are written as they are (RFC 8949 section 3.4.3)."""
    content = payload if payload is not None else cbor2.dumps(listed() if said is None else said)
    protected = strict_cbor.encode({cose.ALG: alg})
    signature = world.sign(key, cose.sign1_input(protected, content))
    carried = [signer()] if chain is None else chain
    return cose.sign1(protected, {cose.X5CHAIN: carried[0] if len(carried) == 1 else carried}, content, signature)
