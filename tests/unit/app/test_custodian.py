"""A recovery: what is sealed to the recovery key is believed where no token knows better, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)

from hsm import HsmDecryptFailed, HsmUnavailable, TokenSet
from hsm.recovery import make, recover
from idverify.app.tokens import HsmCustodian, TokenKeys
from idverify.errors import Unavailable
from idverify.services.establish import LOOKUP_ROLE, WRAPPING_ROLE
from idverify.stores.vault import SealBroken

NAME, SECRET = b"p" * 16, os.urandom(32)
KEYS = [
    {"role": role, "token": "one", "key_id": key, "certificate": None}
    for role, key in ((WRAPPING_ROLE, b"wrapping"), (LOOKUP_ROLE, b"lookup"))
]


class OneToken(TokenSet):
    """A token in memory, whose wrapping key wraps and unwraps unless it is ``away``."""

    pending = 0

    def __init__(self) -> None:
        self.away, self._key = False, os.urandom(32)

    def __getitem__(self, name: str) -> Any:
        return self

    def serves(self, name: str) -> bool:
        """Unless it is away."""
        return name == "one" and not self.away

    async def wrap(self, _key: bytes, secret: bytes, **_: object) -> bytes:
        """RFC 5649."""
        return aes_key_wrap_with_padding(self._key, secret)

    async def unwrap(self, _key: bytes, wrapped: bytes, **_: object) -> bytes:
        """RFC 5649."""
        if self.away:
            raise HsmUnavailable("Expected the token, got none.")
        try:
            return aes_key_unwrap_with_padding(self._key, wrapped)
        except InvalidUnwrap:
            raise HsmDecryptFailed("Expected a wrapped key, got none.") from None


async def _kept() -> Mapping[bytes, bytes]:
    return {}


class Place:
    """A custodian in everyday use, one in a recovery, and a person's key as the first wrapped it."""

    def __init__(self) -> None:
        self.token = OneToken()
        self.recovery, shares = make(2, 3)
        self.everyday = HsmCustodian(self.token, TokenKeys(KEYS), self.recovery, _kept)
        self.recovering = HsmCustodian(self.token, TokenKeys(KEYS), self.recovery, _kept, recover(shares))

    async def wrapped(self) -> dict[bytes, bytes]:
        """By the token and to the recovery key."""
        return dict(await self.everyday.wrap(NAME, SECRET))


@pytest.fixture
def place() -> Place:
    """One for each test."""
    return Place()


async def test_either_way_opens(place: Place) -> None:
    """With the token, with the shares and the token, and with the shares alone; without either nothing does."""
    wrapped = await place.wrapped()
    assert place.everyday.recovery_key == place.recovery.id
    assert await place.everyday.unwrap(NAME, wrapped) == SECRET
    assert await place.recovering.unwrap(NAME, wrapped) == SECRET
    place.token.away = True
    assert await place.recovering.unwrap(NAME, wrapped) == SECRET
    with pytest.raises(Unavailable):
        await place.everyday.unwrap(NAME, wrapped)


async def test_what_anybody_sealed_does_not_outdo_a_token(place: Place) -> None:
    """Whoever writes rows can seal a key of theirs to the public half; a token that has the true one contradicts."""
    wrapped = await place.wrapped()
    wrapped[place.recovery.id] = place.recovery.seal(os.urandom(32), NAME)
    assert await place.everyday.unwrap(NAME, wrapped) == SECRET
    with pytest.raises(SealBroken, match=NAME.hex()):
        await place.recovering.unwrap(NAME, wrapped)


@pytest.mark.parametrize("changed", ["of the token", "to the recovery key"])
async def test_a_changed_wrapping_is_said_as_such(place: Place, changed: str) -> None:
    """In a recovery, too, so that the walk can name the person and go on."""
    wrapped = await place.wrapped()
    wrapped[b"wrapping" if changed == "of the token" else place.recovery.id] = bytes(40)
    with pytest.raises(SealBroken):
        await place.recovering.unwrap(NAME, wrapped)
