"""The operations that no verification and no issuance can do without: ``cryptography`` and the raw HSM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsm import Algorithm
from hsm.bench import raw_cpu
from idverify.app.tokens import token_config
from idverify.config import DATABASE, Config
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.services.establish import WRAPPING_ROLE
from idverify.stores.sqlite import connect

_CREDENTIAL, _PROOF = bytes(2560), bytes(256)  # what an issuer signs, and a wallet
_DETAILS, _ANSWER = bytes(256), bytes(4096)
_BUSY: Final = 2  # raw processes at once: under load the service and its signer keep each other's caches busy, too
_ES256: Final = ec.ECDSA(hashes.SHA256())
_RAW: Final = {IMMIGRATION_STATUS.key_role: Algorithm.ES256, WRAPPING_ROLE: Algorithm.A256KWP}


def _issuer_signature() -> Callable[[], object]:
    """ECDSA under a key that is held, from ``r`` and ``s``."""
    key = ec.generate_private_key(ec.SECP256R1())
    (r, s), public = decode_dss_signature(key.sign(_CREDENTIAL, _ES256)), key.public_key()
    return lambda: public.verify(encode_dss_signature(r, s), _CREDENTIAL, _ES256)


def _holder_signature() -> Callable[[], object]:
    """ECDSA under a key that comes with the document, as a point."""
    key = ec.generate_private_key(ec.SECP256R1())
    r, s = decode_dss_signature(key.sign(_PROOF, _ES256))
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def verify() -> None:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        public.verify(encode_dss_signature(r, s), _PROOF, _ES256)

    return verify


def _seals() -> Callable[[], object]:
    """AES-256-GCM: details and permission opened, the ledger entry's opening and the answer sealed."""
    secret, nonce = AESGCM.generate_key(256), bytes(12)
    sealed = AESGCM(secret).encrypt(nonce, _DETAILS, None)

    def four() -> None:
        key = AESGCM(secret)
        key.decrypt(nonce, sealed, None)
        key.decrypt(nonce, sealed, None)
        key.encrypt(nonce, _DETAILS, None)
        key.encrypt(nonce, _ANSWER, None)

    return four


PRIMITIVES: Final[Mapping[str, Callable[[], Callable[[], object]]]] = {
    "issuer-signature": _issuer_signature,
    "holder-signature": _holder_signature,
    "seals": _seals,
}
"""Name -> what makes the call ready; the call itself is what a request needs once."""


async def hsm_of_one_issuance(config: Config, seconds: float) -> float:
    """CPU seconds of one signature, its verification and one unwrapping, on held handles; ``seconds`` of each."""
    with closing(connect(config.data / DATABASE, read_only=True)) as database:
        in_use = database.execute("SELECT role, key_id FROM signing_key WHERE state = 'active'")
        keys = {row["role"]: row["key_id"] for row in in_use}
    token = replace(token_config(config.online), workers=_BUSY)
    return sum([await raw_cpu(token, algorithm, keys[role], seconds) for role, algorithm in _RAW.items()])


async def hsm_of_no_issuance(_config: Config, _seconds: float) -> float:
    """Verifying asks the HSM for nothing."""
    return 0.0
