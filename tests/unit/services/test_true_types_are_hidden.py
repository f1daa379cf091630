"""Whoever reads the log cannot tell rare types from common ones; a log that leaks is told apart by the same guesser."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from idverify.ledger.commitment import Record, commitment
from idverify.ledger.entry import EntryType
from idverify.services.people import about
from idverify.services.records import About, entry
from idverify.stores import queries
from idverify.stores.writes import Recorded, WriteSet
from tests.simulators.acts import Mark, every_act
from tests.simulators.classifier import Example, Score, guessing, seen
from tests.simulators.software_office import SoftwareOffice, software_office

pytestmark = pytest.mark.asyncio(loop_scope="module")

EACH = 2000  # entries of each true type
CHANCE = random.SystemRandom()
ADMINISTRATION, STATUS, KEY = EntryType.ADMINISTRATION, EntryType.STATUS, EntryType.KEY
ACT = (ADMINISTRATION, ADMINISTRATION)
# Public form of an act, and the place in it whose true type is guessed
GUESSED = {
    "deeds that change no copy": (ACT, 0),
    "deeds that change copies": ((*ACT, STATUS), 0),
    "changes of status": ((*ACT, STATUS), 2),
    "bound and removed keys": ((*ACT, KEY), 2),
}
Encoder = Callable[[str, SoftwareOffice, About | None], Recorded]


@dataclass(frozen=True)
class Town:
    """An office, the marks that its acts leave, and a person to make entries about."""

    served: SoftwareOffice
    marks: list[Mark]
    about: About

    def forms(self, form: tuple[EntryType, ...], place: int) -> dict[str, list[Mark]]:
        """Marks of a public form by the true type at a place in it."""
        found = defaultdict(list)
        for mark in self.marks:
            if mark.public == form:
                found[mark.types[place]].append(mark)
        return found

    async def recorded(self, marks: Sequence[Mark], encode: Encoder) -> list[tuple[int, Mark]]:
        """Carry acts of these marks out in any order, several at a time and some time apart; (first index, mark)."""
        waiting, placed = CHANCE.sample(marks, len(marks)), list[tuple[int, Mark]]()
        while waiting:
            now = [waiting.pop() for _ in range(min(len(waiting), CHANCE.randint(1, 16)))]
            done = await asyncio.gather(*(self._commit(mark, encode) for mark in now))
            placed += [(index, mark) for (index, *_), mark in zip(done, now, strict=True)]
            self.served.clock.advance(CHANCE.choice((0, 20, 60, 150)))
        return placed

    async def _commit(self, mark: Mark, encode: Encoder) -> tuple[int, ...]:
        whom = CHANCE.choice((None, self.about))
        entries = tuple(encode(kind, self.served, whom) for kind in _with_more_copies(mark))
        return await self.served.office.store.commit(WriteSet((), entries))

    async def entries(self) -> list[bytes]:
        """All that the public sees."""
        sql = "SELECT entries FROM ledger_bundle ORDER BY shard, first_index"
        rows = await self.served.office.store.read(lambda connection: connection.fetch(sql))
        return [row[0][at + 2 : at + 104] for row in rows for at in range(0, len(row[0]), 104)]


def _with_more_copies(mark: Mark) -> list[str]:
    """As many copies change as somebody happens to hold, whatever was decided."""
    return [*mark.types, *mark.types[2:] * CHANCE.choice((0, 0, 1))] if STATUS in mark.public else list(mark.types)


def honest(kind: str, served: SoftwareOffice, whom: About | None) -> Recorded:
    """An entry as services make it."""
    status, reason = ("https://id.example/status/1", 77), "under-review"
    record = Record(kind, CHANCE.randbytes(32), CHANCE.randbytes(8), status, reason, CHANCE.randbytes(16))
    return entry(record, served.office.entropy, whom)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """An office that did every act once."""
    folder: Path = tmp_path_factory.mktemp("office")
    async with software_office(folder) as served:
        marks = await every_act(served)
        handle = bytes.fromhex(await served.api.person_with_status())
        row = await served.office.store.fetch_one(queries.PERSON_BY_HANDLE, {"handle": handle})
        assert row is not None
        whom = await about(served.office, row["id"])
        assert whom is not None
        yield Town(served, marks, whom)


async def _guessed(town: Town, marks: dict[str, list[Mark]], place: int, encode: Encoder, each: int) -> Score:
    wanted = [CHANCE.choice(of_type) for of_type in marks.values() for _ in range(each)]
    placed = await town.recorded(wanted, encode)
    entries = await town.entries()
    examples: list[Example] = [
        (mark.types[place], seen(entries, index + place % len(mark.types))) for index, mark in placed
    ]
    return guessing(examples)


@pytest.mark.parametrize("name", GUESSED)
async def test_true_types_cannot_be_told_apart(town: Town, name: str) -> None:
    """Among all types that a public form may have, guessing is no better than chance."""
    form, place = GUESSED[name]
    marks = town.forms(form, place)
    assert len(marks) >= 2

    score = await _guessed(town, marks, place, honest, EACH)

    assert score.types == len(marks)
    assert score.accuracy < score.bound, score


def tells_by_a_byte(kind: str, served: SoftwareOffice, whom: About | None) -> Recorded:
    """One bit of the handle depends on the type."""
    made = honest(kind, served, whom)
    handle = bytes([made.draft.handle[0] & 0xFE | ("revoke" in kind)]) + made.draft.handle[1:]
    return replace(made, draft=replace(made.draft, handle=handle))


def without_salt(kind: str, served: SoftwareOffice, whom: About | None) -> Recorded:
    """The digest of a type is always the same."""
    made = honest(kind, served, whom)
    digest = commitment(bytes(32), Record(kind, bytes(32)))
    return replace(made, draft=replace(made.draft, digest=digest))


@pytest.mark.parametrize("encode", [tells_by_a_byte, without_salt])
async def test_the_guesser_finds_what_an_entry_tells(town: Town, encode: Encoder) -> None:
    """The same guesser, over the same acts, is right where the encoding of an entry leaks its type."""
    form, place = GUESSED["deeds that change copies"]

    score = await _guessed(town, town.forms(form, place), place, encode, 400)

    assert score.accuracy > score.bound, score


async def test_the_guesser_finds_what_neighbours_tell(town: Town) -> None:
    """It is right, too, where one act leaves an entry less than the other, as removing a key did before covers."""
    marks = town.forms(*GUESSED["bound and removed keys"])
    shorter = [replace(mark, types=mark.types[1:]) for mark in marks["authenticator.removed"]]

    score = await _guessed(town, {**marks, "authenticator.removed": shorter}, -1, honest, 400)

    assert score.accuracy > score.bound, score
