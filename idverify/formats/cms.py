"""CMS SignedData of one signer (RFC 5652, ETSI EN 319 122-1): what PAdES signatures and time stamps are made of.

Signed is ES256 alone, over attributes that name the content, its digest and the signer's certificate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from asn1crypto import cms, core, x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from idverify.errors import DocumentError
from idverify.formats.der import OCTET_STRING, SET, sequence, set_of, tlv
from idverify.formats.jose import der_signature
from idverify.formats.x509 import signing_key

DATA: Final = "1.2.840.113549.1.7.1"
SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
STAMP_ATTRIBUTE: Final = "1.2.840.113549.1.9.16.2.14"  # RFC 3161 appendix A: a time stamp over the signature's value
# RFC 5754 section 2: without parameters
_SHA256: Final[Mapping[str, str]] = {"algorithm": "sha256"}
_ECDSA_WITH_SHA256: Final[Mapping[str, str]] = {"algorithm": "sha256_ecdsa"}
# What asn1crypto raises for bytes that are not what they should be, when a field is first asked for; found by changing
# them one by one. It knows REAL and gives it no value: AttributeError.
MALFORMED: Final = (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError)


def signed_attributes(content_type: str, digest: bytes, leaf: bytes) -> bytes:
    """The attributes that are signed, as the DER of a SET (RFC 5652 section 5.4): these bytes go to the key.

    ``digest`` is SHA-256 of the content; ``leaf`` (DER) is named by its own (ESSCertIDv2, RFC 5035), so that no other
    certificate of the key takes its place.
    """
    return set_of(
        _attribute(_CONTENT_TYPE, _oid(content_type)),
        _attribute(_MESSAGE_DIGEST, tlv(OCTET_STRING, digest)),
        _attribute(_SIGNING_CERTIFICATE_V2, _named(leaf)),
    )


def are_attributes(payload: bytes, content_type: str) -> bool:
    """Whether the bytes are such a SET, of this content: nothing else that our keys sign begins with its tag."""
    return payload[:1] == bytes([SET]) and _attribute(_CONTENT_TYPE, _oid(content_type)) in payload


def sealed(
    content_type: str,
    content: bytes | None,
    attributes: bytes,
    signature: bytes,
    chain: Iterable[bytes],
    unsigned: Mapping[str, bytes] | None = None,
    *,
    with_certificates: bool = True,
) -> bytes:
    """The DER of a ContentInfo: ``attributes`` of ``signed_attributes``, and the raw ``r||s`` signature over them.

    ``content`` is ``None`` where it stands elsewhere; ``chain`` is DER, leaf first; ``unsigned`` are further attributes
    by OID, each DER.
    """
    parts = tuple(map(certificate, chain))
    signer: dict[str, Any] = {
        "version": "v1",
        "sid": cms.SignerIdentifier(
            "issuer_and_serial_number",
            cms.IssuerAndSerialNumber({"issuer": parts[0].issuer, "serial_number": parts[0].serial_number}),
        ),
        "digest_algorithm": _SHA256,
        "signed_attrs": cms.CMSAttributes.load(attributes),
        "signature_algorithm": _ECDSA_WITH_SHA256,
        "signature": der_signature(signature),
    }
    if unsigned:
        signer["unsigned_attrs"] = cms.CMSAttributes.load(set_of(*(_attribute(*each) for each in unsigned.items())))
    encapsulated: dict[str, Any] = {"content_type": content_type}
    if content is not None:
        encapsulated["content"] = core.ParsableOctetString(content)
    said: dict[str, Any] = {
        # RFC 5652 section 5.1: version 1 is of content that is plain data
        "version": "v1" if content_type == DATA else "v3",
        "digest_algorithms": cms.DigestAlgorithms([_SHA256]),
        "encap_content_info": encapsulated,
        "signer_infos": cms.SignerInfos([signer]),
    }
    if with_certificates:
        said["certificates"] = cms.CertificateSet([cms.CertificateChoices("certificate", part) for part in parts])
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(said)}).dump())


class Opened(NamedTuple):
    """A ContentInfo of one signer taken apart, and not believed.

    ``certificate`` is the signer's (DER), if it came along; ``signature`` is its value; ``stamps`` are the time stamps
    over that value (RFC 3161 appendix A), DER.
    """

    content_type: str
    content: bytes
    certificate: bytes | None
    signature: bytes
    stamps: tuple[bytes, ...]


def opened(der: bytes) -> Opened:
    """What is in a ContentInfo. Raises ``DocumentError`` (``cms``)."""
    try:
        signed = cms.ContentInfo.load(der, strict=True)["content"]
        (signer,) = signed["signer_infos"]
        encapsulated = signed["encap_content_info"]
        unsigned = [one for one in signer["unsigned_attrs"] if one["type"].dotted == STAMP_ATTRIBUTE]
        return Opened(
            content_type=encapsulated["content_type"].dotted,
            content=bytes(encapsulated["content"]) if encapsulated["content"] else b"",
            certificate=_of_signer(signer["sid"].chosen, signed["certificates"]),
            signature=signer["signature"].native,
            stamps=tuple(value.dump() for one in unsigned for value in one["values"]),
        )
    except MALFORMED as wrong:
        raise DocumentError("cms", f"A signature must be CMS SignedData of one signer in DER: {wrong}.") from None


def _of_signer(named: Any, certificates: Iterable[Any]) -> bytes | None:
    """The certificate that the signer is named by, if by issuer and serial number (RFC 5652 section 5.3)."""
    if not isinstance(named, cms.IssuerAndSerialNumber):
        return None
    wanted = named["issuer"].dump(), named["serial_number"].native
    each = (one.chosen for one in certificates)
    return next((one.dump() for one in each if (one.issuer.dump(), one.serial_number) == wanted), None)


def require_signed(der: bytes, content_type: str, digest: bytes, leaf: bytes) -> None:
    """What was sealed says and is what was planned: this content, this signer, and the signature holds.

    ``digest`` is SHA-256 of the content. Raises ``DocumentError`` (``cms``, ``signature``).
    """
    try:
        signed = cms.ContentInfo.load(der, strict=True)["content"]
        (signer,) = signed["signer_infos"]
        attributes, value = signer["signed_attrs"], signer["signature"].native
        said = attributes.untag().dump()
        content_is = signed["encap_content_info"]["content_type"].dotted
    except MALFORMED as wrong:
        raise DocumentError("cms", f"A signature must be CMS SignedData of one signer in DER: {wrong}.") from None
    if content_is != content_type or said != signed_attributes(content_type, digest, leaf):
        raise DocumentError("cms", "The signature is not over what was to be signed.")
    try:
        signing_key(leaf).verify(value, said, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise DocumentError("signature", "The signature does not verify with the key of its certificate.") from None


@lru_cache(maxsize=64)
def certificate(der: bytes) -> x509.Certificate:
    """A certificate of ours as asn1crypto has it. Read once: what is read is never changed."""
    return x509.Certificate.load(der, strict=True)


@lru_cache(maxsize=64)
def _named(leaf: bytes) -> bytes:
    # SigningCertificateV2 of one ESSCertIDv2; SHA-256 is its default and so is not written (X.690 section 11.5)
    return sequence(sequence(sequence(tlv(OCTET_STRING, hashlib.sha256(leaf).digest()))))


@lru_cache(maxsize=16)
def _oid(dotted: str) -> bytes:
    return bytes(core.ObjectIdentifier(dotted).dump())


def _attribute(oid: str, value: bytes) -> bytes:
    return sequence(_oid(oid), set_of(value))
