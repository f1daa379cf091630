"""A token that signs wrongly: no such signature leaves the worker."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from pkcs11 import Mechanism

from hsm.ckr import Fault
from hsm.frames import Status
from hsm.signing import PublicKey, signing_key

MESSAGE = b"what is to be signed"


class Token:
    """A private key as a token gives it; ``fault`` flips one bit of what it signs with."""

    def __init__(self, key: Any, fault: int) -> None:
        self._key, self._fault = key, fault

    def sign(self, data: bytes, *, mechanism: Mechanism) -> bytes:
        """``r || s`` over a digest, or Ed25519 over a message; the fault is in the last bit."""
        if mechanism is Mechanism.EDDSA:
            signature = self._key.sign(data)
        else:
            r, s = utils.decode_dss_signature(self._key.sign(data, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
            signature = r.to_bytes(32) + s.to_bytes(32)
        return signature[:-1] + bytes([signature[-1] ^ self._fault])


@pytest.fixture(params=["ES256", "EdDSA"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, PublicKey]:
    """A key pair of each signing algorithm."""
    key: Any = ec.generate_private_key(ec.SECP256R1())
    if request.param == "EdDSA":
        key = ed25519.Ed25519PrivateKey.generate()
    return key, key.public_key()


def test_a_sound_signature_is_given_out(pair: tuple[Any, PublicKey]) -> None:
    """The token without the fault passes, so that it is the fault that the next test sees."""
    assert len(signing_key(Token(pair[0], 0), pair[1]).sign(MESSAGE)) == 64


def test_a_faulty_signature_never_leaves(pair: tuple[Any, PublicKey]) -> None:
    """One wrong bit takes the token out of service: a faulty ECDSA signature can give the key away."""
    with pytest.raises(Fault, match="Take the token out of service") as fault:
        signing_key(Token(pair[0], 1), pair[1]).sign(MESSAGE)

    assert fault.value.status is Status.TOKEN_DOWN
