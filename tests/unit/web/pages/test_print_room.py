"""The print room's pages: whom to order for, one confirmation for a list, how far it is, and one file of all."""

from __future__ import annotations

import datetime as dt
import io
import re
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from idverify.errors import Unavailable
from idverify.services import letter_batch, letter_pdf
from idverify.services.letter_pdf import LetterFile
from idverify.stores import tables
from idverify.web import letter_zip
from idverify.web.pages import print_room
from tests.simulators.holder import decided_by_two
from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.simulators.printed_letters import made, printed, published
from tests.simulators.service import VCT
from tests.simulators.software_office import SoftwareOffice
from tests.unit.web.pages.conftest import People

ROOM, DUE = print_room.PATH, print_room.DUE
CHOSEN = {"type": VCT, "purpose": "work", "language": "en"}
FAR = {"due_type": VCT, "good_until-day": "1", "good_until-month": "3"}


async def printer(people: People) -> PlainBrowser:
    """The browser of an officer who decides nothing."""
    browser = people.browser()
    await browser.enrol(await people.invite_officer("Piet Printer"))
    return browser


async def ordered(officer: PlainBrowser, people: str, **chosen: str) -> Shown:
    """The batch's page, once confirmed."""
    asked = await officer.fill(await officer.open(ROOM), ROOM, people=people, **CHOSEN | chosen)
    return await officer.confirm(asked)


async def fetched(served: SoftwareOffice, path: str, who: str = "officer") -> tuple[int, bytes]:
    """What the API answers."""
    headers = await served.api.identity(who)
    async with served.api.session.get(served.api.deployment.url + path, headers=headers) as response:
        return response.status, await response.read()


def _letters(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


async def _looks(served: SoftwareOffice) -> list[Any]:
    rows: list[Any] = await served.office.store.fetch(select(tables.look), {})
    return [row["person_id"] for row in rows if (row["channel"], row["verdict"]) == ("letter", "viewed")]


async def test_a_list_becomes_letters_in_one_file(people: People) -> None:
    """Confirmed once; the page says how far it is; the ZIP has each letter whole, and each person sees who took it."""
    served, officer = people.served, await printer(people)
    persons = [await served.api.person_with_status() for _ in range(3)]
    await decided_by_two(served.api, persons[1], "suspend", "under-review")
    page = await ordered(officer, f"\n{persons[0].upper()}\n {persons[1]}\n{persons[2][:16]} {persons[2][16:]}\n")
    assert "The letters are ordered." in page.text
    batch = bytes.fromhex(page.path.partition("?")[0].rpartition("/")[2])
    done = await made(served, batch)
    assert (done.made, done.failed) == (2, 1)

    page = await officer.open(f"{ROOM}/{batch.hex()}")
    assert "2 of 3" in page.text
    assert "See how far they are now" not in page.text
    assert f"/officer/people/{persons[1]}" in page.html
    assert "What was not made, and why" in page.text
    assert "2 of 3" in (await officer.open(ROOM)).text

    before = len(await _looks(served))
    status, archive = await fetched(served, f"/api/v1/letter-batches/{batch.hex()}/letters")
    _, orders = await letter_batch.batch(served.office, await served.principal("officer"), batch)
    expected = {f"letter-{one.letter.hex()}.pdf": one.digest for one in orders if one.letter is not None}
    found = _letters(archive)
    assert status == 200
    assert found.keys() == expected.keys()
    assert all(pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF") for pdf in found.values())
    assert len(await _looks(served)) == before + 2
    assert (await fetched(served, f"/api/v1/letter-batches/{batch.hex()}/letters"))[1] == archive
    assert len(await _looks(served)) == before + 4


async def test_a_file_that_breaks_off_is_none(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second letter cannot be had: what came is no ZIP, and the client is told that it is not whole."""
    served, officer = people.served, await printer(people)
    persons = [await served.api.person_with_status() for _ in range(2)]
    page = await ordered(officer, "\n".join(persons))
    batch = page.path.partition("?")[0].rpartition("/")[2]
    await made(served, bytes.fromhex(batch))
    real, asked = letter_pdf.letter_file, []

    async def breaks(*given: Any) -> Any:
        asked.append(given)
        if len(asked) == 2:
            raise Unavailable("The token is away.")
        return await real(*given)

    monkeypatch.setattr(letter_pdf, "letter_file", breaks)
    with pytest.raises(Exception, match=r"payload is not completed|not enough data|Connection"):
        await fetched(served, f"/api/v1/letter-batches/{batch}/letters")
    monkeypatch.undo()
    assert len(_letters((await fetched(served, f"/api/v1/letter-batches/{batch}/letters"))[1])) == 2


async def test_one_letter_is_in_memory_at_a_time() -> None:
    """The next is asked for when the one before was sent; 2000 of them take no more room than a few."""
    taken, sent = 0, 0

    async def letters() -> AsyncIterator[LetterFile]:
        nonlocal taken
        for number in range(2000):
            taken += 1
            yield LetterFile(number.to_bytes(16, "big"), bytes(50_000), VCT, 0)

    tracemalloc.start()
    try:
        async for piece in letter_zip.zipped(letters(), 1_777_809_600):
            sent += len(piece)
            assert taken * 50_000 <= sent
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert sent > 2000 * 50_000


async def test_nothing_to_fetch_yet(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first is made, and of a batch that is none."""
    served, officer = people.served, await printer(people)
    person = await served.api.person_with_status()
    with monkeypatch.context() as before:
        before.setattr(letter_pdf, "finish", _away)
        page = await ordered(officer, person)
        batch = page.path.partition("?")[0].rpartition("/")[2]
        assert (await officer.open(f"{ROOM}/{batch}/letters.zip")).status == 409
        assert (await fetched(served, f"/api/v1/letter-batches/{batch}/letters"))[0] == 409
        assert "See how far they are now" in page.text
    assert (await made(served, bytes.fromhex(batch))).made == 1
    assert (await officer.open(f"{ROOM}/{'0' * 32}")).status == 404
    assert (await officer.open(f"{ROOM}/{'0' * 32}/letters.zip")).status == 404
    assert (await fetched(served, f"/api/v1/letter-batches/{'0' * 32}/letters"))[0] == 404


async def _away(*_: Any) -> None:
    raise Unavailable("No worker is to be had.")


@pytest.mark.parametrize(
    ("people_typed", "said"),
    [
        ("", "Give the references of the people, one on each line"),
        ("Anna Specimen", "Line 1 is no reference"),
        (f"{'0' * 32}\n\n{'0' * 31}g", "Line 3 is no reference"),
        (f"{'0' * 32}\n{'0' * 32}", "line 2 is there already"),
        ("0" * 32, "Line 1 is nobody's reference"),
        ("\n".join(f"{number:032x}" for number in range(5001)), "A list may have 5000 people"),
    ],
    ids=["nothing", "a name", "a wrong sign", "twice", "nobody", "too many"],
)
async def test_a_list_that_is_none(people: People, people_typed: str, said: str) -> None:
    """The line is named, what was typed stays, nothing is ordered."""
    officer = await printer(people)
    page = await officer.fill(await officer.open(ROOM), ROOM, people=people_typed, **CHOSEN)
    assert page.status == 400
    assert said in page.text
    assert "None were ordered yet." in page.text


async def test_who_needs_a_letter(people: People) -> None:
    """Whoever has none, an old one, or a withdrawn one; not whoever has one, has it on order, or may have none."""
    served, officer = people.served, await printer(people)
    none, has, old, suspended, never = [await served.api.person_with_status() for _ in range(4)] + [
        await people.person()
    ]
    await decided_by_two(served.api, suspended, "suspend", "under-review")
    for person in (has, old):
        handle = await printed(served, bytes.fromhex(person))
        await published(served, letter_pdf.finish(served.office, handle))
    year = time_of(served) + 1
    page = await officer.fill(await officer.open(ROOM), DUE, **FAR, **{"good_until-year": str(year + 4)})
    assert sorted(in_list(page)) == sorted((none, has, old))  # a letter holds for a year
    page = await officer.fill(page, DUE, **FAR, **{"good_until-year": str(year - 1)})
    assert in_list(page) == [none]
    assert "People who need a letter: 1." in page.text
    asked = await officer.fill(page, ROOM, people=none, **CHOSEN)
    await officer.confirm(asked)
    page = await officer.fill(await officer.open(ROOM), DUE, **FAR, **{"good_until-year": str(year - 1)})
    assert "Nobody needs one" in page.text
    assert never not in page.html


async def test_questions_left_open(people: People) -> None:
    """No day, a day that is none, a document that has no letter."""
    officer = await printer(people)
    page = await officer.open(ROOM)
    for typed, said in (
        ({}, "Give the day until which a letter should be good"),
        ({**FAR, "good_until-day": "32", "good_until-year": "2030"}, "The day must be a real date"),
        ({**FAR, "good_until-year": "2030", "due_type": "org.iso.18013.5.1.mDL"}, "Choose the document"),
    ):
        answered = await officer.fill(page, DUE, **typed)
        assert (answered.status, said in answered.text) == (400, True)


async def test_more_than_a_page_of_them(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred at a time; an address that asks for no page shows the first."""
    monkeypatch.setattr(print_room, "ON_A_PAGE", 2)
    served, officer = people.served, await printer(people)
    persons = [await served.api.person_with_status() for _ in range(3)]
    page = await ordered(officer, "\n".join(persons))
    path = page.path.partition("?")[0]
    assert [person in page.html for person in persons] == [True, True, False]
    assert "1 to 2" in page.text
    second = await officer.open(f"{path}?from=3")
    assert [person in second.html for person in persons] == [False, False, True]
    for wrong in ("0", "2", "99", "x", "-1", "1e9"):
        assert persons[0] in (await officer.open(f"{path}?from={wrong}")).html
    await made(served, bytes.fromhex(path.rpartition("/")[2]))


def time_of(served: SoftwareOffice) -> int:
    """The year of the office's clock."""
    return dt.datetime.fromtimestamp(served.office.clock.now(), dt.UTC).year


def in_list(page: Shown) -> list[str]:
    """Who stands in the list."""
    found = re.search(r'<textarea[^>]* id="people"[^>]*>([^<]*)</textarea>', page.html)
    assert found is not None
    return found[1].split()
