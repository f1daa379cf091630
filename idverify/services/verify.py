"""Verifying a document: open what it is in, sniff, read, check, ask the status, judge the receipt, fold.

The look is durable first.

The same walk serves the API (online) and ``idverify verify`` (offline, from a bundle). No step asks the issuer
about one credential.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from idverify.core.assurance import Minimum, read_claims
from idverify.core.credential import StatusReference
from idverify.core.credential_type import Purpose, visible_claims
from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.types import declared_as, declared_form
from idverify.core.verdict import CHECKS, OF_LETTERS, Channel, Check, CheckId, Outcome, Result, Verdict, fold
from idverify.errors import DocumentError, Unavailable
from idverify.formats import carriers, untrusted
from idverify.formats.base import HolderBindingExpected, Presented
from idverify.formats.carriers import Enclosure
from idverify.formats.examination import bound_to_no_key
from idverify.formats.status_list import StatusValue
from idverify.ledger.policy import Policies, Policy
from idverify.ports import Sandbox
from idverify.services import letter_checks, receipt_checks
from idverify.services.letter_checks import Letter, Seen
from idverify.services.status_source import StatusSource, StatusUnknown

STATUS_SENTENCES: Final[Mapping[int, str]] = {
    StatusValue.VALID: "Not revoked and not suspended.",
    StatusValue.INVALID: "Revoked: it was withdrawn by a decision or by its holder, or replaced by a newer one.",
    StatusValue.SUSPENDED: "Suspended by a recorded decision; it may be reinstated.",
}
_WITHIN_LIMITS: Final = Check(CheckId.SIZE, Result.PASS, "Within the limits.")
_NO_DEMAND: Final = Check(CheckId.ASSURANCE, Result.NOT_APPLICABLE, "No minimum was demanded.")
_DEMANDED: Final = frozenset({CheckId.ASSURANCE})
_NOTHING: Final = frozenset[CheckId]()
NO_MINIMUM: Final = Minimum()
_STALE: Final = Check(
    CheckId.ISSUER_TRUSTED,
    Result.UNKNOWN,
    "The list of revoked certificates is out of date, so the signer may have been revoked since.",
    {"rule": "crl-next-update"},
)
# The credential in a letter is bound to no key, so that nobody need be asked
_TO_NO_KEY: Final = {check.id: check for check in bound_to_no_key(asked=False)}
_OTHER_STATUS: Final = "The status list holds a value that this type of credential does not use."


@dataclass(frozen=True, slots=True)
class Submission:
    """What was handed over, and what was asked of it. ``expected`` is set for an answer to our request.

    ``least_assurance`` is what whoever checks demands of how well it was checked who the person is.
    """

    document: bytes
    receipt: bytes | None = None
    expected: HolderBindingExpected | None = None
    requested_type: str | None = None
    least_assurance: Minimum = NO_MINIMUM

    @property
    def channel(self) -> Channel:
        """How the document came to us."""
        return Channel.DOCUMENT if self.expected is None else Channel.PRESENTATION

    @property
    def demanded(self) -> frozenset[CheckId]:
        """The checks that must pass because whoever checks says so."""
        return _NOTHING if self.least_assurance is NO_MINIMUM or not self.least_assurance.demands() else _DEMANDED


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a verification rests on; the same online and offline. Without a ``sandbox`` no image is opened."""

    trust: TrustStore
    statuses: StatusSource
    log_policy: Policy | Policies
    sandbox: Sandbox | None = None
    states: letter_checks.States | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """The verdict, and what was read on the way (``None`` where the document could not be read).

    ``issuer`` is who of those we rely on it claims to be from; ``genuine`` says whether it is.
    """

    verdict: Verdict
    presented: Presented | None
    channel: Channel
    issuer: TrustedIssuer | None = None

    def genuine(self) -> bool:
        """Whether the issuer's signature and its trust held: only then is it known whose document this is."""
        held = [check.id for check in self.verdict.checks if check.result is Result.PASS]
        return CheckId.SIGNATURE in held and CheckId.ISSUER_TRUSTED in held

    def copy_of(self, iss: str) -> StatusReference | None:
        """Which copy of this issuer's it is, if it is one: others' documents, however genuine, may name any copy."""
        if self.presented is None or self.issuer is None or self.issuer.iss != iss or not self.genuine():
            return None
        return self.presented.status

    def claims_for(self, purpose: Purpose | None) -> dict[str, Any] | None:
        """What an asker with this purpose may learn; nothing of a rejected document."""
        if self.presented is None or self.verdict.verdict is Outcome.REJECT:
            return None
        form = declared_form(self.presented.format, self.presented.type)
        return visible_claims(form, purpose, self.presented.claims)


async def verify(verifier: Verifier, submission: Submission, at: int) -> Verified:
    """The verdict on a submission at the time ``at`` (Unix seconds). Never raises for a bad document.

    Raises ``Busy`` or ``Unavailable`` where what encloses the document cannot be opened now.
    """
    try:
        document, letter = await _opened(verifier, submission.document)
        if document is None and letter is not None:
            return _of_others(letter, verifier.trust.at(at), at)
        carrier = carriers.sniff(document or b"")
        presented = carrier.read(document or b"")
    except DocumentError as wrong:
        return Verified(fold(_unreadable(wrong, submission.channel), submission.channel), None, submission.channel)
    trust = verifier.trust.at(at)
    presented = carrier.signed_by(presented, trust)
    on_paper = letter is not None or carrier.on_paper
    channel = Channel.PAPER if on_paper and submission.expected is None else submission.channel
    issuer = carrier.issuer(presented, trust)
    checks, trusted = [_WITHIN_LIMITS], None
    for found in carrier.check(presented, trust, at, submission.expected):
        check = found
        if found.id is CheckId.TYPE_ALLOWED:
            check = _of_asked_type(found, submission, presented)
        if letter is not None and check.id in _TO_NO_KEY and check.result is Result.UNKNOWN:
            check = _TO_NO_KEY[check.id]
        if check.id is CheckId.ISSUER_TRUSTED or check.result is Result.FAIL:
            check = _trust_explained(check, presented, issuer, trust, at)
            trusted = issuer if _passed(check, CheckId.ISSUER_TRUSTED) else trusted
        checks.append(check)
    checks += await _status(verifier, presented, trusted, trust.revoked_serials, at)
    seen = None if letter is None else Seen(letter, presented, issuer, trust, at, verifier.states)
    checks.append(receipt_checks.check(verifier.log_policy, presented, issuer, seen, submission.receipt))
    checks.append(_assurance(presented, submission.least_assurance, trusted))
    demanded = submission.demanded
    if seen is not None:
        checks += letter_checks.checks(seen, genuine=trusted is not None)
        demanded |= OF_LETTERS
    elif channel is Channel.PAPER:
        checks += letter_checks.no_letter()
    return Verified(fold(checks, channel, demanded), presented, channel, issuer)


def _of_others(letter: Letter, trust: TrustStore, at: int) -> Verified:
    return Verified(fold(letter_checks.of_others(letter, trust, at), Channel.PAPER), None, Channel.PAPER)


async def _opened(verifier: Verifier, handed: bytes) -> tuple[bytes | None, Letter | None]:
    """The document itself, and the letter around it; no document: it is somebody else's PDF."""
    enclosure = carriers.enclosure(handed)
    if enclosure is None:
        return handed, None
    if verifier.sandbox is None:
        raise Unavailable("Neither images nor PDFs can be opened here.")
    return await _ENCLOSED[enclosure](verifier.sandbox, handed)


async def _in_image(sandbox: Sandbox, image: bytes) -> tuple[bytes, None]:
    """The paper code in a photo or a scan."""
    found = await sandbox.do("read-codes", {"image": image})
    return carriers.code_of(code.text for code in found), None


async def _in_pdf(sandbox: Sandbox, pdf: bytes) -> tuple[bytes | None, Letter | None]:
    """The credential in a letter; the paper code in a PDF that nobody signed, which is a scan."""
    found = await sandbox.do("read-letter", {"pdf": pdf})
    if not found.signatures:
        return carriers.code_of(found.codes), None
    letter = Letter(pdf, found)
    return letter.credential, letter


_Opening = Callable[[Sandbox, bytes], Awaitable[tuple[bytes | None, Letter | None]]]
_ENCLOSED: Final[Mapping[Enclosure, _Opening]] = {carriers.IMAGE: _in_image, carriers.PDF: _in_pdf}


def _unreadable(wrong: DocumentError, channel: Channel) -> list[Check]:
    size = Result.FAIL if wrong.rule == "size" else Result.PASS
    form = Result.UNKNOWN if wrong.rule == "size" else Result.FAIL
    found = [
        Check(CheckId.SIZE, size, str(wrong) if wrong.rule == "size" else "Within the limits."),
        Check(CheckId.FORMAT, form, str(wrong), {"rule": wrong.rule}),
    ]
    rest = (check for check in CHECKS[channel] if check not in (CheckId.SIZE, CheckId.FORMAT))
    return found + [Check(check, Result.UNKNOWN, "Not looked at: the document cannot be read.") for check in rest]


def _of_asked_type(check: Check, submission: Submission, presented: Presented) -> Check:
    """A type that is trusted but was not asked for does not answer the request."""
    wanted = submission.requested_type
    if wanted is None or check.result is not Result.PASS or type_id(presented) == wanted:
        return check
    asked = f"The request was for {wanted}; this is another type of document."
    return Check(CheckId.TYPE_ALLOWED, Result.FAIL, asked, {"rule": "type-requested"})


def _passed(check: Check, wanted: CheckId) -> bool:
    return check.id is wanted and check.result is Result.PASS


def type_id(presented: Presented) -> str:
    """The declared type that a document is a form of; whatever it calls itself, where it is none of ours."""
    declared = declared_as(presented.format, presented.type)
    return presented.type if declared is None else declared[0].id


def _trust_explained(
    check: Check, presented: Presented, issuer: TrustedIssuer | None, trust: TrustStore, at: int
) -> Check:
    """Why an issuer is trusted, or why it is not; never trusted while nobody can know whether its signer still may."""
    if issuer is None or not _passed(check, CheckId.ISSUER_TRUSTED):
        return untrusted.explained(check, presented, issuer, trust, at)
    if not trust.revocations_known(issuer, at):
        return _STALE
    source = untrusted.trust_source(presented.signing_chain[-1], issuer.name, issuer.roots, issuer.root_terms)
    return Check(check.id, check.result, check.detail, source)


async def _status(
    verifier: Verifier,
    presented: Presented,
    issuer: TrustedIssuer | None,
    revoked: frozenset[tuple[str, int]],
    at: int,
) -> Sequence[Check]:
    """STATUS and FRESHNESS; ``issuer`` is ``None`` where it is not trusted."""
    if issuer is None:
        return _status_unknown("Not looked at: the issuer is not trusted, so nobody is asked about it.")
    if presented.status is None:
        return _status_unknown("The document names no status list, so whether it was revoked cannot be known.")
    try:
        value, listed = await verifier.statuses.find(presented.status, issuer, revoked, at)
    except StatusUnknown as unknown:
        return _status_unknown(str(unknown))
    except DocumentError as wrong:
        return [
            Check(CheckId.STATUS, Result.FAIL, str(wrong), {"rule": wrong.rule}),
            Check(CheckId.FRESHNESS, Result.UNKNOWN, "Not looked at: the status list has no such entry."),
        ]
    age = max(0, at - listed.issued_at)
    young = Result.PASS if listed.fresh(at) else Result.UNKNOWN
    return _status_known(presented.status.uri, value, listed.issued_at, age, young)


@lru_cache(maxsize=64)  # only words: for a second, every check against the same list says the same
def _status_known(uri: str, value: int, issued_at: int, age: int, young: Result) -> Sequence[Check]:
    as_of = dt.datetime.fromtimestamp(issued_at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    evidence = {"status_list": uri, "as_of": as_of, "value": value}
    result = Result.PASS if value == StatusValue.VALID else Result.FAIL
    told = f"The status is as of {as_of}, {age} s ago."
    return (
        Check(CheckId.STATUS, result, STATUS_SENTENCES.get(value, _OTHER_STATUS), evidence),
        Check(CheckId.FRESHNESS, young, told, {"age_seconds": age}),
    )


def _status_unknown(why: str) -> list[Check]:
    return [Check(CheckId.STATUS, Result.UNKNOWN, why), Check(CheckId.FRESHNESS, Result.UNKNOWN, why)]


def _assurance(presented: Presented, least: Minimum, issuer: TrustedIssuer | None) -> Check:
    """Whether it was checked as well as demanded who the person is, by what the issuer says of it."""
    demands = {} if least is NO_MINIMUM else least.demands()  # nearly always nothing
    if not demands:
        return _NO_DEMAND
    if issuer is None:
        return Check(CheckId.ASSURANCE, Result.UNKNOWN, "Not looked at: the issuer is not trusted.")
    try:
        held = read_claims(presented.claims)
    except DocumentError as wrong:
        return Check(CheckId.ASSURANCE, Result.UNKNOWN, wrong.detail, {"rule": wrong.rule})
    asked = {"demanded": {name: level.value for name, level in demands.items()}}
    if held is None:
        unsaid = "Nothing was shown of how the person's identity was checked, and a minimum is demanded."
        return Check(CheckId.ASSURANCE, Result.UNKNOWN, unsaid, asked)
    unmet = least.unmet(held)
    if unmet:
        lower = f"The person's identity was not checked as well as is demanded: {', '.join(unmet)}."
        return Check(CheckId.ASSURANCE, Result.FAIL, lower, {"rule": "least-assurance", **asked})
    return Check(CheckId.ASSURANCE, Result.PASS, "The person's identity was checked as well as is demanded.", asked)
