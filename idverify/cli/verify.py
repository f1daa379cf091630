"""``idverify verify``: the same verdict as the service's, from a trust bundle, asking nobody."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from idverify.cli.output import WrongUsage, print_json, read_input, say
from idverify.core.verdict import Outcome, Result
from idverify.errors import DocumentError
from idverify.formats.base import HolderBindingExpected
from idverify.services.trust import offline_verifier
from idverify.services.verify import Submission, Verified, verify

EXIT = {Outcome.ACCEPT: 0, Outcome.REJECT: 1, Outcome.REFER: 2}
WORDS = {Outcome.ACCEPT: "ACCEPTED", Outcome.REFER: "CHECK BY HAND", Outcome.REJECT: "REJECTED"}
MARKS = {Result.PASS: "ok", Result.FAIL: "FAIL", Result.UNKNOWN: "?", Result.NOT_APPLICABLE: "-"}


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked on the command line."""

    file: str
    offline: Path | None
    root_sha256: str | None
    receipt: Path | None
    nonce: str | None
    audience: str | None
    at: str | None
    data: Path
    json: bool


def run(question: Question) -> int:
    """Verify and print; the exit status is the verdict."""
    if question.offline is None or question.root_sha256 is None:
        raise WrongUsage("Give --offline BUNDLE and --root-sha256 FINGERPRINT. Both come from: idverify trust export")
    at = _time(question.at)
    try:
        root = bytes.fromhex(question.root_sha256.replace(":", ""))
        verifier = offline_verifier(read_input(str(question.offline)), root, at)
    except (DocumentError, ValueError) as wrong:
        raise WrongUsage(f"The trust bundle cannot be relied on: {wrong}") from wrong
    verified = asyncio.run(verify(verifier, _submission(question), at))
    _show(verified, json=question.json)
    return EXIT[verified.verdict.verdict]


def _submission(question: Question) -> Submission:
    document, receipt = _opened(read_input(question.file).strip())
    if question.receipt is not None:
        receipt = read_input(str(question.receipt))
    if (question.nonce is None) != (question.audience is None):
        raise WrongUsage("Give --nonce and --audience together: the request that the wallet answered.")
    expected = None
    if question.nonce is not None and question.audience is not None:
        expected = HolderBindingExpected(question.audience, question.nonce)
    return Submission(document, receipt, expected)


def _opened(given: bytes) -> tuple[bytes, bytes | None]:
    """Document and receipt: a wallet's presentation holds both, anything else is the document itself."""
    if not given.startswith(b"{"):
        return given, None
    try:
        presentation = orjson.loads(given)
        receipt = presentation.get("receipt")
        return presentation["document"].encode(), None if receipt is None else receipt.encode()
    except (orjson.JSONDecodeError, KeyError, AttributeError):
        return given, None


def _show(verified: Verified, *, json: bool) -> None:
    claims = verified.claims_for(None)
    if json:
        kind = None if verified.presented is None else verified.presented.type
        print_json(verified.verdict.to_json() | {"type": kind, "claims": claims})
        return
    say(WORDS[verified.verdict.verdict])
    for check in verified.verdict.checks:
        say(f"  {MARKS[check.result]:>4}  {check.id:<15} {check.detail}")
    for name, value in _shown(claims).items():
        say(f"        {name}: {value if isinstance(value, str) else orjson.dumps(value).decode()}")
    say(verified.verdict.next_step)


def _shown(claims: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (claims or {}).items() if name != "picture"}


def _time(at: str | None) -> int:
    if at is None:
        return int(time.time())
    try:
        moment = dt.datetime.fromisoformat(at)
    except ValueError as error:
        raise WrongUsage(f"--at must be a time like 2026-05-03T12:00:00Z; got {at!r}.") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp())
