"""``idverify verify``: one verdict on whatever is in the file, asking nobody.

A document rests on a trust bundle, the evidence of an act on the public log alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from idverify.cli import seen_file
from idverify.cli.auditing.trust import Trust
from idverify.cli.output import WrongUsage, moment, print_json, read_input, say, sha256_of
from idverify.cli.said_words import WORDS, act_lines, check_line, claim_lines, receipt_lines
from idverify.core.verdict import CheckId, Outcome, Verdict
from idverify.errors import DocumentError
from idverify.formats import verification_receipt
from idverify.formats.base import HolderBindingExpected
from idverify.formats.examination import REQUEST_NOT_GIVEN
from idverify.formats.handed_over import handed_over
from idverify.formats.verification_receipt import looks_like as is_receipt
from idverify.sandbox.workers import open_workers
from idverify.services import trust
from idverify.services.evidence_file import TYPE, is_evidence_file
from idverify.services.letter_checks import stated_by
from idverify.services.reverify import reverify
from idverify.services.status_source import NOTHING_SEEN
from idverify.services.verify import Submission, Verified, Verifier, verify
from idverify.web.letter.letterhead import PrintedLetterhead

EXIT = {Outcome.ACCEPT: 0, Outcome.REJECT: 1, Outcome.REFER: 2}
WORST_FIRST = (Outcome.REJECT, Outcome.REFER, Outcome.ACCEPT)
NAME_THE_REQUEST: Final = (
    "It answers a request: give --nonce and --audience as they stand in that request, and it is told who shows it."
)


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked on the command line."""

    files: tuple[str, ...]
    offline: Path | None
    root_sha256: str | None
    receipt: Path | None
    nonce: str | None
    audience: str | None
    at: str | None
    seen: Path | None
    trust: Trust
    json: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict, what it is on, and what was read of it on the way: ``lines`` for people, ``data`` for machines."""

    verdict: Verdict
    type: str | None
    claims: Mapping[str, Any] | None = None
    lines: tuple[str, ...] = ()
    hint: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def run(question: Question) -> int:
    """Verify and print; the exit status is the verdict, of several files the worst."""
    several = len(question.files) > 1
    if several and (question.receipt, question.nonce, question.audience) != (None, None, None):
        raise WrongUsage("--receipt, --nonce and --audience belong to one document; give one file.")
    answers = [_answer(question, read_input(file)) for file in question.files]
    if question.json:
        shown = [_as_json(answer) for answer in answers]
        print_json(
            [{"file": file, **one} for file, one in zip(question.files, shown, strict=True)] if several else shown[0]
        )
    else:
        for file, answer in zip(question.files, answers, strict=True):
            if several:
                say(f"{file}:")
            _show(answer)
    found = {answer.verdict.verdict for answer in answers}
    return next(EXIT[outcome] for outcome in WORST_FIRST if outcome in found)


def _answer(question: Question, given: bytes) -> Answer:
    return next(verify_it for looks_like, verify_it in CARRIERS if looks_like(given))(question, given)


def _evidence(question: Question, given: bytes) -> Answer:
    of_documents = ("offline", "root_sha256", "receipt", "nonce", "audience", "at", "seen")
    if any(getattr(question, name) is not None for name in of_documents):
        raise WrongUsage("This is the evidence of an act: it takes --vkey or --policy, and nothing else.")
    known = question.trust.vkeys or question.trust.policy
    verdict = reverify(given, question.trust.of_each_log() if known else None)
    return Answer(verdict, TYPE, lines=act_lines(_confirmed(verdict)))


def _confirmed(verdict: Verdict) -> Mapping[str, Any] | None:
    """The act, if all of the evidence holds: before, it is what somebody wrote into a file."""
    if verdict.verdict is not Outcome.ACCEPT:
        return None
    said = next(check.evidence for check in verdict.checks if check.id is CheckId.ACTION)
    return None if said is None else said["action"]


def _document(question: Question, given: bytes) -> Answer:
    at = _time(question.at)
    verifier = _verifier(question, at)
    verified = asyncio.run(_verified(verifier, _submission(question, given), at))
    kind = None if verified.presented is None else verified.presented.type
    claims = verified.claims_for(None)
    answers = any(check.detail == REQUEST_NOT_GIVEN for check in verified.verdict.checks)
    hint = NAME_THE_REQUEST if answers else ""
    return Answer(verified.verdict, kind, claims, claim_lines(claims), hint)


async def _verified(verifier: Verifier, submission: Submission, at: int) -> Verified:
    """A worker is started for what needs one alone."""
    async with open_workers(1) as workers:
        return await verify(replace(verifier, sandbox=workers, states=stated_by(PrintedLetterhead())), submission, at)


def _receipt(question: Question, given: bytes) -> Answer:
    if (question.receipt, question.nonce, question.audience) != (None, None, None):
        raise WrongUsage(
            "This is the receipt of a check: it takes --offline, --root-sha256 and --at, and nothing else."
        )
    at = _time(question.at)
    verdict, said = verification_receipt.check(given.strip(), _verifier(question, at).trust, at)
    return Answer(verdict, verification_receipt.TYPE, lines=receipt_lines(said), data={"receipt": said})


def _verifier(question: Question, at: int) -> Verifier:
    if question.trust.vkeys or question.trust.policy:
        raise WrongUsage("This is no evidence of an act: --vkey and --policy are for evidence alone.")
    if question.offline is None or question.root_sha256 is None:
        raise WrongUsage("Give --offline BUNDLE and --root-sha256 FINGERPRINT. Both come from: idverify trust export")
    root = sha256_of(question.root_sha256, "--root-sha256")
    try:
        seen = NOTHING_SEEN if question.seen is None else seen_file.load(question.seen)
        opened = trust.opened(read_input(str(question.offline)), root, at, seen)
    except DocumentError as wrong:
        then = "" if question.at is None else f" at {question.at}"
        raise WrongUsage(f"The trust bundle cannot be relied on{then}: {wrong}") from wrong
    if question.seen is not None:
        seen_file.save(question.seen, seen, opened.ages)
    return opened.verifier


# (looks like it, who verifies it): tried in order; what nothing else knows is a document, which has formats of its own
CARRIERS: Final[tuple[tuple[Callable[[bytes], bool], Callable[[Question, bytes], Answer]], ...]] = (
    (is_evidence_file, _evidence),
    (is_receipt, _receipt),
    (lambda _: True, _document),
)


def _submission(question: Question, given: bytes) -> Submission:
    receipt = None if question.receipt is None else read_input(str(question.receipt))
    handed = handed_over(given, receipt)
    if (question.nonce is None) != (question.audience is None):
        raise WrongUsage("Give --nonce and --audience together: the request that the wallet answered.")
    expected = None
    if question.nonce is not None and question.audience is not None:
        expected = HolderBindingExpected(question.audience, question.nonce)
    return Submission(handed.document, handed.receipt, expected)


def _as_json(answer: Answer) -> dict[str, Any]:
    return answer.verdict.to_json() | {"type": answer.type, "claims": answer.claims} | dict(answer.data)


def _show(answer: Answer) -> None:
    say(WORDS[answer.verdict.verdict])
    for check in answer.verdict.checks:
        say(check_line(check.result, check.id, check.detail))
    for line in (*answer.lines, answer.verdict.next_step, answer.hint):
        if line:
            say(line)


def _time(at: str | None) -> int:
    return int(time.time()) if at is None else moment(at, "--at")
