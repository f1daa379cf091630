"""People's data under people's own keys: AES-256-GCM here, each key wrapped by the HSM.

Erasing a person is deleting the rows of ``person_key``. Unwrapped keys stay in memory for a minute at most.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from idverify.errors import IdverifyError
from idverify.ports import Custodian, Entropy
from idverify.stores import tables
from idverify.stores.writes import Insert

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
KEPT_SECONDS: Final = 60.0
KEPT_KEYS: Final = 10_000


class SealBroken(IdverifyError):
    """A sealed value does not open: the row was changed, or moved to another place."""

    slug, title = "seal-broken", "A stored value was changed"


@dataclass(frozen=True, slots=True)
class PersonKey:
    """One person's key. ``place`` names table, column and row, so that a sealed value cannot be moved."""

    _aead: AESGCM
    _entropy: Entropy

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """``nonce || ciphertext || tag``."""
        nonce = self._entropy(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, place)

    def unseal(self, sealed: bytes, place: bytes) -> bytes:
        """What was sealed at this place. Raises ``SealBroken``."""
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except (InvalidTag, ValueError) as broken:  # ValueError: too short to hold a nonce
            raise SealBroken(f"The value at {place!r} does not open under its person's key.") from broken


class Vault:
    """Makes and opens people's keys."""

    def __init__(self, custodian: Custodian, entropy: Entropy) -> None:
        self._custodian, self._entropy = custodian, entropy
        self._kept: OrderedDict[bytes, tuple[float, PersonKey]] = OrderedDict()

    async def new_key(self, person_id: bytes) -> tuple[PersonKey, Insert]:
        """A fresh key, and the row that keeps it wrapped; commit the row with what the key seals."""
        secret = self._entropy(KEY_BYTES)
        wrapped = await self._custodian.wrap(secret)
        row = {"person_id": person_id, "wrapping_key_id": self._custodian.wrapping_key_id, "wrapped": wrapped}
        return PersonKey(AESGCM(secret), self._entropy), Insert(tables.person_key, row)

    async def open(self, person_id: bytes, wrapping_key_id: bytes, wrapped: bytes) -> PersonKey:
        """The person's key, from memory if it was opened within the last minute."""
        kept = self._kept.get(person_id)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        key = PersonKey(AESGCM(await self._custodian.unwrap(wrapping_key_id, wrapped)), self._entropy)
        self._kept[person_id] = (time.monotonic() + KEPT_SECONDS, key)
        self._kept.move_to_end(person_id)
        while len(self._kept) > KEPT_KEYS:
            self._kept.popitem(last=False)
        return key

    def forget(self, person_id: bytes) -> None:
        """Drop this person's key from memory: they were erased."""
        self._kept.pop(person_id, None)

    def sweep(self) -> None:
        """Forget keys whose minute is over."""
        now = time.monotonic()
        while self._kept and next(iter(self._kept.values()))[0] <= now:
            self._kept.popitem(last=False)


def place(table: str, column: str, row_id: bytes) -> bytes:
    """Where a sealed value belongs: bound to it as associated data."""
    return b"%s|%s|%s" % (table.encode(), column.encode(), row_id.hex().encode())
