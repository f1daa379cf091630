"""Verifying a document: open what it is in, sniff, read, check, ask the status, judge the receipt, fold.

The look is durable first.

The same walk serves the API (online) and ``idverify verify`` (offline, from a bundle). No step asks the issuer
about one credential.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from idverify.core.assurance import Minimum, read_claims
from idverify.core.credential import StatusReference
from idverify.core.credential_type import Purpose, visible_claims
from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.types import declared_as, declared_form
from idverify.core.verdict import CHECKS, Channel, Check, CheckId, Outcome, Result, Verdict, fold
from idverify.errors import DocumentError, Unavailable
from idverify.formats import carriers, untrusted
from idverify.formats.base import HolderBindingExpected, Presented
from idverify.formats.carriers import Enclosure
from idverify.formats.status_list import StatusValue
from idverify.formats.x509 import key_id
from idverify.ledger.errors import ReceiptError
from idverify.ledger.policy import Policies, Policy
from idverify.ledger.receipt import QUORUM, verify_receipt
from idverify.ports import Sandbox
from idverify.services.status_source import StatusSource, StatusUnknown

STATUS_SENTENCES: Final[Mapping[int, str]] = {
    StatusValue.VALID: "Not revoked and not suspended.",
    StatusValue.INVALID: "Revoked: it was withdrawn by a decision or by its holder, or replaced by a newer one.",
    StatusValue.SUSPENDED: "Suspended by a recorded decision; it may be reinstated.",
}
_UNWITNESSED: Final = "Its receipt is older than the witnesses that are asked for now. The holder can fetch it anew."
_WITHIN_LIMITS: Final = Check(CheckId.SIZE, Result.PASS, "Within the limits.")
_NO_RECEIPT: Final = Check(CheckId.RECEIPT, Result.NOT_APPLICABLE, "No receipt came with it; none is required.")
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
        document = submission.document
        if (enclosure := carriers.enclosure(document)) is not None:
            document = await _ENCLOSED[enclosure](verifier, document)
        carrier = carriers.sniff(document)
        presented = carrier.read(document)
    except DocumentError as wrong:
        return Verified(fold(_unreadable(wrong, submission.channel), submission.channel), None, submission.channel)
    trust = verifier.trust.at(at)
    presented = carrier.signed_by(presented, trust)
    channel = Channel.PAPER if carrier.on_paper and submission.expected is None else submission.channel
    issuer = carrier.issuer(presented, trust)
    checks, trusted = [_WITHIN_LIMITS], None
    for found in carrier.check(presented, trust, at, submission.expected):
        check = found
        if found.id is CheckId.TYPE_ALLOWED:
            check = _of_asked_type(found, submission, presented)
        if check.id is CheckId.ISSUER_TRUSTED or check.result is Result.FAIL:
            check = _trust_explained(check, presented, issuer, trust, at)
            trusted = issuer if _passed(check, CheckId.ISSUER_TRUSTED) else trusted
        checks.append(check)
    checks += await _status(verifier, presented, trusted, trust.revoked_serials, at)
    checks.append(_receipt(verifier, presented, submission.receipt))
    checks.append(_assurance(presented, submission.least_assurance, trusted))
    return Verified(fold(checks, channel, submission.demanded), presented, channel, issuer)


async def _in_image(verifier: Verifier, image: bytes) -> bytes:
    """The paper code in a photo or a scan."""
    if verifier.sandbox is None:
        raise Unavailable("No image can be opened here.")
    found = await verifier.sandbox.do("read-codes", {"image": image})
    return carriers.code_of(code.text for code in found)


_ENCLOSED: Final[Mapping[Enclosure, Callable[[Verifier, bytes], Awaitable[bytes]]]] = {carriers.IMAGE: _in_image}


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


def _receipt(verifier: Verifier, presented: Presented, receipt: bytes | None) -> Check:
    if receipt is None:
        return _NO_RECEIPT
    if not presented.signing_chain:
        return Check(CheckId.RECEIPT, Result.UNKNOWN, "Not looked at: its signer is not known.")
    status = None if presented.status is None else (presented.status.uri, presented.status.index)
    try:
        held = verify_receipt(
            receipt,
            hashlib.sha256(presented.issuer_signed).digest(),
            verifier.log_policy,
            kid=key_id(presented.signing_chain[0]),
            status=status,
            record_type="credential.issued",
        )
    except (ReceiptError, DocumentError) as wrong:
        if wrong.rule == QUORUM:  # as good as none: whoever shows it may leave it away
            return Check(CheckId.RECEIPT, Result.NOT_APPLICABLE, _UNWITNESSED, {"rule": wrong.rule})
        return Check(CheckId.RECEIPT, Result.FAIL, f"The receipt does not hold: {wrong}", {"rule": wrong.rule})
    evidence = {"origin": held.checkpoint.origin, "index": held.entry.index, "tree_size": held.checkpoint.size}
    return Check(CheckId.RECEIPT, Result.PASS, "It stands on the issuer's public ledger.", evidence)


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
