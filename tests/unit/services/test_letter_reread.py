"""A letter that was made is read again before it is committed: what we would reject ourselves nobody gets."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from idverify.errors import DocumentError
from idverify.ports import Sandbox
from idverify.sandbox.answers import Broken, Found
from idverify.services import letter, letter_batch, letter_pdf, letter_reread
from idverify.services.letter_checks import Letter
from idverify.services.letter_reread import STAMPS_OF, NotAsPlanned, Planned
from idverify.services.office import PAPER_SIGNER
from idverify.services.people import read
from idverify.stores import tables
from tests.simulators.printed_letters import attached, made, person_with_photo, printed, published
from tests.simulators.software_office import SoftwareOffice, premises
from tests.unit.services.test_letter_batch import _ordered as ordered
from tests.unit.services.test_letter_batch import _people as people


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[SoftwareOffice]:
    """An office."""
    async with premises(tmp_path) as house, house.open() as running:
        yield running


@dataclass
class Altering:
    """Workers whose answer of one job is another."""

    sandbox: Sandbox
    job: str
    change: Mapping[str, Any]

    async def do(self, job: str, arguments: Mapping[str, Any], /) -> Any:
        """The answer, changed."""
        answer = await self.sandbox.do(job, arguments)
        return answer.model_copy(update=self.change) if job == self.job else answer


async def _rows(served: SoftwareOffice, table: Any) -> list[Any]:
    return await served.office.store.fetch(select(table), {})


async def test_what_we_would_reject_is_never_committed(served: SoftwareOffice) -> None:
    """Neither row nor entry comes of it; the log names the rule; afterwards the letter is made as ever."""
    handle, officer = await printed(served, await person_with_photo(served)), await served.principal("officer")
    wrong = {"broken": [Broken(check="content_consistent", rule="one-credential", sentence="Ada Example has two.")]}
    torn = replace(served.office, sandbox=Altering(served.office.sandbox, "reread-letter", wrong))
    with capture_logs() as logged, pytest.raises(NotAsPlanned):
        await published(served, letter_pdf.letter_file(torn, officer, handle))

    (row,) = await _rows(served, tables.letter)
    assert (row["made_at"], row["sealed_pdf"]) == (None, None)
    assert "letter.made" not in [one["type"] for one in await _rows(served, tables.ledger_record)]
    assert {"event": "letter_not_as_planned", "rule": "one-credential", "log_level": "error"} in logged
    assert "Ada" not in str(logged)
    assert (await published(served, letter_pdf.letter_file(served.office, officer, handle))).pdf.startswith(b"%PDF-")


async def _whole(served: SoftwareOffice) -> tuple[Letter, Planned]:
    """A letter of ours with what a worker finds in it, and its plan."""
    handle, officer = await printed(served, await person_with_photo(served)), await served.principal("officer")
    pdf = (await published(served, letter_pdf.letter_file(served.office, officer, handle))).pdf
    (row,), (person,) = await _rows(served, tables.letter), await _rows(served, tables.person)
    said = letter.read_sealed(row, (await read(served.office, person["handle"])).key)
    signer = served.office.keys.issuer(PAPER_SIGNER).chain[0]
    files = attached(pdf)
    planned = Planned(
        said["credential"].encode(),
        files["receipt.tlog-proof"],
        said["code"],
        signer,
        row["revision_size"],
        STAMPS_OF["B-LTA"],
    )
    found = await served.office.sandbox.do("reread-letter", {"pdf": pdf})
    assert hashlib.sha256(pdf[: planned.revision]).digest() == row["revision_digest"]
    return Letter(pdf, found), planned


ANOTHER: Mapping[str, Mapping[str, Any]] = {
    "holds_what_was_planned": {"receipt": b"another"},
    "signed_by_the_planned": {"revision": 7},
    "stamped_as_planned": {"stamps": STAMPS_OF["B-B"]},
}


async def test_it_is_held_against_its_plan(served: SoftwareOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """As planned it holds; by another plan it does not, and each rule is what alone sees that."""
    held, planned = await _whole(served)
    letter_reread.require_signed_as_planned(served.office, held, planned)
    assert {rule.__name__ for rule in letter_reread.RULES} == ANOTHER.keys()
    for rule in letter_reread.RULES:
        other = replace(planned, **ANOTHER[rule.__name__])
        with pytest.raises(DocumentError, match=r"than was planned|by another|other time stamps"):
            letter_reread.require_signed_as_planned(served.office, held, other)
        with monkeypatch.context() as without:
            without.setattr(letter_reread, "RULES", tuple(one for one in letter_reread.RULES if one is not rule))
            letter_reread.require_signed_as_planned(served.office, held, other)


async def test_each_part_is_the_planned_one(served: SoftwareOffice) -> None:
    """Another credential, another code, another signer, no signature, text that says otherwise, an unstamped letter."""
    held, planned = await _whole(served)

    def without_stamp(found: Found) -> Found:
        return found.model_copy(update={"signatures": found.signatures[:1]})

    changed = {
        "as-planned": [
            (held, replace(planned, credential=b"another")),
            (held, replace(planned, code="IDV1:")),
            (held, replace(planned, signer=b"another")),
            (replace(held, found=without_stamp(held.found)), planned),
        ],
        "one-signature": [(replace(held, found=held.found.model_copy(update={"signatures": []})), planned)],
        "visible-text": [(replace(held, found=held.found.model_copy(update={"rows": held.found.rows[1:]})), planned)],
        "cms": [(replace(held, pdf=held.pdf.replace(b"/Lang", b"/Long", 1)), planned)],
    }
    for rule, cases in changed.items():
        for letter_of, plan in cases:
            with pytest.raises(DocumentError) as refused:
                letter_reread.require_signed_as_planned(served.office, letter_of, plan)
            assert refused.value.rule == rule


NAMES = (
    "\u0645\u062d\u0645\u062f \u0639\u0628\u062f \u0627\u0644\u0644\u0647",
    "\u05db\u05d4\u05df \u05dc\u05d5\u05d9",
    "\u0905\u0928\u0941\u0937\u094d\u0915\u093e \u0936\u0930\u094d\u092e\u093e",
    "\u0e2a\u0e21\u0e0a\u0e32\u0e22",
    "\u1019\u103c\u1014\u103a\u1019\u102c",
    "Nguy\u1ec5n Th\u1ecb \u00c1nh",
    "\u00c5ngstr\u00f6m-O\u2019Neil ffi fl",
    "A" * 100,
)


async def test_names_in_many_scripts(served: SoftwareOffice) -> None:
    """Whoever's name can be printed gets their letter: what is read again is what was written, joined or turned."""
    officer = await served.principal("officer")
    for number, name in enumerate(NAMES):
        person = await person_with_photo(served, family_name=name)
        language = ("en", "cy")[number % 2]
        handle = await printed(served, person, portrait=number % 2 == 0, large_print=number % 3 == 0, language=language)
        made_of_it = await published(served, letter_pdf.letter_file(served.office, officer, handle))
        assert made_of_it.pdf.startswith(b"%PDF-")


async def test_it_holds_up_no_batch(served: SoftwareOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not come out as planned is told of as failed; the next one is made."""
    honest, refused = letter_reread.require_as_planned, []

    async def first_refused(*about: Any) -> None:
        if not refused:
            refused.append(about)
            raise NotAsPlanned("The letter did not come out as it should.")
        await honest(*about)

    monkeypatch.setattr(letter_reread, "require_as_planned", first_refused)
    batch = await ordered(served, await people(served, 2))
    done = await made(served, batch.handle)
    _, orders = await letter_batch.batch(served.office, await served.principal("officer"), batch.handle)
    assert (done.made, done.failed) == (1, 1)
    assert [one.failed_for for one in orders if one.failed_for] == ["The letter did not come out as it should."]
