"""One document before one verifier: the walk from check to check that every credential format shares.

Checks fall in order; one that rests on a failed check is ``unknown`` and says which. A format gives, per check, the
small functions that make it fail: each raises a ``DocumentError`` that bears its name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.verdict import Check, CheckId, Result
from idverify.errors import DocumentError
from idverify.formats.base import Presented


@dataclass(frozen=True)
class Examination(ABC):
    """What is looked at, by whom, and when (``at``, Unix seconds)."""

    presented: Presented
    trust: TrustStore
    at: int

    @property
    def issuer(self) -> TrustedIssuer:
        """Who of those we rely on the document is from: by its ``iss``, where a format does not know it otherwise.

        Raises ``DocumentError`` (``issuer-known``).
        """
        issuer = self.trust.issuer(self.presented.iss)
        if issuer is None:
            raise DocumentError("issuer-known", f"{self.presented.iss[:200]} is not an issuer that is relied on here.")
        return issuer

    @property
    @abstractmethod
    def asked(self) -> bool:
        """Whether the verifier asked the wallet for a proof."""

    @property
    @abstractmethod
    def answers(self) -> bool:
        """Whether the document came with a proof, for whatever request."""


def type_allowed(seen: Examination) -> None:
    """The trust decision is per type: an issuer of library cards issues no visas."""
    if not seen.issuer.allows(seen.presented.format, seen.presented.type):
        kind = seen.presented.type[:200]
        raise DocumentError("type-allowed", f"{seen.issuer.name} is not relied on for documents of type {kind}.")


Steps = tuple[Callable[[Any], None], ...]
Rules = Mapping[CheckId, Steps]

_RESTS_ON: Final[Mapping[CheckId, CheckId]] = {
    CheckId.ISSUER_TRUSTED: CheckId.SIGNATURE,
    CheckId.TYPE_ALLOWED: CheckId.ISSUER_TRUSTED,
    CheckId.VALIDITY: CheckId.ISSUER_TRUSTED,
    CheckId.HOLDER_BINDING: CheckId.ISSUER_TRUSTED,
    CheckId.AUDIENCE: CheckId.HOLDER_BINDING,
}
# Made once: most documents get these
_PASSED: Final[Mapping[CheckId, Check]] = {
    check: Check(check, Result.PASS, sentence)
    for check, sentence in {
        CheckId.SIGNATURE: "The signature matches the document.",
        CheckId.ISSUER_TRUSTED: "The signer is certified for an issuer that is relied on here.",
        CheckId.TYPE_ALLOWED: "The issuer is relied on for documents of this type.",
        CheckId.VALIDITY: "The document is within its dates.",
        CheckId.HOLDER_BINDING: "The wallet that presented the document holds its key.",
        CheckId.AUDIENCE: "The presentation was made for this verifier and this request.",
    }.items()
}
_NOT_ASKED: Final[Mapping[CheckId, Check]] = {
    check: Check(check, Result.UNKNOWN, sentence)
    for check, sentence in {
        CheckId.HOLDER_BINDING: "Nobody was asked to prove that the document is theirs.",
        CheckId.AUDIENCE: "The document was not presented in answer to a request.",
    }.items()
}
REQUEST_NOT_GIVEN: Final = "Not checked: the document answers a request, and which one was not given."
_OTHER_REQUEST: Final[Mapping[CheckId, Check]] = {
    check: Check(check, Result.UNKNOWN, REQUEST_NOT_GIVEN) for check in _NOT_ASKED
}
_PAPER_ANSWERS_NOTHING: Final = "A document on paper answers no request: nobody can prove to hold it."


def bound_to_no_key(*, asked: bool) -> Iterator[Check]:
    """HOLDER_BINDING and AUDIENCE of what is on paper: there is no key to prove, and so no request to answer."""
    if asked:
        yield Check(CheckId.HOLDER_BINDING, Result.FAIL, _PAPER_ANSWERS_NOTHING, {"rule": "binding-given"})
        yield Check(CheckId.AUDIENCE, Result.UNKNOWN, _PAPER_ANSWERS_NOTHING)
        return
    yield Check(CheckId.HOLDER_BINDING, Result.NOT_APPLICABLE, "Paper does not prove whose it is: compare the photo.")
    yield Check(CheckId.AUDIENCE, Result.NOT_APPLICABLE, "On paper it is made for no verifier in particular.")


def _look(seen: Examination, check: CheckId, steps: Steps) -> Check:
    try:
        for rule in steps:
            rule(seen)
    except DocumentError as broken:
        return Check(check, Result.FAIL, broken.detail, {"rule": broken.rule})
    if check in _NOT_ASKED and not seen.asked:
        return (_OTHER_REQUEST if seen.answers else _NOT_ASKED)[check]
    return _PASSED[check]


def examine(seen: Examination, rules: Rules, well_formed: Check) -> Iterator[Check]:
    """FORMAT, then the checks of ``rules`` in order; status, freshness and receipt are for who can fetch them.

    ``well_formed`` is the check of the format, which ``read`` found in order.
    """
    yield well_formed
    barred: set[CheckId] = set()
    for check, steps in rules.items():
        base = _RESTS_ON.get(check)
        resting = base in barred
        if resting:
            found = Check(check, Result.UNKNOWN, f"Not looked at, because the check {base} did not pass.")
        else:
            found = _look(seen, check, steps)
        if resting or found.result is Result.FAIL:
            barred.add(check)
        yield found
