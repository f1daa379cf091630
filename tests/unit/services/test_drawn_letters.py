"""Letters as they are drawn and signed here, before a verifier: what stands on them is what their credential says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from idverify.core.verdict import CheckId, Outcome, Result
from idverify.errors import DocumentError
from idverify.formats.pdf.attachments import CREDENTIAL
from idverify.formats.pdf.render import MOST_PAGES, render
from idverify.formats.qr_image import write_code
from idverify.sandbox.workers import open_workers
from idverify.services.letter_checks import stated_by
from idverify.services.verify import Submission, Verified, verify
from tests.corpus.verified import verifier
from tests.simulators import code_world as code
from tests.simulators import credential_world as world
from tests.simulators import letter_world as drawn
from tests.simulators import paper_world as paper

AT = world.NOW + 60
CODE = ("family_name", "given_name", "work", "permission_end")
LONGEST_IN_CODE = 500


MIXED = {
    "Arabic": {
        "family_name": "\u0645\u062d\u0645\u062f \u0639\u0628\u062f \u0627\u0644\u0644\u0647",
        "given_name": "\u0644\u064a\u0644\u0649",
    },
    "Hebrew": {
        "family_name": "\u05d9\u05d5\u05e1\u05e3",
        "given_name": "\u05e8\u05d7\u05dc \u05d1\u05ea-\u05e9\u05d1\u05e2",
    },
    "Arabic with Latin and figures": {
        "family_name": "\u0645\u062d\u0645\u062f (Mohammed) 3",
        "given_name": "Anna \u0644\u064a\u0644\u0649",
    },
    "many scripts": {
        "family_name": "Nguy\u1ec5n \u0410\u043d\u043d\u0430 \u0393\u03b9\u03ce\u03c1\u03b3\u03bf\u03c2",
        "given_name": "\u092a\u094d\u0930\u093f\u092f\u0902\u0915\u093e \u0e19\u0e49\u0e33 \u12a0\u1260\u1260",
    },
}
LONG = {
    "work": {**drawn.CLAIMS["work"], "occupations_text": "Nurse, midwife and carer; " * 40},
    "issuing_authority": "Office of the Land and the Sea; " * 8,
    "family_name": "Llanfairpwllgwyngyll " * 9,
}


def letter(
    language: str, change: tuple[str, str] = ("", ""), said: Mapping[str, Any] = drawn.CLAIMS, **how: Any
) -> bytes:
    """A letter with credential and code of the synthetic authority; ``change`` is made to its text."""
    content = drawn.content(said, language=language, **how)
    html = drawn.letterhead().html(content)
    assert change[0] in html
    payload = world.payload(cnf=None, status=code.STATUS, exp=world.NOW + 90 * world.DAY)
    credential = world.sd_jwt({**payload, **said})
    text = code.issue({name: said[name] for name in CODE if len(str(said[name])) < LONGEST_IN_CODE}).decode()
    pictures = {"code": write_code(text, "png"), "portrait": drawn.PORTRAIT}
    pdf = render(html.replace(*change), pictures, {CREDENTIAL: credential}, world.NOW)
    return paper.rounds(paper.prepared("B-LTA", pdf))[0]


async def verified(pdf: bytes) -> Verified:
    """What the service says, with real workers."""
    async with open_workers(1) as workers:
        relying = replace(verifier(world.NOW, code.trust()), sandbox=workers, states=stated_by(drawn.letterhead()))
        return await verify(relying, Submission(pdf), AT)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # WeasyPrint leaves the file of its colour profile open
@pytest.mark.parametrize(("language", "large"), [("en", False), ("cy", False), ("en", True)])
async def test_it_is_accepted(language: str, large: bool) -> None:  # noqa: FBT001  a table row
    """In either language, in either size, with everything that a letter has."""
    found = await verified(letter(language, large=large))
    assert [check for check in found.verdict.checks if check.result is Result.FAIL] == []
    assert found.verdict.verdict is Outcome.ACCEPT


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("language", ["en", "cy"])
@pytest.mark.parametrize("names", MIXED.values(), ids=MIXED.keys())
async def test_names_of_every_direction_are_accepted(names: Mapping[str, str], language: str) -> None:
    """What runs from right to left, and what changes direction or script within itself; in large print too."""
    found = await verified(letter(language, said={**drawn.CLAIMS, **names}, large=language == "cy"))
    assert [check for check in found.verdict.checks if check.result is Result.FAIL] == []
    assert found.verdict.verdict is Outcome.ACCEPT


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("large", [False, True])
async def test_values_of_many_lines_are_accepted(large: bool) -> None:  # noqa: FBT001  a table row
    """A table that goes on over pages says what its credential says."""
    pdf = letter("en", said={**drawn.CLAIMS, **LONG}, large=large)
    assert len(PdfFileReader(BytesIO(pdf)).root["/Pages"]["/Kids"]) > (3 if large else 2)
    found = await verified(pdf)
    assert [check for check in found.verdict.checks if check.result is Result.FAIL] == []
    assert found.verdict.verdict is Outcome.ACCEPT


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_the_longest_letter_that_is_made_is_read() -> None:
    """As many pages as a letter may have are drawn again by whoever reads it; with more, none is made."""
    lines, pages = 60, 0
    while pages < MOST_PAGES:
        lines += 30
        said = {**drawn.CLAIMS, "work": {**drawn.CLAIMS["work"], "occupations_text": "Nurse and carer; " * lines}}
        pdf = letter("en", said=said, large=True)
        pages = len(PdfFileReader(BytesIO(pdf)).root["/Pages"]["/Kids"])
    assert (await verified(pdf)).verdict.verdict is Outcome.ACCEPT
    with pytest.raises(DocumentError, match="pages"):
        letter("en", said={**said, "study": {"allowed": "Nurse and carer; " * lines}}, large=True)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    "change",
    [
        ("\u0645\u062d\u0645\u062f", "\u0645\u062d\u0645\u0648\u062f"),
        ("\u0644\u064a\u0644\u0649", "\u0644\u064a\u0644\u064a"),
    ],
    ids=["another name", "another last letter"],
)
async def test_another_arabic_name_is_not(change: tuple[str, str]) -> None:
    """One letter more, or another, in what runs from right to left."""
    found = await verified(letter("en", change, {**drawn.CLAIMS, **MIXED["Arabic"]}))
    (failed,) = (check for check in found.verdict.checks if check.result is Result.FAIL)
    assert failed.evidence is not None
    assert (failed.id, failed.evidence["rule"]) == (CheckId.CONTENT_CONSISTENT, "visible-text")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_another_text_is_not() -> None:
    """Signed all the same, with the code kept: the line is named."""
    found = await verified(letter("en", ("Nurse", "Doctor")))
    (failed,) = (check for check in found.verdict.checks if check.result is Result.FAIL)
    assert failed.id is CheckId.CONTENT_CONSISTENT
    assert failed.evidence is not None
    assert failed.evidence["rule"] == "visible-text"
