"""The offline recovery key: what is sealed to its public half, only enough people with a share each can open.

HPKE (RFC 9180) in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; a sealed secret is `enc` (32 bytes)
and the ciphertext with its tag, 48 bytes more than the secret. `info` binds the name of what was sealed, so that one
cannot pass for another. The private half is made here, shared out (`hsm.shares`) and forgotten.
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from hsm.errors import HsmDecryptFailed, HsmPolicy
from hsm.shares import Share, put_together, share_out
from hsm.verify import key_id

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_INFO = b"hsm recovery 1|"


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    """The public half, as the service has it. `spki` is its SubjectPublicKeyInfo, DER (RFC 8410)."""

    spki: bytes

    @classmethod
    def from_pem(cls, pem: bytes) -> "RecoveryKey":
        """Read the file that `make` was written to. `HsmPolicy` for what is no X25519 public key."""
        try:
            public = serialization.load_pem_public_key(pem)
        except ValueError:
            public = None
        if not isinstance(public, X25519PublicKey):
            raise HsmPolicy("Expected an X25519 public key in PEM, got none. Make one: `python -m hsm recovery-key`.")
        return cls.of(public)

    @classmethod
    def of(cls, public: X25519PublicKey) -> "RecoveryKey":
        """The public half as a key of `cryptography`."""
        return cls(public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))

    @property
    def id(self) -> bytes:
        """The first 8 bytes of SHA-256 over the SubjectPublicKeyInfo, as of keys on a token."""
        return key_id(self.spki)

    def pem(self) -> bytes:
        """The file that `from_pem` reads."""
        return self._public().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def seal(self, secret: bytes, name: bytes) -> bytes:
        """A secret to this key, under a name that is needed to open it."""
        return _SUITE.encrypt(secret, self._public(), _INFO + name)

    def _public(self) -> X25519PublicKey:
        public = serialization.load_der_public_key(self.spki)
        assert isinstance(public, X25519PublicKey)
        return public


class Recovered:
    """The private half, for as long as a recovery takes."""

    def __init__(self, private: X25519PrivateKey) -> None:
        self._private = private
        self.key = RecoveryKey.of(private.public_key())

    def open(self, sealed: bytes, name: bytes) -> bytes:
        """What was sealed under this name; `HsmDecryptFailed` when it was for another key or name, or altered."""
        try:
            return _SUITE.decrypt(sealed, self._private, _INFO + name)
        except (InvalidTag, ValueError):
            raise HsmDecryptFailed(
                f"Expected {name.hex()} to be sealed to the recovery key {self.key.id.hex()}, got something that does "
                "not open. Check that the list and the shares belong together."
            ) from None


def make(needed: int, total: int) -> tuple[RecoveryKey, list[Share]]:
    """A new recovery key's public half, and the shares of the other; nothing else of it is left."""
    private = X25519PrivateKey.generate()
    key = RecoveryKey.of(private.public_key())
    try:
        return key, share_out(private.private_bytes_raw(), key.id, needed, total)
    except ValueError as error:
        raise HsmPolicy(str(error)) from None


def recover(shares: list[Share]) -> Recovered:
    """The private half from enough shares; `HsmSharesRefused` says which is wrong, as far as that can be told."""
    expected = shares[0].key_id if shares else b""

    def is_right(secret: bytes) -> bool:
        return RecoveryKey.of(X25519PrivateKey.from_private_bytes(secret).public_key()).id == expected

    return Recovered(X25519PrivateKey.from_private_bytes(put_together(shares, is_right)))
