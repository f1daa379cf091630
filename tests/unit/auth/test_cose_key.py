"""Every algorithm of the table verifies what its own key signed, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from fido2.cose import CoseKey

from idverify.auth import cose_key
from idverify.auth.edwards import ED448, ED25519, is_fit
from tests.simulators import authenticator as sim

MESSAGE = b"authenticator data and the hash of client data"
Made = tuple[dict[int, Any], bytes]


def ecdsa(curve: ec.EllipticCurve, hash_: hashes.HashAlgorithm) -> Made:
    key = sim.elliptic_key("one", curve)
    return sim.cose_key(key), key.sign(MESSAGE, ec.ECDSA(hash_))


def eddsa() -> Made:
    key = ed25519.Ed25519PrivateKey.generate()
    return {1: 1, 3: -8, -1: 6, -2: key.public_key().public_bytes_raw()}, key.sign(MESSAGE)


def eddsa448() -> Made:
    key = ed448.Ed448PrivateKey.generate()
    return {1: 1, 3: -53, -1: 7, -2: key.public_key().public_bytes_raw()}, key.sign(MESSAGE)


def ml_dsa(algorithm: int, kind: Any) -> Made:
    key = kind.generate()
    return {1: 7, 3: algorithm, -1: key.public_key().public_bytes_raw()}, key.sign(MESSAGE)


def rs256() -> Made:
    key = rsa.generate_private_key(65537, 2048)
    n = key.public_key().public_numbers().n
    members = {1: 3, 3: -257, -1: n.to_bytes(256, "big"), -2: b"\x01\x00\x01"}
    return members, key.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256())


MAKERS: dict[int, Callable[[], Made]] = {
    -7: lambda: ecdsa(ec.SECP256R1(), hashes.SHA256()),
    -8: eddsa,
    -35: lambda: ecdsa(ec.SECP384R1(), hashes.SHA384()),
    -36: lambda: ecdsa(ec.SECP521R1(), hashes.SHA512()),
    -53: eddsa448,
    -48: lambda: ml_dsa(-48, mldsa.MLDSA44PrivateKey),
    -49: lambda: ml_dsa(-49, mldsa.MLDSA65PrivateKey),
    -50: lambda: ml_dsa(-50, mldsa.MLDSA87PrivateKey),
    -257: rs256,
}


def test_every_algorithm_has_a_maker() -> None:
    """No algorithm is offered that nothing here tries; ML-DSA is among them where the library has it."""
    missing = {-48, -49, -50} - set(CoseKey.supported_algorithms())

    assert list(cose_key.ALGORITHMS) == [algorithm for algorithm in MAKERS if algorithm not in missing]


@pytest.mark.parametrize("algorithm", cose_key.ALGORITHMS)
def test_a_signature_holds_for_its_message_alone(algorithm: int) -> None:
    """One changed byte of message or signature, or one that is cut off, and it holds no more."""
    members, signature = MAKERS[algorithm]()
    key = cose_key.verifying_key(sim.cbor(members))

    assert key.algorithm == algorithm
    assert key.holds(signature, MESSAGE)
    assert not key.holds(signature, MESSAGE + b"x")
    assert not key.holds(signature[:-1], MESSAGE)
    assert not key.holds(signature[:-1] + bytes([signature[-1] ^ 1]), MESSAGE)
    assert not key.holds(b"", MESSAGE)


@pytest.mark.parametrize("algorithm", cose_key.ALGORITHMS)
def test_keys_of_other_libraries_are_read(algorithm: int) -> None:
    """What python-fido2 verifies with, we verify with, and the other way round."""
    members, signature = MAKERS[algorithm]()
    CoseKey.parse(members).verify(MESSAGE, signature)

    assert cose_key.verifying_key(sim.cbor(members)).holds(signature, MESSAGE)


def test_a_key_is_built_once() -> None:
    """Who signs in again gets the key that was built before."""
    spelled = sim.cbor(sim.cose_key(sim.elliptic_key("once")))

    assert cose_key.verifying_key(spelled) is cose_key.verifying_key(spelled)


def test_an_rsa_signature_under_a_huge_modulus_and_exponent_is_refused_quietly() -> None:
    """OpenSSL will not compute with every exponent that FIPS 186-5 allows; that is a signature that does not hold."""
    members = {1: 3, 3: -257, -1: b"\xff" * 512, -2: b"\xff" * 32}

    assert not cose_key.verifying_key(sim.cbor(members)).holds(bytes(512), MESSAGE)


def test_points_of_edwards_curves() -> None:
    """Real public keys are fit; about half of all other strings are no point at all."""
    for _ in range(20):
        assert is_fit(ED25519, ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw())
        assert is_fit(ED448, ed448.Ed448PrivateKey.generate().public_key().public_bytes_raw())
    for curve in (ED25519, ED448):
        fit = [is_fit(curve, bytes([n]) + bytes(curve.size - 1)) for n in range(256)]
        assert 64 < sum(fit) < 192


@pytest.mark.parametrize("sign", [0x00, 0x80])
@pytest.mark.parametrize(
    "encoded",
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    ],
)
def test_points_of_small_order_are_not_fit(encoded: str, sign: int) -> None:
    """All eight points of the torsion subgroup of Curve25519, and spellings of them that RFC 8032 does not allow."""
    point = bytearray.fromhex(encoded)
    point[31] |= sign

    assert not is_fit(ED25519, bytes(point))


def test_a_point_of_small_order_would_verify_anything() -> None:
    """Why they are refused: under the neutral element, OpenSSL takes one signature for every message."""
    neutral = bytes([1]) + bytes(31)
    base = bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666")
    forged = base + bytes([1]) + bytes(31)
    key = ed25519.Ed25519PublicKey.from_public_bytes(neutral)

    for message in (b"one", b"another"):
        key.verify(forged, message)
