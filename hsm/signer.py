"""The key of the token that signs its inventories and transcripts, and nothing else.

Its public half is an object that many tokens let anybody exchange who reaches the module, PIN or not. So it is
believed only once its private half, which stays behind the PIN, has signed something fresh that it verifies.
"""

import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from hsm.errors import HsmInventoryRefused
from hsm.keys import Algorithm, KeyInfo
from hsm.verify import key_id, verify_signature

SIGNER_LABEL: Final = "inventory"
_PROOF: Final = b"hsm-key-pair/1\n"
"""What goes before the challenge, so that no proof is a signature over a document."""


def signer_among(keys: Iterable[KeyInfo]) -> KeyInfo | None:
    """The key that signs the inventory, None when the token has none; `HsmInventoryRefused` when it has more.

    One that was not born in the token is no such key: somebody else may sign with it.
    """
    found = [key for key in keys if key.label == SIGNER_LABEL and key.id]
    if not found:
        return None
    (first, *others) = found
    if others or not first.born_here or first.algorithm is not Algorithm.ES256:
        raise HsmInventoryRefused(
            f"Expected one ES256 key labelled {SIGNER_LABEL!r} that was born in the token, got {len(found)} of that "
            "label. Find out who made the others, and remove them with the vendor's tool."
        )
    if first.public_key is None or key_id(first.public_key) != first.id:
        got = "none" if first.public_key is None else "that of another key"
        raise HsmInventoryRefused(
            f"Expected the public half of the key {SIGNER_LABEL!r}, got {got}. Somebody changed the token: restore it "
            "from a backup, and find out who."
        )
    return first


async def proven_signer(
    keys: Iterable[KeyInfo], sign: Callable[[bytes, bytes], Awaitable[bytes]]
) -> tuple[KeyInfo, bytes]:
    """The token's inventory key and its SubjectPublicKeyInfo, proven by a signature of `sign(key id, message)`.

    Raises `HsmInventoryRefused` when there is none, `HsmUnavailable` when the halves do not belong together.
    """
    signer = signer_among(keys)
    if signer is None or signer.public_key is None:
        raise HsmInventoryRefused(
            "Expected a token with an inventory key, got one without. Bring the token that the inventory is of, or "
            "name this one's own file with --inventory, or run `python -m hsm inventory --start` for it."
        )
    await require_pair(signer, sign)
    return signer, signer.public_key


async def require_pair(key: KeyInfo, sign: Callable[[bytes, bytes], Awaitable[bytes]]) -> None:
    """Raise `HsmUnavailable` or `HsmKeyRefused` unless the private half signs what the public half verifies.

    Before a public half is believed that the token shows: entered in an inventory, or certified.
    """
    if key.public_key is not None:
        challenge = _PROOF + os.urandom(32)
        verify_signature(key.public_key, challenge, await sign(key.id, challenge))
