"""Keys on a token by their labels: found there, or generated."""

from __future__ import annotations

from collections.abc import Mapping

from hsm import Algorithm, Hsm, HsmPolicy, KeyInfo
from idverify.app.tokens import mapped
from idverify.services.establish import TokenKey


async def keys_on(hsm: Hsm, token: str, wanted: Mapping[str, Algorithm]) -> tuple[TokenKey, ...]:
    """The keys of these labels, which are their roles; what is not on the token yet is generated there.

    A key whose generation was cut off half way has no id, and counts as none.
    """
    there = {key.label: key for key in await mapped(hsm.inventory) if key.id and key.born_here}
    keys = []
    for role, algorithm in wanted.items():
        info = there.get(role) or await _generated(hsm, algorithm, role)
        keys.append(TokenKey(role, token, info.id, info.algorithm.value, info.public_key))
    return tuple(keys)


async def _generated(hsm: Hsm, algorithm: Algorithm, role: str) -> KeyInfo:
    """A new key; for checkpoints one of ECDSA where the token cannot make one of EdDSA (docs/ledger-format.md)."""
    try:
        return await hsm.generate(algorithm, role)
    except HsmPolicy:  # the token does not know the mechanism
        if algorithm is not Algorithm.EDDSA:
            raise
        return await hsm.generate(Algorithm.ES256, role)
