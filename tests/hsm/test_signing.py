"""A token that signs wrongly: no such signature leaves the worker, whatever the algorithm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, Mechanism

from hsm.algorithms import SCHEMES, SIGNING
from hsm.ckr import Fault
from hsm.errors import HsmUnavailable
from hsm.frames import Status
from hsm.keys import Algorithm
from hsm.signing import SigningKey, by_token, public_key
from hsm.verify import algorithm_of, spki_of, verify_signature, x509_signature

MESSAGE = b"what is to be signed"

KEYS: Mapping[Algorithm, Callable[[], Any]] = {
    Algorithm.ES256: lambda: ec.generate_private_key(ec.SECP256R1()),
    Algorithm.ES384: lambda: ec.generate_private_key(ec.SECP384R1()),
    Algorithm.EDDSA: ed25519.Ed25519PrivateKey.generate,
    Algorithm.PS256: lambda: rsa.generate_private_key(65537, 3072),
    Algorithm.ML_DSA_44: mldsa.MLDSA44PrivateKey.generate,
    Algorithm.ML_DSA_65: mldsa.MLDSA65PrivateKey.generate,
}
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


class Token:
    """A private key as a token gives it; ``fault`` flips one bit of what it signs with."""

    def __init__(self, algorithm: Algorithm, key: Any, fault: int) -> None:
        self._algorithm, self._key, self._fault = algorithm, key, fault

    def sign(self, data: bytes, **_: Any) -> bytes:
        """``r || s`` or PSS over a digest, the others over a message; the fault is in the last bit."""
        match self._algorithm:
            case Algorithm.ES256:
                signature = self._ecdsa(data, hashes.SHA256(), 32)
            case Algorithm.ES384:
                signature = self._ecdsa(data, hashes.SHA384(), 48)
            case Algorithm.PS256:
                signature = self._key.sign(data, _PSS, utils.Prehashed(hashes.SHA256()))
            case _:
                signature = self._key.sign(data)
        return signature[:-1] + bytes([signature[-1] ^ self._fault])

    def _ecdsa(self, digest: bytes, hash_algorithm: hashes.HashAlgorithm, size: int) -> bytes:
        r, s = utils.decode_dss_signature(self._key.sign(digest, ec.ECDSA(utils.Prehashed(hash_algorithm))))
        return r.to_bytes(size) + s.to_bytes(size)


@pytest.fixture(params=SIGNING)
def pair(request: pytest.FixtureRequest) -> tuple[Algorithm, Any]:
    """A key pair of each signing algorithm."""
    return request.param, KEYS[request.param]()


def signing_key(pair: tuple[Algorithm, Any], fault: int) -> SigningKey:
    """The pair on a token."""
    algorithm, key = pair
    sign = by_token(Token(algorithm, key, fault), Mechanism[SCHEMES[algorithm].uses[0]])
    return SigningKey(algorithm, sign, key.public_key())


def test_a_sound_signature_is_given_out(pair: tuple[Algorithm, Any]) -> None:
    """The token without the fault passes, so that it is the fault that the next test sees."""
    signature = signing_key(pair, 0).sign(MESSAGE)

    assert len(signature) == SCHEMES[pair[0]].signature_size


def test_a_faulty_signature_never_leaves(pair: tuple[Algorithm, Any]) -> None:
    """One wrong bit takes the token out of service: a faulty ECDSA signature can give the key away."""
    with pytest.raises(Fault, match="Take the token out of service") as fault:
        signing_key(pair, 1).sign(MESSAGE)

    assert fault.value.status is Status.TOKEN_DOWN


def test_a_signature_holds_for_its_message_alone(pair: tuple[Algorithm, Any]) -> None:
    """Checked with nothing but the SubjectPublicKeyInfo: another message, a bit, and a byte too many are noticed."""
    spki, signature = spki_of(pair[1].public_key()), signing_key(pair, 0).sign(MESSAGE)

    assert algorithm_of(pair[1].public_key()) is pair[0]
    verify_signature(spki, MESSAGE, signature)
    for message, altered in (
        (b"massage", signature),
        (MESSAGE, bytes([signature[0] ^ 1]) + signature[1:]),
        (MESSAGE, signature + b"\0"),
        (MESSAGE, signature[: len(signature) // 2] + b"\0" + signature[len(signature) // 2 :]),
        (MESSAGE, b""),
    ):
        with pytest.raises(HsmUnavailable, match="does not"):
            verify_signature(spki, message, altered)


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP521R1()), ec.generate_private_key(ec.SECP256K1())])
def test_a_curve_that_is_none_of_ours_is_refused(key: Any) -> None:
    """Its signatures are not taken for those of another curve."""
    signature = key.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))

    assert algorithm_of(key.public_key()) is None
    with pytest.raises(HsmUnavailable, match="does not"):
        verify_signature(spki_of(key.public_key()), MESSAGE, signature)


def _described(key: Any, *, wrapped: bool) -> dict[Attribute, bytes]:
    """A public key object as a module shows it; points stand in an OCTET STRING by the standard."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {Attribute.MODULUS: numbers.n.to_bytes(384), Attribute.PUBLIC_EXPONENT: b"\1\0\1"}
    if isinstance(public, ec.EllipticCurvePublicKey):
        encoding = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    else:
        encoding = public.public_bytes_raw()
    if isinstance(public, (mldsa.MLDSA44PublicKey, mldsa.MLDSA65PublicKey)):
        return {Attribute.VALUE: encoding}
    return {Attribute.EC_POINT: bytes([4, len(encoding)]) + encoding if wrapped else encoding}


@pytest.mark.parametrize("wrapped", [True, False])
def test_public_keys_are_read_as_modules_write_them(pair: tuple[Algorithm, Any], *, wrapped: bool) -> None:
    """Points wrapped or bare, a modulus and its exponent, and the encoded key of FIPS 204."""
    algorithm, key = pair

    assert spki_of(public_key(algorithm, _described(key, wrapped=wrapped))) == spki_of(key.public_key())


def test_a_public_key_that_is_none_is_refused(pair: tuple[Algorithm, Any]) -> None:
    """Cut short, it is the request's fault and no crash of the worker."""
    cut = {name: value[:2] for name, value in _described(pair[1], wrapped=True).items()}
    with pytest.raises(Fault, match="Expected") as fault:
        public_key(pair[0], cut)

    assert fault.value.status is Status.POLICY


def test_certificates_carry_ecdsa_as_a_sequence(pair: tuple[Algorithm, Any]) -> None:
    """DER that `cryptography` verifies as it stands; the other algorithms have one encoding everywhere."""
    algorithm, key = pair
    signature = signing_key(pair, 0).sign(MESSAGE)
    encoded = x509_signature(algorithm, signature)
    if algorithm in {Algorithm.ES256, Algorithm.ES384}:
        made = hashes.SHA256() if algorithm is Algorithm.ES256 else hashes.SHA384()
        key.public_key().verify(encoded, MESSAGE, ec.ECDSA(made))
    else:
        assert encoded == signature
