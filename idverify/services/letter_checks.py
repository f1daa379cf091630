"""The checks that a letter as PDF has besides those of its credential: what was signed, and whether it says one thing.

A worker took the PDF apart and may have been taken over by it. So who signed which bytes is found here, from the bytes;
its word counts for what only a reader of PDF can tell, and only of a PDF that a trusted signer signed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.verdict import Check, CheckId, Result
from idverify.errors import DocumentError
from idverify.formats import carriers, cms, stamped, x509
from idverify.formats.base import Presented
from idverify.formats.pdf import appended
from idverify.formats.pdf.attachments import CREDENTIAL, RECEIPT
from idverify.formats.pdf.visible_text import RULE, require_states
from idverify.ports import Letterhead
from idverify.sandbox.answers import Found, Signature
from idverify.services import letter_stamps
from idverify.services.letter_stamps import DOCUMENT_STAMP, SIGNATURE_STAMP, Judged, Worth

MAX_SKEW: Final = 60
MAX_SIGNATURE: Final = 32 * 1024
_PAPER: Final = frozenset({x509.Purpose.PAPER})

States = Callable[[Mapping[str, Any], str, Sequence[Sequence[str]]], None]
"""Asked whether rows state these claims in this language; raises ``DocumentError`` (``visible-text``)."""


def stated_by(letterhead: Letterhead) -> States:
    """Rows must be the lines that whoever writes letters here would write (docs/letters.md)."""

    def states(claims: Mapping[str, Any], language: str, rows: Sequence[Sequence[str]]) -> None:
        try:
            lines = letterhead.lines(claims, language)
        except ValueError:
            raise DocumentError(RULE, "The letter is in a language that letters are not written in.") from None
        require_states(lines, rows)

    return states


@dataclass(frozen=True)
class Letter:
    """A signed PDF, and what a worker found in it."""

    pdf: bytes
    found: Found

    @property
    def signature(self) -> Signature:
        """The first that is no time stamp."""
        return next(one for one in self.found.signatures if one.kind != "time-stamp")

    @property
    def document_stamps(self) -> tuple[Signature, ...]:
        """The time stamps over the document."""
        return tuple(one for one in self.found.signatures if one.kind == "time-stamp")

    @property
    def credential(self) -> bytes | None:
        """The embedded credential, if there is one."""
        return next((one.content for one in self.found.attachments if one.name == CREDENTIAL), None)

    @property
    def receipt(self) -> bytes | None:
        """The embedded receipt of the ledger, if there is one."""
        return next((one.content for one in self.found.attachments if one.name == RECEIPT), None)


@dataclass(frozen=True)
class Seen:
    """One letter before one verifier. ``presented`` is its credential; ``states`` knows how letters say things."""

    letter: Letter
    presented: Presented
    issuer: TrustedIssuer | None
    trust: TrustStore
    at: int
    states: States | None

    @property
    def leaf(self) -> bytes:
        """The certificate of whom the PDF names as its signer."""
        return self.letter.signature.chain[0]

    @cached_property
    def stamps(self) -> tuple[Judged, ...]:
        """Its time stamps, judged. Raises ``DocumentError``."""
        if self.issuer is None:
            return ()
        relied = stamped.Relied(self.issuer.iss, self.issuer.stamp_roots, self.trust.revoked_serials)
        letter = self.letter
        return letter_stamps.judged(letter.pdf, letter.signature, letter.document_stamps, relied, self.at)

    @cached_property
    def code(self) -> Presented:
        """The paper code on the pages. Raises ``DocumentError``."""
        form = carriers.FORMATS["idv1"]
        return form.signed_by(form.read(carriers.code_of(self.letter.found.codes)), self.trust)


def _of_worker(check: CheckId) -> Callable[[Seen], None]:
    def built_as_it_must_be(seen: Seen) -> None:
        for broken in seen.letter.found.broken:
            if broken.check == check:
                raise DocumentError(broken.rule, broken.sentence)

    return built_as_it_must_be


def signatures_in_place(seen: Seen) -> None:
    """ISO 32000-1 12.8.1: what a signature leaves out is itself, in hexadecimal digits, and nothing hides there."""
    for one in seen.letter.found.signatures:
        hole = seen.letter.pdf[one.start : one.end]
        digits = one.cms.hex().encode()
        if len(one.cms) > MAX_SIGNATURE or not one.start < one.end <= one.size <= len(seen.letter.pdf):
            raise DocumentError("byte-range", f"A signature may have {MAX_SIGNATURE} bytes, and must be in the PDF.")
        if (hole[:1], hole[-1:]) != (b"<", b">") or hole[1:-1].lower().rstrip(b"0") != digits.rstrip(b"0"):
            raise DocumentError("byte-range", "A signature must leave out itself and nothing else.")


def appended_listed(seen: Seen) -> None:
    """ISO 32000-1 7.5.6: what stands behind the signed revision is the same to every reader of PDF."""
    appended.require_listed(seen.letter.pdf, seen.letter.signature.size)


def signature_holds(seen: Seen) -> None:
    """ETSI EN 319 142-1 5.3, over the bytes as received: all of the signed revision but the signature itself."""
    said = seen.letter.signature
    digest = hashlib.sha256(seen.letter.pdf[: said.start])
    digest.update(seen.letter.pdf[said.end : said.size])
    cms.require_signed(said.cms, cms.DATA, digest.digest(), seen.leaf)


def signer_certified(seen: Seen) -> None:
    """The signer is certified for paper under a root that we chose for the issuer of the credential."""
    if seen.issuer is None:
        raise DocumentError("issuer-known", f"{seen.presented.iss[:200]} is not an issuer that is relied on here.")
    asked = x509.SignerExpected(seen.issuer.iss, seen.issuer.roots, _PAPER, seen.trust.revoked_serials, seen.at)
    x509.verify_signer(tuple(seen.letter.signature.chain[:1]), asked)


def signed_in_period(seen: Seen) -> None:
    """RFC 3280 section 4.2.1.4: the key was in use when the letter says that it was signed."""
    x509.require_signed_in_period(seen.leaf, seen.letter.signature.at)


def signed_in_past(seen: Seen) -> None:
    """Nothing was signed tomorrow."""
    if seen.letter.signature.at - MAX_SKEW > seen.at:
        raise DocumentError("signed-in-past", "The letter says it was signed in the future; check the clocks.")


def _stamps_hold(seen: Seen, rule: str) -> None:
    wrong = next((one.wrong for one in seen.stamps if one.rule == rule and one.wrong is not None), None)
    if wrong is not None:
        raise wrong


def signature_time_stamp(seen: Seen) -> None:
    """ETSI EN 319 122-1 5.3: it is over the value of this signature, by the issuer's time-stamp authority."""
    _stamps_hold(seen, SIGNATURE_STAMP)


def document_time_stamp(seen: Seen) -> None:
    """ETSI EN 319 142-1 5.4.3: it is over the whole document as it stood then."""
    _stamps_hold(seen, DOCUMENT_STAMP)


def stamped_in_order(seen: Seen) -> None:
    """Nothing is stamped before it is there, nor tomorrow: signature, its stamps, those of the document, and now."""
    before = seen.letter.signature.at
    for one in seen.stamps:
        if one.worth is not Worth.HELD:
            continue
        if not before - MAX_SKEW <= one.at <= seen.at + MAX_SKEW:
            raise DocumentError(one.rule, "A time stamp is from before what it is over, or from the future.")
        before = one.at


def stamped_in_period(seen: Seen) -> None:
    """RFC 3280 section 4.2.1.4: the key was in use when, by its own time stamp, the signature was there."""
    proven = letter_stamps.signature_proven_at(seen.stamps)
    if proven is not None:
        x509.require_signed_in_period(seen.leaf, proven)


def code_is_genuine(seen: Seen) -> None:
    """The code on the page is signed by the same issuer, which is relied on for such codes."""
    form = carriers.FORMATS["idv1"]
    checks = form.check(seen.code, seen.trust, seen.at, None)
    wanted = (CheckId.SIGNATURE, CheckId.ISSUER_TRUSTED, CheckId.TYPE_ALLOWED)
    wrong = next((check for check in checks if check.id in wanted and check.result is not Result.PASS), None)
    if wrong is not None:
        raise DocumentError("code-genuine", f"The code on the letter does not hold: {wrong.detail}")


def code_agrees(seen: Seen) -> None:
    """It is about the same copy, and says what the credential says; of a portrait it has a small one of its own."""
    code, credential = seen.code, seen.presented
    same = (code.iss, code.type, code.status) == (credential.iss, credential.type, credential.status)
    said = {name: value for name, value in code.claims.items() if name != "picture"}
    if not same or any(name not in credential.claims or credential.claims[name] != said[name] for name in said):
        raise DocumentError("code-agrees", "The code on the letter says otherwise than the credential in it.")


def text_agrees(seen: Seen) -> None:
    """What stands on the pages is what the credential says, line by line."""
    if seen.states is not None:
        seen.states(seen.presented.claims, seen.letter.found.language, seen.letter.found.rows)


RULES: Final[Mapping[CheckId, tuple[Callable[[Seen], None], ...]]] = {
    CheckId.DOCUMENT_INTEGRITY: (
        _of_worker(CheckId.DOCUMENT_INTEGRITY),
        signatures_in_place,
        appended_listed,
        signature_holds,
        signer_certified,
        signed_in_period,
        signed_in_past,
        signature_time_stamp,
        document_time_stamp,
        stamped_in_order,
        stamped_in_period,
    ),
    CheckId.CONTENT_CONSISTENT: (
        _of_worker(CheckId.CONTENT_CONSISTENT),
        code_is_genuine,
        code_agrees,
        text_agrees,
    ),
}
_PASSED: Final = {
    CheckId.DOCUMENT_INTEGRITY: "Nothing was changed since the letter was signed by its issuer.",
    CheckId.CONTENT_CONSISTENT: "Text, code and credential of the letter say the same.",
}
_NO_LETTER: Final = tuple(
    Check(check, Result.NOT_APPLICABLE, "There is no letter around it.")
    for check in (CheckId.DOCUMENT_INTEGRITY, CheckId.CONTENT_CONSISTENT)
)


def no_letter() -> tuple[Check, ...]:
    """Of a code alone."""
    return _NO_LETTER


def checks(seen: Seen, *, genuine: bool) -> Iterator[Check]:
    """DOCUMENT_INTEGRITY and CONTENT_CONSISTENT; ``genuine``: the credential in it is."""
    integral = _look(seen, CheckId.DOCUMENT_INTEGRITY)
    yield integral
    if integral.result is not Result.PASS:
        why = f"Not looked at, because the check {CheckId.DOCUMENT_INTEGRITY} did not pass."
        yield Check(CheckId.CONTENT_CONSISTENT, Result.UNKNOWN, why)
    elif not genuine:
        yield Check(CheckId.CONTENT_CONSISTENT, Result.UNKNOWN, "Not looked at: the credential in it is not genuine.")
    else:
        yield _look(seen, CheckId.CONTENT_CONSISTENT)


def _look(seen: Seen, check: CheckId) -> Check:
    evidence = {"later": seen.letter.found.later, "signed_bytes": seen.letter.signature.size}
    try:
        for rule in RULES[check]:
            rule(seen)
        if check is CheckId.DOCUMENT_INTEGRITY:
            evidence |= letter_stamps.evidence(seen.stamps, seen.letter.signature.at)
    except DocumentError as wrong:
        return Check(check, Result.FAIL, wrong.detail, {"rule": wrong.rule, **evidence})
    return Check(check, Result.PASS, _PASSED[check], evidence)


# --- PDFs of others ------------------------------------------------------------------------------------------------


def of_others(letter: Letter, trust: TrustStore, at: int) -> list[Check]:
    """The verdict's checks on a signed PDF that holds no credential: what is covered, and what was changed later.

    It is never accepted: nobody can tell its type, its dates and its status.
    """
    signed = letter.signature
    found = [
        Check(CheckId.SIZE, Result.PASS, "Within the limits."),
        Check(CheckId.FORMAT, Result.PASS, "A signed PDF, which holds no credential."),
        _signature_of_others(signed),
        _signer_of_others(signed, trust, at),
    ]
    nothing = "The PDF holds no credential, so this cannot be told."
    rest = (CheckId.TYPE_ALLOWED, CheckId.VALIDITY, CheckId.STATUS, CheckId.FRESHNESS)
    found += [Check(check, Result.UNKNOWN, nothing) for check in rest]
    found += [Check(check, Result.NOT_APPLICABLE, nothing) for check in (CheckId.HOLDER_BINDING, CheckId.AUDIENCE)]
    found += [Check(check, Result.NOT_APPLICABLE, nothing) for check in (CheckId.RECEIPT, CheckId.ASSURANCE)]
    found.append(_changes_of_others(letter))
    return [*found, Check(CheckId.CONTENT_CONSISTENT, Result.NOT_APPLICABLE, nothing)]


def _signature_of_others(signed: Signature) -> Check:
    if signed.intact:
        return Check(CheckId.SIGNATURE, Result.PASS, "The signature matches what it covers.")
    wrong = "The signature does not match what it covers."
    return Check(CheckId.SIGNATURE, Result.FAIL, wrong, {"rule": "signature"})


_END: Final = re.compile(rb"%%EOF[\r\n]{0,2}\Z")
_OF_PDFS: Final = frozenset({x509.Purpose.PAPER, x509.Purpose.STATEMENT, x509.Purpose.VERIFICATION})


def _signer_of_others(signed: Signature, trust: TrustStore, at: int) -> Check:
    wrong = DocumentError("issuer-known", "The signer is certified by nobody who is relied on here.")
    for issuer in trust.issuers.values():
        try:
            asked = x509.SignerExpected(issuer.iss, issuer.roots, _OF_PDFS, trust.revoked_serials, at)
            x509.verify_signer(tuple(signed.chain[:1]), asked)
            x509.require_signed_in_period(signed.chain[0], signed.at)
        except DocumentError as refused:
            wrong = wrong if refused.rule == "path" else refused
            continue
        what_for = " for receipts of checks" if x509.made_for(signed.chain[0], x509.Purpose.VERIFICATION) else ""
        said = f"The signer is certified{what_for} by {issuer.name}, which is relied on here."
        return Check(CheckId.ISSUER_TRUSTED, Result.PASS, said, {"issuer": issuer.name})
    return Check(CheckId.ISSUER_TRUSTED, Result.FAIL, wrong.detail, {"rule": wrong.rule})


def _goes_on(letter: Letter) -> bool:
    """Whether something stands behind the end, or behind all that is signed where nothing was added since."""
    last = max(one.size for one in letter.found.signatures)
    return not _END.search(letter.pdf) or (letter.found.later == "nothing" and last != len(letter.pdf))


def _changes_of_others(letter: Letter) -> Check:
    evidence = {"later": letter.found.later, "signed_bytes": letter.signature.size, "bytes": len(letter.pdf)}
    unclear = {"covers-revision", "byte-range"} & {one.rule for one in letter.found.broken} or _goes_on(letter)
    if letter.found.later == "other" or unclear:
        told = "It was changed after it was signed, in ways that no signer allows, or its signature does not cover it."
        return Check(CheckId.DOCUMENT_INTEGRITY, Result.FAIL, told, {"rule": "changed-later", **evidence})
    try:
        appended.require_listed(letter.pdf, letter.signature.size)
    except DocumentError as unlike:
        if letter.found.later == "evidence":
            return Check(CheckId.DOCUMENT_INTEGRITY, Result.UNKNOWN, unlike.detail, {"rule": unlike.rule, **evidence})
    if letter.found.later == "permitted":
        told = "After it was signed a form was filled in or signed: the signer did not see that."
        return Check(CheckId.DOCUMENT_INTEGRITY, Result.UNKNOWN, told, evidence)
    return Check(CheckId.DOCUMENT_INTEGRITY, Result.PASS, "Nothing was changed since it was signed.", evidence)
