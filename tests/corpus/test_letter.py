"""Every hostile letter through the whole verify service; and without its rule, each rule lets one be accepted.

Here the jobs of workers run in this process, so that their rules can be knocked out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from idverify.core.verdict import CheckId, Outcome
from idverify.formats import stamped, status_list, x509
from idverify.formats.pdf import rules
from idverify.sandbox.workers import open_workers
from idverify.services import letter_checks
from tests.corpus import make_letter
from tests.corpus.examiner import Examiner
from tests.corpus.knockout import Step, steps, switch_off
from tests.corpus.layout import Case, files, stored
from tests.simulators import letters
from tests.simulators.in_process import InProcess

FOLDER = make_letter.FOLDER
EXAMINER = Examiner(FOLDER, make_letter.TRUST, None, InProcess(), letters.states)
AT_LEAST = 25

TABLES: tuple[tuple[ModuleType, str], ...] = (
    (rules, "RULES"),
    (letter_checks, "RULES"),
    (stamped, "RULES"),
    (x509, "LEAF_RULES"),
    (x509, "TIME_RULES"),
    (x509, "SIGNER_RULES"),
)
RAISES: Mapping[str, str] = {
    "signature_holds": "signature",
    "signer_certified": "path",
    "signed_in_period": "key-usage-period",
    "stamped_in_period": "key-usage-period",
    "stamped_in_order": "signature-time-stamp",
    **{rule.__name__: "document-time-stamp" for rule in stamped.RULES},
    "code_is_genuine": "code-genuine",
    "text_agrees": "visible-text",
}
# What the next rule meets: a second signature is a change, half a signature covers too little, and bytes are listed.
THEN: Mapping[str, str] = {
    "one_signature": "changed-later",
    "covers_revision": "changed-later",
    "trailing_bytes": "appended-listed",
}
# They pass on what the worker says, or find that it lies (``test_letters``)
NOT_OURS = {"built_as_it_must_be", "signatures_in_place"}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """PyHanko tells the log of each attack that it finds."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_files_are_what_the_script_makes() -> None:
    """The checked-in files are exactly what the checked-in script writes, and there are enough of them."""
    assert stored(FOLDER) == files(make_letter.cases())
    assert len(EXAMINER.hostile) >= AT_LEAST


def test_the_page_has_every_rule() -> None:
    """docs/formats.md lists each rule with its check, its clause and the number of its letters, and no other."""
    EXAMINER.require_page("Letters as PDF")


@pytest.mark.parametrize("case", EXAMINER.params())
async def test_case(case: Case) -> None:
    """A letter holds, or exactly the check that its file names fails, by the rule that it names."""
    await EXAMINER.require_judged(case)


@pytest.mark.parametrize("step", [step for step in steps(TABLES) if step.rule not in NOT_OURS], ids=str)
async def test_rule_knockout(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, a letter that it alone refused is accepted."""
    rule = RAISES.get(step.rule, step.rule.replace("_", "-"))
    switch_off(step, monkeypatch)
    await EXAMINER.require_slip(rule, THEN.get(step.rule))


async def test_status_knockout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the bounds of a status list, an index beyond it is accepted."""
    monkeypatch.setattr(status_list.StatusList, "status_at", lambda *_: 0)
    await EXAMINER.require_slip("status-index")


async def test_workers_find_the_same() -> None:
    """Through real workers, without a knock-out: one letter that holds, and one of each rule that they look at."""
    of_each = {case.breaks: case for case in EXAMINER.cases}
    async with open_workers(1) as workers:
        confined = Examiner(FOLDER, make_letter.TRUST, None, workers, letters.states)
        for case in of_each.values():
            await confined.require_judged(case)


PDFSIG_SAYS_VALID = (
    "page replaced",
    "an annotation over the text",
    "attachment swapped",
    "QR swapped",
    "wrong level: annotations are allowed",
)


@pytest.mark.parametrize("name", PDFSIG_SAYS_VALID)
async def test_what_pdfsig_calls_valid(name: str, tmp_path: Path) -> None:
    """Poppler says that the signature is valid, which it is, of what was signed; the letter is another one by now."""
    (case,) = (case for case in EXAMINER.hostile if case.name == name)
    (tmp_path / "letter.pdf").write_bytes(case.document)
    said = await asyncio.create_subprocess_exec(
        "pdfsig", "-nocert", str(tmp_path / "letter.pdf"), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await said.communicate()
    assert b"Signature is Valid" in told
    assert (await EXAMINER.examined(case)).outcome is Outcome.REJECT


async def test_without_any_of_both_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one of the letter's checks, a letter that it alone rejects is accepted."""
    for check in (CheckId.DOCUMENT_INTEGRITY, CheckId.CONTENT_CONSISTENT):
        with monkeypatch.context() as without:
            without.setattr(letter_checks, "RULES", {**letter_checks.RULES, check: ()})
            await EXAMINER.require_slip_of(check)
