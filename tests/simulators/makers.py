"""Makers of authenticators: their authorities, their certificates, and attestation statements that lie where told to.

Like ``authenticator``, it shares no code with what it tests, keys come from seeds, and signatures are deterministic.
"""

from __future__ import annotations

import base64
import hashlib
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from tests.simulators import authenticator as sim
from tests.simulators.authenticator import AT, UP, UV, Authenticator, authenticator_data, cbor, client_data

CLIENT = client_data("webauthn.create")
CLIENT_HASH = hashlib.sha256(CLIENT).digest()
KEY = Authenticator()
OTHER = Authenticator(sim.elliptic_key("another key"))
AT_TIME = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())

AAGUID_EXTENSION = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
APPLE_NONCE = ObjectIdentifier("1.2.840.113635.100.8.2")
ANDROID_KEY = ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
AIK = ObjectIdentifier("2.23.133.8.3")

Extension = tuple[x509.ExtensionType, bool]
NOT_CA: Extension = (x509.BasicConstraints(ca=False, path_length=None), True)
CA: Extension = (x509.BasicConstraints(ca=True, path_length=None), True)
YEARS = (2024, 2044)


def name(**parts: str) -> x509.Name:
    """A name of ``C``, ``O``, ``OU`` and ``CN``, in the order given."""
    oids = {
        "C": NameOID.COUNTRY_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "CN": NameOID.COMMON_NAME,
    }
    return x509.Name([x509.NameAttribute(oids[part], value) for part, value in parts.items()])


@dataclass(frozen=True)
class Authority:
    """Somebody who signs certificates, rightly or not."""

    subject: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: bytes = b""

    def certify(
        self,
        subject: x509.Name,
        public_key: Any,
        extensions: Iterable[Extension] = (NOT_CA,),
        years: tuple[int, int] = YEARS,
    ) -> bytes:
        """A certificate (DER), from the first moment of one year to that of another."""
        digest = hashlib.sha256(repr((subject, self.subject, years)).encode()).digest()
        builder = x509.CertificateBuilder(
            issuer_name=self.subject,
            subject_name=subject,
            public_key=public_key,
            serial_number=int.from_bytes(digest[:15], "big") | 1,
            not_valid_before=datetime(years[0], 1, 1, tzinfo=UTC),
            not_valid_after=datetime(years[1], 1, 1, tzinfo=UTC),
        )
        for value, critical in extensions:
            builder = builder.add_extension(value, critical)
        return builder.sign(self.key, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)

    def below(
        self, common_name: str, extensions: Iterable[Extension] = (CA,), years: tuple[int, int] = YEARS
    ) -> Authority:
        """Another authority that this one certifies, or a device that plays authority."""
        subject, key = name(O="Maker", CN=common_name), sim.elliptic_key(f"maker {common_name}")
        return Authority(subject, key, self.certify(subject, key.public_key(), extensions, years))


def root(
    common_name: str, seed: str = "", extensions: Iterable[Extension] = (CA,), years: tuple[int, int] = YEARS
) -> Authority:
    """An authority that certifies itself."""
    itself = Authority(name(O="Maker", CN=common_name), sim.elliptic_key(f"root {seed or common_name}"))
    return Authority(
        itself.subject, itself.key, itself.certify(itself.subject, itself.key.public_key(), extensions, years)
    )


def of_version(certificate: bytes, version: int) -> bytes:
    """A certificate of version 3, which says that it is of another one (the encoding counts from 0)."""
    third = bytes.fromhex("a003020102")
    assert certificate.count(third) == 1
    return certificate.replace(third, third[:-1] + bytes([version]))


def in_pem(certificate: bytes) -> bytes:
    """A certificate as people paste it."""
    lines = base64.encodebytes(certificate)
    return b"-----BEGIN CERTIFICATE-----\n" + lines + b"-----END CERTIFICATE-----\n"


ROOT = root("Root")
OTHER_ROOT = root("Another root")
BATCH = sim.elliptic_key("a batch")
BATCH_NAME = name(C="GB", O="Maker", OU="Authenticator Attestation", CN="Batch 1")


def unknown(oid: ObjectIdentifier, der: bytes, *, critical: bool = False) -> Extension:
    """An extension that no library knows."""
    return x509.UnrecognizedExtension(oid, der), critical


def aaguid_extension(aaguid: bytes = sim.AAGUID, *, critical: bool = False) -> Extension:
    """Section 8.2.1: the model that a certificate is about."""
    return unknown(AAGUID_EXTENSION, b"\x04\x10" + aaguid, critical=critical)


def batch_certificate(
    authority: Authority = ROOT,
    subject: x509.Name = BATCH_NAME,
    extensions: Iterable[Extension] = (NOT_CA, aaguid_extension()),
    years: tuple[int, int] = YEARS,
) -> bytes:
    """The certificate that a batch of security keys shares."""
    return authority.certify(subject, BATCH.public_key(), extensions, years)


def version_1(certificate: bytes, authority: Authority) -> bytes:
    """The same certificate, signed as one of version 1."""
    tbs = x509.load_der_x509_certificate(certificate).tbs_certificate_bytes
    content = tbs[4:].removeprefix(bytes.fromhex("a003020102"))
    shorter = der(0x30, content)
    signature = authority.key.sign(shorter, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    return der(0x30, shorter, algorithm, der(0x03, b"\x00" + signature))


def der(tag: int, *contents: bytes) -> bytes:
    """An element; tags beyond 255 are written as context-specific, constructed ones in two bytes of seven bits."""
    head = bytes([tag]) if tag < 256 else bytes([0xBF, 0x80 | tag >> 7 & 0x7F, tag & 0x7F])
    content = b"".join(contents)
    size = len(content)
    if size < 128:
        return head + bytes([size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return head + bytes([0x80 | len(length)]) + length + content


def said_by(key: Authenticator = KEY, aaguid: bytes = sim.AAGUID, flags: int = UP | UV | AT) -> bytes:
    """Authenticator data of a new credential of some make."""
    return authenticator_data(flags, tail=aaguid + key.attested()[16:])


def register(format_: str, statement: Any, said: bytes | None = None, key: Authenticator = KEY) -> dict[str, Any]:
    """``PublicKeyCredential.toJSON()`` of a registration with a statement."""
    said = said_by(key) if said is None else said
    return key.register(attestation=cbor({"fmt": format_, "attStmt": statement, "authData": said}))


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """ECDSA with the hash that goes with the curve."""
    return key.sign(message, ec.ECDSA(sim.HASHES[key.curve.name], deterministic_signing=True))


def packed(
    chain: Sequence[bytes] = (),
    *,
    said: bytes | None = None,
    signer: ec.EllipticCurvePrivateKey = BATCH,
    message: bytes | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Section 8.2, with certificates."""
    said = said_by() if said is None else said
    message = said + CLIENT_HASH if message is None else message
    honest = {"alg": -7, "sig": sign(signer, message), "x5c": list(chain) or [batch_certificate()]}
    return register("packed", sim.changed(honest, changes), said)


def packed_self(
    *, signer: ec.EllipticCurvePrivateKey | None = None, said: bytes | None = None, **changes: Any
) -> dict[str, Any]:
    """Section 8.2, self attestation."""
    assert isinstance(KEY.key, ec.EllipticCurvePrivateKey)
    said = said_by() if said is None else said
    honest = {"alg": -7, "sig": sign(signer or KEY.key, said + CLIENT_HASH)}
    return register("packed", sim.changed(honest, changes), said)


def fido_u2f(
    chain: Sequence[bytes] = (),
    *,
    key: Authenticator = KEY,
    client_hash: bytes = CLIENT_HASH,
    aaguid: bytes = bytes(16),
    flags: int = UP | AT,
    **changes: Any,
) -> dict[str, Any]:
    """Section 8.6."""
    said, public = said_by(key, aaguid, flags), sim.cose_key(key.key)
    message = b"\x00" + said[:32] + client_hash + key.credential_id + b"\x04" + public[-2] + public[-3]
    honest = {"sig": sign(BATCH, message), "x5c": list(chain) or [batch_certificate(extensions=(NOT_CA,))]}
    return register("fido-u2f", sim.changed(honest, changes), said, key)


def apple(
    authority: Authority = ROOT,
    *,
    key: Authenticator = KEY,
    nonce: bytes | None = None,
    extensions: Iterable[Extension] | None = None,
    above: Sequence[bytes] = (),
) -> dict[str, Any]:
    """Section 8.8, the certificate made for ``key``."""
    hashed = hashlib.sha256(said_by() + CLIENT_HASH if nonce is None else nonce).digest()
    if extensions is None:
        extensions = (NOT_CA, unknown(APPLE_NONCE, bytes.fromhex("3024a1220420") + hashed))
    leaf = authority.certify(name(O="Maker", CN="one key"), key.key.public_key(), extensions)
    return register("apple", {"x5c": [leaf, *above]})


def key_description(
    challenge: bytes = CLIENT_HASH,
    software: bytes = b"",
    tee: bytes | None = None,
    fields: int = 8,
    *,
    attested_by: bytes = b"\x01",
    kept_by: bytes = b"\x01",
) -> bytes:
    """Android's extension: what Android enforces, and what the hardware does."""
    tee = authorizations() if tee is None else tee
    small = [der(0x02, b"\x03"), der(0x0A, attested_by), der(0x02, b"\x04"), der(0x0A, kept_by)]
    members = [*small, der(0x04, challenge), der(0x04), der(0x30, software), der(0x30, tee)]
    return der(0x30, *members[:fields])


def authorizations(purpose: bytes = b"\x02", origin: bytes = b"\x00", more: bytes = b"") -> bytes:
    """An authorization list: purposes, origin, and more, in the order of their tags."""
    purposes = der(0xA1, der(0x31, *(der(0x02, bytes([one])) for one in purpose)))
    return purposes + more + der(702, der(0x02, origin))


def android_key(
    description: bytes | None = None,
    *,
    key: Authenticator = KEY,
    signer: ec.EllipticCurvePrivateKey | None = None,
    authority: Authority = ROOT,
    above: Sequence[bytes] = (),
    **changes: Any,
) -> dict[str, Any]:
    """Section 8.4, the certificate made for ``key``, which also signs."""
    extension = unknown(ANDROID_KEY, key_description() if description is None else description)
    leaf = authority.certify(name(CN="Android Keystore Key"), key.key.public_key(), (extension,))
    assert isinstance(key.key, ec.EllipticCurvePrivateKey)
    honest = {"alg": -7, "sig": sign(signer or key.key, said_by() + CLIENT_HASH), "x5c": [leaf, *above]}
    return register("android-key", sim.changed(honest, changes))


def key_of_an_app() -> Authority:
    """An honest device's: made in its hardware for an app, to attest with, and so an authority (``ATTEST_KEY``, 7)."""
    subject, key = name(O="Maker", CN="Android Keystore Key"), sim.elliptic_key("attest key of an app")
    described = unknown(ANDROID_KEY, key_description(b"any", tee=authorizations(purpose=b"\x07")))
    return Authority(subject, key, ROOT.certify(subject, key.public_key(), (CA, described)))


def sized(data: bytes) -> bytes:
    """TPM2B."""
    return len(data).to_bytes(2, "big") + data


def public_area(key: Authenticator = KEY, attributes: int = 0x00040072, name_algorithm: int = 0x000B) -> bytes:
    """TPMT_PUBLIC of an unrestricted signing key on P-256."""
    public = sim.cose_key(key.key)
    head = (0x0023).to_bytes(2, "big") + name_algorithm.to_bytes(2, "big") + attributes.to_bytes(4, "big")
    parameters = bytes.fromhex("0010 0018 000b 0003 0010")
    return head + sized(b"") + parameters + sized(public[-2]) + sized(public[-3])


def cert_info(
    area: bytes,
    extra_data: bytes | None = None,
    *,
    magic: int = 0xFF544347,
    type_: int = 0x8017,
    tpm_name: bytes | None = None,
) -> bytes:
    """TPMS_ATTEST of a certification."""
    extra_data = hashlib.sha256(said_by() + CLIENT_HASH).digest() if extra_data is None else extra_data
    tpm_name = b"\x00\x0b" + hashlib.sha256(area).digest() if tpm_name is None else tpm_name
    clock_and_firmware = bytes(16) + b"\x01" + bytes(8)
    head = magic.to_bytes(4, "big") + type_.to_bytes(2, "big") + sized(b"\x00\x0b" + bytes(32))
    return head + sized(extra_data) + clock_and_firmware + sized(tpm_name) + sized(b"")


def tpm_names(*numbers: int) -> Extension:
    """The subject alternative name of an attestation key: maker, model and version of its TPM."""
    attributes = [x509.NameAttribute(ObjectIdentifier(f"2.23.133.2.{number}"), "id:00000000") for number in numbers]
    return x509.SubjectAlternativeName([x509.DirectoryName(x509.Name(attributes))]), True


TPM_EXTENSIONS = (NOT_CA, (x509.ExtendedKeyUsage([AIK]), False), tpm_names(1, 2, 3))


def aik_certificate(
    extensions: Iterable[Extension] = TPM_EXTENSIONS, subject: x509.Name | None = None, authority: Authority = ROOT
) -> bytes:
    """The certificate of a TPM's attestation key."""
    return authority.certify(x509.Name([]) if subject is None else subject, BATCH.public_key(), extensions)


def tpm(
    area: bytes | None = None,
    info: bytes | None = None,
    certificate: bytes | None = None,
    signer: ec.EllipticCurvePrivateKey = BATCH,
    **changes: Any,
) -> dict[str, Any]:
    """Section 8.3."""
    area = public_area() if area is None else area
    info = cert_info(area) if info is None else info
    honest = {
        "ver": "2.0",
        "alg": -7,
        "x5c": [aik_certificate() if certificate is None else certificate],
        "sig": sign(signer, info),
        "certInfo": info,
        "pubArea": area,
    }
    return register("tpm", sim.changed(honest, changes))


def parts(response: dict[str, Any]) -> dict[str, Any]:
    """What the attestation object of a registration holds, to be put into another."""
    object_: dict[str, Any] = cbor2.loads(urlsafe_b64decode(response["response"]["attestationObject"] + "=="))
    return object_


def compound(*responses: dict[str, Any], said: bytes | None = None) -> dict[str, Any]:
    """Section 8.9: the statements of several answers in one."""
    statements = [
        {name: value for name, value in parts(response).items() if name != "authData"} for response in responses
    ]
    return register("compound", statements, said)
