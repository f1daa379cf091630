"""One verdict, one word: named checks folded by a policy table into accept, refer or reject.

>>> from idverify.core.verdict import Channel, Check, CheckId, Result, fold
>>> fold([Check(CheckId.FORMAT, Result.FAIL, "not a credential")], Channel.DOCUMENT).verdict
<Outcome.REJECT: 'reject'>
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Result(StrEnum):
    """What a check found. ``unknown`` is never green."""

    PASS = "pass"  # noqa: S105  a result, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class CheckId(StrEnum):
    """The closed list of check names, the same in API, command line, page and receipt."""

    SIZE = "size"
    FORMAT = "format"
    SIGNATURE = "signature"
    ISSUER_TRUSTED = "issuer_trusted"
    TYPE_ALLOWED = "type_allowed"
    VALIDITY = "validity"
    STATUS = "status"
    FRESHNESS = "freshness"
    HOLDER_BINDING = "holder_binding"
    AUDIENCE = "audience"
    RECEIPT = "receipt"
    ASSURANCE = "assurance"
    DOCUMENT_INTEGRITY = "document_integrity"
    CONTENT_CONSISTENT = "content_consistent"
    ACTION = "action"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Check:
    """One named check: what was found, in a plain sentence, with the evidence for it."""

    id: CheckId
    result: Result
    detail: str
    evidence: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The check as the API shows it."""
        shown: dict[str, Any] = {"id": self.id, "result": self.result, "detail": self.detail}
        if self.evidence is not None:
            shown["evidence"] = dict(self.evidence)
        return shown


class Outcome(StrEnum):
    """The one word."""

    ACCEPT = "accept"
    REFER = "refer"
    REJECT = "reject"


class Channel(StrEnum):
    """How the document came to the verifier; it decides which checks must pass."""

    PRESENTATION = "presentation"  # a wallet answered our verification request: nonce and audience are ours
    DOCUMENT = "document"  # somebody handed over the bytes
    PAPER = "paper"  # somebody handed over paper, or a picture of it: no key can prove whose it is
    RECEIPT = "receipt"  # no document: what a check found, as it was signed for a case file
    EVIDENCE = "evidence"  # no document: what was kept of an act that somebody confirmed with a security key


@dataclass(frozen=True, slots=True)
class Verdict:
    """``{verdict, checks, next_step}``, and nothing that the asker's purpose does not need."""

    verdict: Outcome
    checks: tuple[Check, ...]
    next_step: str

    def to_json(self) -> dict[str, Any]:
        """The verdict as the API shows it."""
        return {
            "verdict": self.verdict,
            "checks": [check.to_json() for check in self.checks],
            "next_step": self.next_step,
        }


def verdict_of(said: Mapping[str, Any]) -> Verdict:
    """The verdict that ``Verdict.to_json`` wrote; ``KeyError``, ``TypeError`` or ``ValueError`` of any other."""
    checks = tuple(
        Check(CheckId(one["id"]), Result(one["result"]), str(one["detail"]), one.get("evidence"))
        for one in said["checks"]
    )
    return Verdict(Outcome(said["verdict"]), checks, str(said["next_step"]))


_GENUINE = frozenset(
    {
        CheckId.SIZE,
        CheckId.FORMAT,
        CheckId.SIGNATURE,
        CheckId.ISSUER_TRUSTED,
        CheckId.TYPE_ALLOWED,
        CheckId.VALIDITY,
        CheckId.STATUS,
    }
)

_OF_EVIDENCE = (
    CheckId.SIZE,
    CheckId.FORMAT,
    CheckId.SIGNATURE,
    CheckId.ACTION,
    CheckId.RECEIPT,
    CheckId.KEY,
)
_OF_LETTERS = (CheckId.DOCUMENT_INTEGRITY, CheckId.CONTENT_CONSISTENT)
_OF_DOCUMENTS = tuple(check for check in CheckId if check not in (CheckId.ACTION, CheckId.KEY, *_OF_LETTERS))

_OF_RECEIPTS = (CheckId.SIZE, CheckId.FORMAT, CheckId.SIGNATURE, CheckId.ISSUER_TRUSTED, CheckId.VALIDITY)

# What is looked at, per channel.
CHECKS: Mapping[Channel, tuple[CheckId, ...]] = {
    Channel.PRESENTATION: _OF_DOCUMENTS,
    Channel.DOCUMENT: _OF_DOCUMENTS,
    Channel.PAPER: (*_OF_DOCUMENTS, *_OF_LETTERS),
    Channel.RECEIPT: _OF_RECEIPTS,
    Channel.EVIDENCE: _OF_EVIDENCE,
}

# What a letter must pass besides, which is more than the code on it.
OF_LETTERS = frozenset(_OF_LETTERS)

# Which checks must pass, per channel (DESIGN section 3, "Privacy"). A check that is not listed may be
# unknown or not applicable, but whatever fails rejects. A receipt is never required of a wallet
# credential: asking the issuer for one would tell it who was checked. Paper is with nobody who could renew it: what
# its status was long ago does not make it good today.
REQUIRED: Mapping[Channel, frozenset[CheckId]] = {
    Channel.PRESENTATION: _GENUINE | {CheckId.HOLDER_BINDING, CheckId.AUDIENCE},
    Channel.DOCUMENT: _GENUINE | {CheckId.HOLDER_BINDING},
    Channel.PAPER: _GENUINE | {CheckId.FRESHNESS},
    Channel.RECEIPT: frozenset(_OF_RECEIPTS),
    Channel.EVIDENCE: frozenset(_OF_EVIDENCE),
}

_REJECTED = "Do not rely on this document. Ask the person for another one, and tell your supervisor."
_NEXT_STEP_ON_FAIL: Mapping[CheckId, str] = {
    CheckId.SIZE: "Send one credential only, as the wallet or the letter shows it.",
    CheckId.FORMAT: "Send it again, whole, or ask for another one.",
    CheckId.VALIDITY: "Ask the person to collect a fresh copy; their status may well still hold.",
    CheckId.STATUS: "Do not rely on this document. The person can ask the issuer for the decision and contest it.",
    CheckId.HOLDER_BINDING: "The document may be someone else's. Ask the person to present it from their own wallet.",
    CheckId.AUDIENCE: "This answer was made for another request. Start a new verification request.",
    CheckId.ASSURANCE: "The person's identity was not checked as well as you demand. Check it yourself, or decline.",
}
# Where one rule is no reason for suspicion, unlike the others of its check
_NEXT_STEP_BY_RULE: Mapping[str, str] = {
    "type-requested": "This is another kind of document than you asked for. Ask the person for that one.",
}
UNPROVEN = "The person is not proven: compare the photo, or ask for a presentation."
_NEXT_STEP_ON_UNKNOWN: Mapping[CheckId, str] = {
    CheckId.STATUS: "Try again with a network, or check by hand whether it was revoked.",
    CheckId.FRESHNESS: (  # which paper alone must pass
        "Check it again with a network: its status is from earlier, and may have changed since. "
        "The person is not proven: compare the photo."
    ),
    CheckId.HOLDER_BINDING: UNPROVEN,
    CheckId.DOCUMENT_INTEGRITY: "Look at what was changed since it was signed, and by whom.",
    CheckId.ASSURANCE: "Ask the person to show how their identity was checked, or check it by hand.",
}
_OF_EVIDENCE_THAT_FAILS = "Do not rely on this evidence. Ask for the file again; if it is the same, tell an auditor."
_ALL_FAIL_ALIKE: Mapping[Channel, str] = {
    Channel.EVIDENCE: _OF_EVIDENCE_THAT_FAILS,
    Channel.RECEIPT: "Do not rely on this receipt. Ask for the file again, or check the document itself.",
}
_OF_EVIDENCE_UNPROVEN: Mapping[CheckId, str] = {
    CheckId.ACTION: "Ask for the act itself: the file holds only its digest.",
    CheckId.RECEIPT: "Give the log's verifier key. If the file has no receipt, ask for the file again.",
    CheckId.KEY: "Ask the service for the entry that bound this security key.",
}
_ACCEPTED = "Nothing more to do."
# Paper can be copied, and a copy is as genuine as the first: no check tells whose hands it is in.
PAPER_UNPROVEN = "The document is genuine. The person is not proven: compare the photo."
# What is accepted and still leaves something to do.
_NEXT_STEP_ON_ACCEPT: Mapping[Channel, str] = {Channel.PAPER: PAPER_UNPROVEN}
_REFERRED = "Check by hand what could not be told."


def fold(checks: Iterable[Check], channel: Channel, demanded: frozenset[CheckId] = frozenset()) -> Verdict:
    """Any failed check rejects; a required one that did not pass refers; otherwise accept.

    ``demanded`` are required besides, because whoever asks demands it.
    """
    named = tuple(checks)
    for check in named:
        if check.result is Result.FAIL:
            return Verdict(Outcome.REJECT, named, _next_step_on_fail(check, channel))
    missing = (REQUIRED[channel] | demanded).difference([check.id for check in named if check.result is Result.PASS])
    if not missing:
        return Verdict(Outcome.ACCEPT, named, _NEXT_STEP_ON_ACCEPT.get(channel, _ACCEPTED))
    unproven = _OF_EVIDENCE_UNPROVEN if channel is Channel.EVIDENCE else _NEXT_STEP_ON_UNKNOWN
    asked_first = next((check for check in CHECKS[channel] if check in missing), None)
    return Verdict(Outcome.REFER, named, _REFERRED if asked_first is None else unproven.get(asked_first, _REFERRED))


def _next_step_on_fail(failed: Check, channel: Channel) -> str:
    if channel in _ALL_FAIL_ALIKE:
        return _ALL_FAIL_ALIKE[channel]
    rule = (failed.evidence or {}).get("rule", "")
    return _NEXT_STEP_BY_RULE.get(rule) or _NEXT_STEP_ON_FAIL.get(failed.id, _REJECTED)
