"""Letters as they are drawn and signed here, before a verifier: what stands on them is what their credential says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from idverify.core.verdict import CheckId, Outcome, Result
from idverify.formats.pdf.render import CREDENTIAL, render
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


def letter(language: str, change: tuple[str, str] = ("", ""), **how: Any) -> bytes:
    """A letter with credential and code of the synthetic authority; ``change`` is made to its text."""
    content = drawn.content(language=language, **how)
    html = drawn.letterhead().html(content)
    assert change[0] in html
    payload = world.payload(cnf=None, status=code.STATUS, exp=world.NOW + 90 * world.DAY)
    credential = world.sd_jwt({**payload, **drawn.CLAIMS})
    text = code.issue({name: drawn.CLAIMS[name] for name in CODE}).decode()
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
async def test_another_text_is_not() -> None:
    """Signed all the same, with the code kept: the line is named."""
    found = await verified(letter("en", ("Nurse", "Doctor")))
    (failed,) = (check for check in found.verdict.checks if check.result is Result.FAIL)
    assert failed.id is CheckId.CONTENT_CONSISTENT
    assert failed.evidence is not None
    assert failed.evidence["rule"] == "visible-text"
