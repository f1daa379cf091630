"""A verdict for people: one big word, the one sentence that matters, every check in plain words, what to do now."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.decision import REASONS, DecisionKind
from idverify.core.retirement import REASONS as RETIREMENTS
from idverify.core.retirement import Retirement
from idverify.core.verdict import PAPER_UNPROVEN, UNPROVEN, Check, CheckId, Outcome, Result, Verdict
from idverify.services.looks import Answer
from idverify.services.withdrawal import RETIRED
from idverify.web.pages.act_words import TYPES
from idverify.web.pages.said import Said, is_declared, is_namespace, said
from idverify.web.pages.words import N_, Language, date_in_words, translate

WORDS: Final[Mapping[Outcome, str]] = {
    Outcome.ACCEPT: N_("Accepted"),
    Outcome.REFER: N_("Check by hand"),
    Outcome.REJECT: N_("Rejected"),
}
_ACCEPTED: Final = N_("The document is genuine, and it holds today.")
_COMPARE: Final = N_("Compare the photo with the person. If it is them, nothing more to do.")
_UNPROVEN_AND_UNSEEN: Final = N_(
    "Ask the person to present it from their own wallet, or compare the name with a travel document."
)
_PAPER_UNSEEN: Final = N_(
    "The document is genuine. The person is not proven: compare the photo on it, and the name with a travel document."
)

_PASS, _FAIL, _UNKNOWN = Result.PASS, Result.FAIL, Result.UNKNOWN
# One sentence per check and result; a test holds the table against core.verdict
SENTENCES: Final[Mapping[tuple[CheckId, Result], str]] = {
    (CheckId.SIZE, _PASS): N_("The document is of a usual size."),
    (CheckId.SIZE, _FAIL): N_("What was sent is too large to be one document."),
    (CheckId.SIZE, _UNKNOWN): N_("The size was not looked at."),
    (CheckId.FORMAT, _PASS): N_("The document is written as its format demands."),
    (CheckId.FORMAT, _FAIL): N_("This is not a document that can be read here."),
    (CheckId.FORMAT, _UNKNOWN): N_("Whether the document can be read was not looked at."),
    (CheckId.SIGNATURE, _PASS): N_("Nobody changed it since it was signed."),
    (CheckId.SIGNATURE, _FAIL): N_("The signature is wrong: the document was changed or forged."),
    (CheckId.SIGNATURE, _UNKNOWN): N_("The signature could not be checked."),
    (CheckId.ISSUER_TRUSTED, _PASS): N_("An authority that is trusted here issued it."),
    (CheckId.ISSUER_TRUSTED, _FAIL): N_("Whoever issued it is not trusted here."),
    (CheckId.ISSUER_TRUSTED, _UNKNOWN): N_("Whether its issuer is trusted could not be told."),
    (CheckId.TYPE_ALLOWED, _PASS): N_("It is a kind of document that is accepted here."),
    (CheckId.TYPE_ALLOWED, _FAIL): N_("It is another kind of document than the one that is needed."),
    (CheckId.TYPE_ALLOWED, _UNKNOWN): N_("What kind of document it is could not be told."),
    (CheckId.VALIDITY, _PASS): N_("It is within its dates."),
    (CheckId.VALIDITY, _FAIL): N_("It is outside its dates: not valid yet, or no longer."),
    (CheckId.VALIDITY, _UNKNOWN): N_("Whether it is within its dates could not be told."),
    (CheckId.STATUS, _PASS): N_("It is not revoked and not suspended."),
    (CheckId.STATUS, _FAIL): N_("It was withdrawn: revoked, suspended, or replaced by a newer one."),
    (CheckId.STATUS, _UNKNOWN): N_("Whether it was revoked could not be learnt."),
    (CheckId.FRESHNESS, _PASS): N_("What is known of its status is recent."),
    (CheckId.FRESHNESS, _FAIL): N_("What is known of its status is too old."),
    (CheckId.FRESHNESS, _UNKNOWN): N_("How recent the known status is could not be told."),
    (CheckId.HOLDER_BINDING, _PASS): N_("Whoever showed it holds the key that it was issued to."),
    (CheckId.HOLDER_BINDING, _FAIL): N_("Whoever showed it does not hold the key that it was issued to."),
    (CheckId.HOLDER_BINDING, _UNKNOWN): N_("Who showed it is not proven."),
    (CheckId.AUDIENCE, _PASS): N_("It was shown for this very request."),
    (CheckId.AUDIENCE, _FAIL): N_("It was shown for somebody else's request, or for an older one."),
    (CheckId.AUDIENCE, _UNKNOWN): N_("Whether it was shown for this request could not be told."),
    (CheckId.RECEIPT, _PASS): N_("It stands on the issuer's public ledger."),
    (CheckId.RECEIPT, _FAIL): N_("The receipt that came with it does not hold."),
    (CheckId.RECEIPT, _UNKNOWN): N_("Whether it stands on the public ledger was not looked at."),
    (CheckId.ASSURANCE, _PASS): N_("It was checked well enough who the person is."),
    (CheckId.ASSURANCE, _FAIL): N_("It was not checked well enough who the person is."),
    (CheckId.ASSURANCE, _UNKNOWN): N_("How well it was checked who the person is was not shown."),
    (CheckId.DOCUMENT_INTEGRITY, _PASS): N_("Nothing in the letter was changed since its issuer signed it."),
    (CheckId.DOCUMENT_INTEGRITY, _FAIL): N_(
        "The letter was changed since it was signed, or its issuer did not sign it."
    ),
    (CheckId.DOCUMENT_INTEGRITY, _UNKNOWN): N_("Whether the letter was changed could not be told."),
    (CheckId.CONTENT_CONSISTENT, _PASS): N_("The text of the letter, its code and the file in it say the same."),
    (CheckId.CONTENT_CONSISTENT, _FAIL): N_("The text of the letter, its code and the file in it do not agree."),
    (CheckId.CONTENT_CONSISTENT, _UNKNOWN): N_("Whether the letter says one thing could not be told."),
}
_DOES_NOT_APPLY: Final = N_("This check does not apply here.")
_ON_PAPER: Final[Mapping[CheckId, str]] = {
    CheckId.HOLDER_BINDING: N_("Paper does not prove whose it is: compare the photo."),
}
NAMES: Final[Mapping[CheckId, str]] = {
    CheckId.SIZE: N_("Size"),
    CheckId.FORMAT: N_("Format"),
    CheckId.SIGNATURE: N_("Signature"),
    CheckId.ISSUER_TRUSTED: N_("Issuer"),
    CheckId.TYPE_ALLOWED: N_("Kind of document"),
    CheckId.VALIDITY: N_("Dates"),
    CheckId.STATUS: N_("Status"),
    CheckId.FRESHNESS: N_("Age of the status"),
    CheckId.HOLDER_BINDING: N_("Who shows it"),
    CheckId.AUDIENCE: N_("Request"),
    CheckId.RECEIPT: N_("Receipt"),
    CheckId.ASSURANCE: N_("Identity check"),
    CheckId.DOCUMENT_INTEGRITY: N_("Letter unchanged"),
    CheckId.CONTENT_CONSISTENT: N_("Letter says one thing"),
}
RESULTS: Final[Mapping[Result, str]] = {
    Result.PASS: N_("Holds"),
    Result.FAIL: N_("Does not hold"),
    Result.UNKNOWN: N_("Could not be told"),
    Result.NOT_APPLICABLE: N_("Does not apply"),
}
_JPEG: Final = b"\xff\xd8\xff"
_JPEG_URL: Final = "data:image/jpeg;base64,"
_URLS: Final = (_JPEG_URL, "data:image/webp;base64,")
_FOLDING: Final = (Result.UNKNOWN, Result.PASS, Result.NOT_APPLICABLE)  # of what is folded away, the worst first
# What became of a document of ours, by the decision that did it (services.withdrawal.WITHDRAWN)
WITHDRAWN: Final[Mapping[DecisionKind, str]] = {
    DecisionKind.GRANT: N_("Replaced on %(date)s by decision."),
    DecisionKind.VARY: N_("Replaced on %(date)s by decision."),
    DecisionKind.SUSPEND: N_("Suspended on %(date)s by decision."),
    DecisionKind.REINSTATE: N_("Reinstated on %(date)s by decision."),
    DecisionKind.REVOKE: N_("Revoked on %(date)s by decision."),
}

_RETIRED: Final = N_("Withdrawn on %(date)s, not by decision.")


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """A check in words. ``detail`` is what the check itself said, in English, for whoever looks closer.

    The ``sentence`` of the decisive check is empty: it stands in big letters already.
    """

    id: str
    name: str
    result: str
    sentence: str
    detail: str


@dataclass(frozen=True, slots=True)
class ShownVerdict:
    """A verdict in words, translated; ``lines`` are labels and values for the template to translate."""

    outcome: str
    word: str
    sentence: str
    reason: str
    open: tuple[ShownCheck, ...]
    folded: tuple[ShownCheck, ...]
    next_step: str
    document: str | None
    lines: tuple[Said, ...]
    photo: str | None


def in_words(language: Language, answer: Answer) -> ShownVerdict:
    """The verdict in the reader's language."""
    verdict, claims = answer.verdict, answer.claims or {}
    decisive, photo = _decisive(verdict), _photo(claims)
    sentence, reason = (
        (translate(language, _ACCEPTED), "") if decisive is None else _sentence_that_matters(language, decisive)
    )
    worst = _FAIL if verdict.verdict is Outcome.REJECT else _UNKNOWN
    told = [(check.result, _check_in_words(language, check, decisive)) for check in verdict.checks]
    return ShownVerdict(
        verdict.verdict.value,
        translate(language, WORDS[verdict.verdict]),
        sentence,
        reason,
        tuple(check for result, check in told if result is worst),
        tuple(check for wanted in _FOLDING if wanted is not worst for result, check in told if result is wanted),
        translate(language, _next_step(verdict, has_photo=photo is not None)),
        None if answer.type is None else TYPES.get(answer.type, answer.type),
        said(claims),
        photo,
    )


def headline(language: Language, verdict: Verdict) -> tuple[str, str]:
    """The one word, and the sentence that matters."""
    decisive = _decisive(verdict)
    sentence = translate(language, _ACCEPTED) if decisive is None else _sentence_that_matters(language, decisive)[0]
    return translate(language, WORDS[verdict.verdict]), sentence


def checks_in_words(language: Language, verdict: Verdict) -> tuple[ShownCheck, ...]:
    """Every check in its order, each with its sentence: that which decided, too."""
    return tuple(_check_in_words(language, check, None) for check in verdict.checks)


def _decisive(verdict: Verdict) -> Check | None:
    """The check that made the verdict: the first that failed, else the first that is not known."""
    if verdict.verdict is Outcome.ACCEPT:
        return None
    wanted = Result.FAIL if verdict.verdict is Outcome.REJECT else Result.UNKNOWN
    return next((check for check in verdict.checks if check.result is wanted), None)


def _next_step(verdict: Verdict, *, has_photo: bool) -> str:
    """What the verdict says; but a photo is to be compared exactly where one is shown."""
    if verdict.next_step == PAPER_UNPROVEN:
        return PAPER_UNPROVEN if has_photo else _PAPER_UNSEEN
    if has_photo and verdict.verdict is Outcome.ACCEPT:
        return _COMPARE
    if not has_photo and verdict.next_step == UNPROVEN:
        return _UNPROVEN_AND_UNSEEN
    return verdict.next_step


def _sentence_that_matters(language: Language, check: Check) -> tuple[str, str]:
    """The sentence of the decisive check and, where officers are told it, the reason of a withdrawal."""
    withdrawn = (check.evidence or {}).get("withdrawn")
    if withdrawn is None:
        return translate(language, SENTENCES[check.id, check.result]), ""
    on = {"date": date_in_words(language, withdrawn["on"])}
    if withdrawn["kind"] == RETIRED:
        return translate(language, _RETIRED) % on, translate(language, RETIREMENTS[Retirement(withdrawn["reason"])])
    kind = DecisionKind(withdrawn["kind"])
    return translate(language, WITHDRAWN[kind]) % on, translate(language, REASONS[kind][withdrawn["reason"]])


def _check_in_words(language: Language, check: Check, decisive: Check | None) -> ShownCheck:
    name = translate(language, NAMES[check.id])
    if check is decisive:
        sentence = ""
    elif check.result is Result.NOT_APPLICABLE:
        sentence = translate(language, _ON_PAPER.get(check.id, _DOES_NOT_APPLY))
    else:
        sentence, _ = _sentence_that_matters(language, check)
    return ShownCheck(check.id.value, name, translate(language, RESULTS[check.result]), sentence, check.detail)


def _photo(claims: Mapping[str, Any]) -> str | None:
    """The holder's photo as a ``data:`` URL: a JPEG as ``core.person`` takes it, or the WebP of a paper code.

    An mdoc has it as bytes, in the namespace of its type.
    """
    picture = claims.get("picture")
    if isinstance(picture, str):
        return picture if picture.startswith(_URLS) else None
    for name, inside in claims.items():
        ours = is_namespace(name, inside) and is_declared(name)
        portrait = inside.get("portrait", inside.get("picture")) if ours else None
        if isinstance(portrait, bytes) and portrait.startswith(_JPEG):
            return _JPEG_URL + base64.b64encode(portrait).decode()
    return None
