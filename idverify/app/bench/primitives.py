"""What the operations cost that no verification and no issuance can do without: ``cryptography`` and the raw HSM."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hsm import Algorithm
from hsm.bench import raw_cpu
from hsm.cost import cpu_of
from idverify.app.tokens import token_config
from idverify.config import Config
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.services.establish import WRAPPING_ROLE
from idverify.stores.sqlite import connect

_SIGNED: Final = bytes(1024)
_DETAILS, _ANSWER = bytes(256), bytes(4096)
_RAW: Final = {IMMIGRATION_STATUS.key_role: Algorithm.ES256, WRAPPING_ROLE: Algorithm.A256KWP}


async def verify(signatures: int, seconds: float) -> float:
    """CPU seconds of so many ECDSA verifications."""
    return signatures * cpu_of(_verification(), seconds)


async def issue(config: Config, seconds: float) -> float:
    """CPU seconds of one key proof, one signature verified and one unwrapping by the HSM, and four seals."""
    cost = cpu_of(_verification(), seconds) + cpu_of(_seals(), seconds)
    with closing(connect(config.database, read_only=True)) as database:
        keys = {row["role"]: row["key_id"] for row in database.execute("SELECT role, key_id FROM signing_key")}
    for role, algorithm in _RAW.items():
        cost += await raw_cpu(token_config(config.online), algorithm, keys[role], seconds)
    return cost


def _verification() -> Callable[[], object]:
    key, given = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    signature, public = key.sign(_SIGNED, given), key.public_key()
    return lambda: public.verify(signature, _SIGNED, given)


def _seals() -> Callable[[], object]:
    """Details and permission opened; the ledger entry's opening and the answer sealed."""
    key, nonce = AESGCM(AESGCM.generate_key(256)), bytes(12)
    sealed = key.encrypt(nonce, _DETAILS, None)

    def four() -> None:
        key.decrypt(nonce, sealed, None)
        key.decrypt(nonce, sealed, None)
        key.encrypt(nonce, _DETAILS, None)
        key.encrypt(nonce, _ANSWER, None)

    return four
