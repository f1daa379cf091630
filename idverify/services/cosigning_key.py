"""The log's post-quantum key: made here, because tokens do not make such keys yet, and sealed by the token at once."""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from idverify.ledger.cosigner import SEED_SIZE
from idverify.ports import Entropy, Sealer
from idverify.services.establish import TokenKey
from idverify.services.log_keys import CHECKPOINT_COSIGNER, SOFTWARE

ALGORITHM: Final = "ML-DSA-44"
KEY_ID_BYTES: Final = 8


async def make_cosigning_key(sealer: Sealer, entropy: Entropy) -> TokenKey:
    """A fresh ML-DSA-44 key (FIPS 204) as a row to keep; its seed is nowhere else."""
    seed = entropy(SEED_SIZE)
    public = MLDSA44PrivateKey.from_seed_bytes(seed).public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key_id = hashlib.sha256(spki).digest()[:KEY_ID_BYTES]
    return TokenKey(CHECKPOINT_COSIGNER, SOFTWARE, key_id, ALGORITHM, spki, await sealer.seal(seed))
