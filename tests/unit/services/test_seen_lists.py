"""How new lists were stands in the database: two processes know the same, and it never gets older."""

from __future__ import annotations

import pytest

from idverify.errors import Unavailable
from idverify.services.seen_lists import StoredSeenLists
from idverify.stores.open import Location, open_store
from idverify.stores.schema import upgrade
from tests.simulators.software_office import StandingClock

URI = "https://other.example/status/1"


async def test_the_newest_stays(location: Location) -> None:
    """Across processes and restarts; what is older, or as old, changes nothing."""
    upgrade(location)
    clock = StandingClock()
    async with open_store(location, clock) as one, open_store(location, clock) as other:
        first, second = StoredSeenLists(one), StoredSeenLists(other)
        assert await first.newest(URI) is None
        await first.remember(URI, (100, 2))
        await second.remember(URI, (100, 1))
        assert await second.newest(URI) == (100, 2)
        await second.remember(URI, (101, 0))
        assert await first.newest(URI) == (101, 0)
    async with open_store(location, clock) as again:
        assert await StoredSeenLists(again).newest(URI) == (101, 0)


async def test_a_database_that_takes_no_write_stops_nobody(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is used all the same, and this process at least remembers it."""
    upgrade(location)
    async with open_store(location, StandingClock()) as store:

        async def away(_: object) -> None:
            raise Unavailable("It is read-only.")

        monkeypatch.setattr(store, "write", away)
        await StoredSeenLists(store).remember(URI, (100, 2))
        assert await StoredSeenLists(store).newest(URI) is None
