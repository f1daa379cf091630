"""The log's post-quantum key: made beside the token, as tokens do not make such keys yet, and sealed by it at once."""

from __future__ import annotations

import hashlib
from typing import Final

from idverify.ports import Sealer
from idverify.services.establish import TokenKey
from idverify.services.log_keys import CHECKPOINT_COSIGNER

ALGORITHM: Final = "ML-DSA-44"
KEY_ID_BYTES: Final = 8


async def make_cosigning_key(sealer: Sealer, token: str) -> TokenKey:
    """A fresh ML-DSA-44 key (FIPS 204) as a row to keep, sealed by this token; its seed is nowhere else."""
    spki, sealed = await sealer.make_sealed()
    key_id = hashlib.sha256(spki).digest()[:KEY_ID_BYTES]
    return TokenKey(CHECKPOINT_COSIGNER, token, key_id, ALGORITHM, spki, sealed)
