"""People's keys: what is sealed opens under its own key, at its own place, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding, aes_key_wrap_with_padding

from idverify.stores import tables, vault
from idverify.stores.vault import KEPT_SECONDS, PersonKey, SealBroken, Vault, place
from idverify.stores.writes import Insert

PERSON, OTHER = b"p" * 16, b"o" * 16
HERE = place("person", "sealed", PERSON)


class SoftwareCustodian:
    """Wraps with a key in memory; counts how often it was asked to unwrap."""

    recovery_key: bytes | None = None
    wrapping_keys = frozenset({b"wrapping"})
    lookup_keys = frozenset({b"lookup"})

    def __init__(self) -> None:
        self.unwrapped = 0
        self._key = os.urandom(32)

    async def wrap(self, name: bytes, secret: bytes) -> Mapping[bytes, bytes]:
        """RFC 5649."""
        assert name in (PERSON, OTHER) or name.isdigit()
        return {key: aes_key_wrap_with_padding(self._key, secret) for key in self.wrapping_keys}

    async def unwrap(self, name: bytes, wrapped: Mapping[bytes, bytes]) -> bytes:
        """RFC 5649."""
        del name
        self.unwrapped += 1
        return aes_key_unwrap_with_padding(self._key, wrapped[b"wrapping"])

    async def blind(self, value: bytes) -> Mapping[bytes, bytes]:
        """Not asked for by the vault."""
        raise AssertionError(value)

    async def secret(self) -> bytes:
        """Nor this."""
        raise AssertionError


def wrapped_keys(rows: Iterable[Insert]) -> str:
    """As ``queries`` give the rows."""
    return ",".join(f"{row.row['wrapping_key_id'].hex()}:{row.row['wrapped'].hex()}" for row in rows)


class Shelf:
    """A vault whose minute can be let pass, and the wrapped keys of people."""

    def __init__(self) -> None:
        self.custodian = SoftwareCustodian()
        self.vault = Vault(self.custodian, os.urandom)
        self.wrapped: dict[bytes, str] = {}
        self.now = 1000.0

    async def add(self, person: bytes) -> PersonKey:
        """A new person's key."""
        key, rows = await self.vault.new_key(person)
        self.wrapped[person] = wrapped_keys(rows)
        return key

    async def open(self, person: bytes) -> PersonKey:
        """A person's key, as a service opens it."""
        return await self.vault.open(person, self.wrapped[person])


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An empty vault, on a clock of its own."""
    made = Shelf()
    monkeypatch.setattr(vault, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


async def test_what_was_sealed_opens(shelf: Shelf) -> None:
    """Under the key as it was made, and as it is unwrapped later."""
    sealed = (await shelf.add(PERSON)).seal(b"Anna", HERE)

    assert b"Anna" not in sealed
    assert (await shelf.open(PERSON)).unseal(sealed, HERE) == b"Anna"


async def test_the_key_row_holds_the_key_wrapped(shelf: Shelf) -> None:
    """The row belongs to the person and names the wrapping key; 32 bytes become 40 (RFC 5649)."""
    _, (insert,) = await shelf.vault.new_key(PERSON)

    assert insert.table is tables.person_key
    assert insert.row["person_id"] == PERSON
    assert insert.row["wrapping_key_id"] == b"wrapping"
    assert len(insert.row["wrapped"]) == 40


async def test_two_seals_of_one_value_differ(shelf: Shelf) -> None:
    """Each has a nonce of its own: equal values cannot be told from the rows."""
    key = await shelf.add(PERSON)

    assert key.seal(b"Anna", HERE) != key.seal(b"Anna", HERE)


@pytest.mark.parametrize(
    "elsewhere",
    [place("person", "sealed", OTHER), place("person", "other", PERSON), place("decision", "sealed", PERSON), b""],
    ids=["another row", "another column", "another table", "nowhere"],
)
async def test_a_value_moved_elsewhere_is_refused(shelf: Shelf, elsewhere: bytes) -> None:
    """A sealed value is bound to table, column and row."""
    key = await shelf.add(PERSON)
    sealed = key.seal(b"Anna", HERE)
    with pytest.raises(SealBroken, match="does not open"):
        key.unseal(sealed, elsewhere)


async def test_another_persons_key_is_refused(shelf: Shelf) -> None:
    """Nobody's value opens under somebody else's key."""
    sealed = (await shelf.add(PERSON)).seal(b"Anna", HERE)
    with pytest.raises(SealBroken):
        (await shelf.add(OTHER)).unseal(sealed, HERE)


async def test_any_changed_byte_is_noticed(shelf: Shelf) -> None:
    """Of nonce, text and tag alike."""
    key = await shelf.add(PERSON)
    sealed = key.seal(b"Anna", HERE)
    for at in range(len(sealed)):
        with pytest.raises(SealBroken):
            key.unseal(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], HERE)


async def test_any_shortened_value_is_noticed(shelf: Shelf) -> None:
    """Down to nothing at all."""
    key = await shelf.add(PERSON)
    sealed = key.seal(b"Anna", HERE)
    for size in range(len(sealed)):
        with pytest.raises(SealBroken):
            key.unseal(sealed[:size], HERE)


async def test_a_key_is_unwrapped_once_a_minute(shelf: Shelf) -> None:
    """Within the minute it comes from memory; after it the HSM is asked again."""
    await shelf.add(PERSON)
    await shelf.open(PERSON)
    shelf.now += KEPT_SECONDS - 1
    await shelf.open(PERSON)
    assert shelf.custodian.unwrapped == 1

    shelf.now += 2
    await shelf.open(PERSON)
    assert shelf.custodian.unwrapped == 2


async def test_the_sweep_forgets_what_is_over_and_nothing_else(shelf: Shelf) -> None:
    """A key that nobody asks for again does not stay in memory; one whose minute is not over does."""
    for person in (PERSON, OTHER):
        await shelf.add(person)
        await shelf.open(person)
        shelf.now += 40
    shelf.vault.sweep()

    assert set(shelf.vault._kept) == {OTHER}


async def test_a_key_opened_anew_is_swept_by_its_new_time(shelf: Shelf) -> None:
    """Opened again after its minute, a key is the youngest: the sweep stops at no older one before it."""
    for person in (PERSON, OTHER):
        await shelf.add(person)
        await shelf.open(person)
    shelf.now += KEPT_SECONDS + 1
    await shelf.open(PERSON)
    shelf.vault.sweep()

    assert set(shelf.vault._kept) == {PERSON}


async def test_memory_is_bounded(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest keys go first when there are more than are kept."""
    monkeypatch.setattr(vault, "KEPT_KEYS", 3)
    people = [b"%016d" % number for number in range(5)]
    for person in people:
        await shelf.add(person)
        await shelf.open(person)

    assert set(shelf.vault._kept) == set(people[2:])


async def test_a_key_is_wrapped_again_for_a_token_that_came_later(shelf: Shelf) -> None:
    """Only for the wrapping keys that it is not wrapped under yet; what was sealed opens by either."""
    sealed = (await shelf.add(PERSON)).seal(b"Anna", HERE)
    assert await shelf.vault.wrap_again(PERSON, shelf.wrapped[PERSON], sealed) == ()

    shelf.custodian.wrapping_keys |= {b"second"}
    rows = await shelf.vault.wrap_again(PERSON, shelf.wrapped[PERSON], sealed)
    assert [(row.row["person_id"], row.row["wrapping_key_id"]) for row in rows] == [(PERSON, b"second")]
    both = f"{shelf.wrapped[PERSON]},{wrapped_keys(rows)}"
    assert await shelf.vault.wrap_again(PERSON, both, sealed) == ()
    assert (await Vault(shelf.custodian, os.urandom).open(PERSON, both)).unseal(sealed, HERE) == b"Anna"


async def test_a_key_that_opens_nothing_of_the_person_is_wrapped_for_nobody(shelf: Shelf) -> None:
    """Whoever can write rows, and not use a token, can put a key of theirs where the recovery key's wrapping was."""
    await shelf.add(PERSON)
    of_another = (await shelf.add(OTHER)).seal(b"Anna", HERE)
    shelf.custodian.wrapping_keys |= {b"second"}
    with pytest.raises(SealBroken):
        await shelf.vault.wrap_again(PERSON, shelf.wrapped[PERSON], of_another)


async def test_a_person_whose_key_rows_are_gone(shelf: Shelf) -> None:
    """It is said as what it is, and opens nothing."""
    with pytest.raises(SealBroken, match="no key any more"):
        await shelf.vault.open(PERSON, "")
