"""People's data under people's own keys: AES-256-GCM here, each key wrapped by every token and to the recovery key.

Erasing a person is deleting the rows of ``person_key``. Unwrapped keys stay in memory for a minute at most.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
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

    async def new_key(self, person_id: bytes) -> tuple[PersonKey, tuple[Insert, ...]]:
        """A fresh key, and the rows that keep it wrapped; commit the rows with what the key seals."""
        secret = self._entropy(KEY_BYTES)
        wrapped = await self._custodian.wrap(person_id, secret)
        return PersonKey(AESGCM(secret), self._entropy), _rows(person_id, wrapped)

    async def wrap_again(self, person_id: bytes, wrapped_keys: str, sealed: bytes) -> tuple[Insert, ...]:
        """Rows for the wrapping keys that were not there when the person was recorded, as far as they are there now.

        ``sealed`` are the person's details, which the key must open before it is wrapped: anybody can seal a key to
        the recovery key. Raises ``SealBroken``.
        """
        there = read_wrapped(wrapped_keys)
        if self._custodian.wrapping_keys <= there.keys():
            return ()
        secret = await self._custodian.unwrap(person_id, there)
        PersonKey(AESGCM(secret), self._entropy).unseal(sealed, place("person", "sealed", person_id))
        wrapped = await self._custodian.wrap(person_id, secret)
        return _rows(person_id, {key: value for key, value in wrapped.items() if key not in there})

    async def open(self, person_id: bytes, wrapped_keys: str) -> PersonKey:
        """The person's key, from memory if it was opened within the last minute.

        ``wrapped_keys`` are all its wrappings, as ``queries.wrapped_keys`` gives them.
        """
        kept = self._kept.get(person_id)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        key = PersonKey(AESGCM(await self._custodian.unwrap(person_id, read_wrapped(wrapped_keys))), self._entropy)
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


def read_wrapped(wrapped_keys: str) -> dict[bytes, bytes]:
    """Wrappings by id of the wrapping key, from ``id:wrapped,id:wrapped`` in hexadecimal.

    Raises ``SealBroken`` where there is none: whoever is erased has no other rows either.
    """
    if not wrapped_keys:
        raise SealBroken("A person has no key any more: its rows were deleted, and nothing else of the person.")
    pairs = (pair.split(":") for pair in wrapped_keys.split(","))
    return {bytes.fromhex(key): bytes.fromhex(wrapped) for key, wrapped in pairs}


def _rows(person_id: bytes, wrapped: Mapping[bytes, bytes]) -> tuple[Insert, ...]:
    rows = ({"person_id": person_id, "wrapping_key_id": key, "wrapped": value} for key, value in wrapped.items())
    return tuple(Insert(tables.person_key, row) for row in rows)


def place(table: str, column: str, row_id: bytes) -> bytes:
    """Where a sealed value belongs: bound to it as associated data."""
    return b"%s|%s|%s" % (table.encode(), column.encode(), row_id.hex().encode())
