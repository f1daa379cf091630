"""People come to tokens that were not there when they were recorded, once each, and nobody who was erased does."""

from __future__ import annotations

import hmac
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding, aes_key_wrap_with_padding
from sqlalchemy import select

from idverify.errors import TokenAway, Unavailable
from idverify.services.wrap_again import Wrapped, wrap_again
from idverify.stores import tables
from idverify.stores.vault import Vault
from tests.simulators.databases import changed
from tests.simulators.service import DETAILS
from tests.simulators.software_office import SoftwareOffice, software_office

PASSPORT = {"type": "P", "number": "AB1234567", "issuing_state": "UTO", "expiry": "2031-01-01"}


class TwoTokens:
    """``ports.Custodian`` over two tokens in memory beside the office's own; ``away`` are those that are."""

    def __init__(self, first: SoftwareOffice) -> None:
        self._first, self.away = first.token, set[bytes]()
        self._secret = os.urandom(32)
        self.recovery_key: bytes | None = None
        self.wrapping_keys = self._first.wrapping_keys | {b"second"}
        self.lookup_keys = self._first.lookup_keys | {b"second"}

    async def wrap(self, name: bytes, secret: bytes) -> Mapping[bytes, bytes]:
        """By those that are there."""
        by_first = {} if b"first" in self.away else await self._first.wrap(name, secret)
        by_second = {} if b"second" in self.away else {b"second": aes_key_wrap_with_padding(self._secret, secret)}
        return self._some({**by_first, **by_second})

    async def unwrap(self, name: bytes, wrapped: Mapping[bytes, bytes]) -> bytes:
        """By either."""
        if b"second" in wrapped and b"second" not in self.away:
            return aes_key_unwrap_with_padding(self._secret, wrapped[b"second"])
        if b"first" in self.away:
            raise TokenAway("Both are away.")
        return await self._first.unwrap(name, wrapped)

    async def blind(self, value: bytes) -> Mapping[bytes, bytes]:
        """By those that are there."""
        by_first = {} if b"first" in self.away else await self._first.blind(value)
        by_second = {} if b"second" in self.away else {b"second": hmac.digest(self._secret, value, "sha256")}
        return self._some({**by_first, **by_second})

    async def secret(self) -> bytes:
        """The first one's."""
        return await self._first.secret()

    def _some(self, made: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
        if not made:
            raise TokenAway("Both are away.")
        return made


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[SoftwareOffice]:
    """An office with one token."""
    async with software_office(tmp_path) as made:
        yield made


async def _recorded(served: SoftwareOffice, number: str) -> str:
    details = {"details": DETAILS | {"travel_document": PASSPORT | {"number": number}}}
    return str((await served.api.ok("POST", "/api/v1/people", "officer", details))["person"])


async def _keys(served: SoftwareOffice) -> list[bytes]:
    return sorted(row["wrapping_key_id"] for row in await served.office.store.fetch(select(tables.person_key), {}))


async def test_a_second_token_gets_everybody_once(served: SoftwareOffice) -> None:
    """Keys and look-ups; the second run does nothing, and either token alone opens and finds."""
    for number in ("ONE000001", "TWO000002"):
        await _recorded(served, number)
    await served.api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS})
    two, store = TwoTokens(served), served.office.store
    vault = Vault(two, os.urandom)
    assert await wrap_again(store, vault, two) == Wrapped(3, 2, 0)
    assert await wrap_again(store, vault, two) == Wrapped(0, 0, 0)
    assert await _keys(served) == [b"second"] * 3 + [b"wrapping"] * 3
    secrets = await store.fetch(select(tables.deployment_secret), {})
    kept = {row["wrapping_key_id"]: row["wrapped"] for row in secrets}
    two.away = {b"first"}
    assert await two.unwrap(b"deployment", kept) == await served.token.secret()
    lookups = await store.fetch(select(tables.person_lookup), {})
    assert sorted(row["lookup_key_id"] for row in lookups) == [b"lookup.."] * 2 + [b"second"] * 2


async def test_a_token_that_is_away_is_left_for_later(served: SoftwareOffice) -> None:
    """Nothing is asked of it, nothing is lost; when it is back, it gets what it missed. With none there, it is said."""
    await _recorded(served, "ONE000001")
    two = TwoTokens(served)
    vault = Vault(two, os.urandom)
    two.away = {b"second"}
    assert await wrap_again(served.office.store, vault, two) == Wrapped(0, 0, 0)
    two.away = {b"first", b"second"}
    with pytest.raises(Unavailable):
        await wrap_again(served.office.store, vault, two)
    two.away = set()
    assert await wrap_again(served.office.store, vault, two) == Wrapped(1, 1, 0)


async def test_one_altered_row_holds_up_nobody_else(served: SoftwareOffice, tmp_path: Path) -> None:
    """Whose key does not open is named and left as it was; everybody else is brought along, before and behind."""
    for number in ("ONE000001", "TWO000002", "THREE0003"):
        await _recorded(served, number)
    store, two = served.office.store, TwoTokens(served)
    first, second, _ = [row["id"] for row in await store.fetch(select(tables.person.c.id).order_by("id"), {})]
    database = tmp_path / "idverify.sqlite"
    assert changed(database, "UPDATE person_key SET wrapped = zeroblob(40) WHERE person_id = :id", {"id": first}) == 1
    assert changed(database, "DELETE FROM person_key WHERE person_id = :id", {"id": second}) == 1
    assert await wrap_again(store, Vault(two, os.urandom), two) == Wrapped(1, 1, 0, frozenset({first, second}))
    assert await _keys(served) == [b"second", b"wrapping", b"wrapping"]
