"""Attestation keys and certified keys of every kind, in whichever structure they come."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, padding, rsa

from idverify.auth import attestation
from idverify.auth.attestation import statement, tpm_structures
from idverify.auth.authenticator_data import AttestedCredentialData
from idverify.errors import CeremonyRefused
from tests.simulators import authenticator as sim
from tests.simulators import makers
from tests.simulators.makers import KEY, NOT_CA, ROOT

RSA = rsa.generate_private_key(65537, 2048)
NUMBERS = RSA.public_key().public_numbers()
MODULUS = NUMBERS.n.to_bytes(256, "big")
ED448 = ed448.Ed448PrivateKey.from_private_bytes(hashlib.sha512(b"edwards").digest()[:57].ljust(57, b"\x01"))


def sign(key: Any, message: bytes) -> bytes:
    """A signature by a key of any kind."""
    match key:
        case rsa.RSAPrivateKey():
            return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        case ec.EllipticCurvePrivateKey():
            return key.sign(message, ec.ECDSA(sim.HASHES.get(key.curve.name, hashes.SHA256())))
    return bytes(key.sign(message))


def verify(format_: str, said: dict[str, Any], cose_key: bytes) -> statement.Attested:
    """What a statement about a key proves."""
    made = AttestedCredentialData(sim.AAGUID, KEY.credential_id, cose_key)
    return attestation.verify(statement.Attestation(format_, said, makers.said_by(), made, makers.CLIENT_HASH))


def packed_by(key: Any, algorithm: int) -> statement.Attested:
    """A packed statement whose attestation key is ``key``."""
    leaf = ROOT.certify(makers.BATCH_NAME, key.public_key(), (NOT_CA,))
    said = {"alg": algorithm, "sig": sign(key, makers.said_by() + makers.CLIENT_HASH), "x5c": [leaf]}
    return verify("packed", said, KEY.cose_key)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        pytest.param(RSA, -257, id="RSA"),
        pytest.param(sim.elliptic_key("384", ec.SECP384R1()), -35, id="P-384"),
        pytest.param(sim.elliptic_key("521", ec.SECP521R1()), -36, id="P-521"),
        pytest.param(sim.edwards_key("edwards"), -8, id="Ed25519"),
        pytest.param(ED448, -53, id="Ed448"),
    ],
)
def test_attestation_keys(key: Any, algorithm: int) -> None:
    """Every algorithm that is offered for keys also attests them."""
    assert packed_by(key, algorithm).type == "basic"


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        pytest.param(rsa.generate_private_key(65537, 1024), -257, id="RSA of 1024 bits"),  # noqa: S505 that is the point
        pytest.param(ec.generate_private_key(ec.BrainpoolP256R1()), -7, id="Brainpool"),
        pytest.param(sim.elliptic_key("384", ec.SECP384R1()), -7, id="ES256 with P-384"),
    ],
)
def test_attestation_keys_of_no_algorithm(key: Any, algorithm: int) -> None:
    """A certificate may hold any key; one that is weak or of no algorithm of ours signs nothing."""
    with pytest.raises(CeremonyRefused) as refused:
        packed_by(key, algorithm)

    assert refused.value.rule == "packed-signature"


def rsa_area(exponent: int = 0, scheme: str = "0010", modulus: bytes = MODULUS) -> bytes:
    """TPMT_PUBLIC of an RSA key, as Windows Hello has it."""
    head = bytes.fromhex("0001000b00060472") + makers.sized(b"\x01" * 32)
    return head + bytes.fromhex(f"0010 {scheme} 0800") + exponent.to_bytes(4, "big") + makers.sized(modulus)


@pytest.mark.parametrize(
    "area",
    [rsa_area(), rsa_area(65537), rsa_area(scheme="0014 000b"), rsa_area(modulus=b"\x00" + MODULUS)],
    ids=["an exponent left out", "an exponent", "a scheme", "a leading zero"],
)
def test_rsa_keys_of_tpms(area: bytes) -> None:
    """The exponent may be left out, a scheme may be bound to the key."""
    cose_key = sim.cbor({1: 3, 3: -257, -1: MODULUS, -2: b"\x01\x00\x01"})
    info = makers.cert_info(area)
    said = {
        "ver": "2.0",
        "alg": -7,
        "x5c": [makers.aik_certificate()],
        "sig": makers.sign(makers.BATCH, info),
        "certInfo": info,
        "pubArea": area,
    }
    assert verify("tpm", said, cose_key) == statement.Attested(
        "attca",
        tuple(said["x5c"]),
        sim.AAGUID,
        key_stays=True,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "area",
    [b"", rsa_area()[:-1], rsa_area() + b"\x00", b"\x00\x08" + rsa_area()[2:], makers.public_area()[:-1]],
    ids=["nothing", "too short", "too long", "a keyed hash", "half a point"],
)
def test_public_areas_that_are_none(area: bytes) -> None:
    """Structures of other lengths and of other kinds of key."""
    with pytest.raises(ValueError, match=r"."):
        tpm_structures.read_public_area(area)


def test_a_curve_that_nobody_uses() -> None:
    """TPM_ECC_SM2_P256 is the key of no algorithm of ours, and a coordinate longer than its curve none of any."""
    good = makers.public_area()
    for area in (
        good.replace(bytes.fromhex("000b00030010"), bytes.fromhex("000b00200010")),
        good[:-68] + makers.sized(b"\x01" * 40) + makers.sized(b"\x01" * 32),
    ):
        info = makers.cert_info(area)
        with pytest.raises(CeremonyRefused) as refused:
            attestation_of(area, info)
        assert refused.value.rule == "tpm-public-area"


def attestation_of(area: bytes, info: bytes) -> statement.Attested:
    """What a TPM's statement about ``KEY`` proves."""
    said = makers.parts(makers.tpm(area, info))["attStmt"]
    return verify("tpm", said, KEY.cose_key)
