"""Keys on a token by their labels: found there, or generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hsm import Algorithm, Hsm, HsmError, HsmPolicy, KeyInfo
from hsm.signer import require_pair
from idverify.app.tokens import at_start, mapped
from idverify.errors import SetupError
from idverify.services.establish import TokenKey


async def keys_on(hsm: Hsm, token: str, wanted: Mapping[str, Algorithm]) -> tuple[TokenKey, ...]:
    """The keys of these labels, which are their roles; what is not on the token yet is generated there.

    A key whose generation was cut off half way has no id, and counts as none. Raises ``SetupError`` for two of a label,
    and for one that is of another algorithm.
    """
    there = [key for key in await mapped(hsm.inventory) if key.id and key.born_here and key.label in wanted]
    keys = []
    for role, algorithm in wanted.items():
        info = _only([key for key in there if key.label == role], token, role, algorithm)
        if info is None:
            info = await _generated(hsm, algorithm, role)
        else:
            await _proven(hsm, info)
        keys.append(TokenKey(role, token, info.id, info.algorithm.value, info.public_key))
    return tuple(keys)


def _only(found: Sequence[KeyInfo], token: str, role: str, algorithm: Algorithm) -> KeyInfo | None:
    """The one key of a label, None where there is none."""
    if len(found) > 1 or any(key.algorithm not in _instead_of(algorithm) for key in found):
        got = ", ".join(f"{key.id.hex()} ({key.algorithm})" for key in found)
        raise SetupError(
            f"The token {token} should have one {algorithm} key labelled {role!r}, but has {got}.",
            "Find out who made the others, remove them with the vendor's tool, then start again.",
        )
    return found[0] if found else None


def _instead_of(algorithm: Algorithm) -> tuple[Algorithm, ...]:
    """What a token may have made where it was asked for this one (``_generated``)."""
    return (algorithm, Algorithm.ES256) if algorithm is Algorithm.EDDSA else (algorithm,)


async def _proven(hsm: Hsm, info: KeyInfo) -> None:
    """Its public half is certified next, and anybody who reaches the module may have exchanged that."""
    try:
        await require_pair(info, hsm.sign)
    except HsmError as error:
        raise at_start(error) from error


async def _generated(hsm: Hsm, algorithm: Algorithm, role: str) -> KeyInfo:
    """A new key; for checkpoints one of ECDSA where the token cannot make one of EdDSA (docs/ledger-format.md)."""
    try:
        return await hsm.generate(algorithm, role)
    except HsmPolicy:  # the token does not know the mechanism
        if algorithm is not Algorithm.EDDSA:
            raise
        return await hsm.generate(Algorithm.ES256, role)
