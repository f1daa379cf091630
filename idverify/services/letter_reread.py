"""A letter that was just made is read again before anybody gets it: sign, verify one's own signature, commit.

A worker of ``making`` reads it, which has met nobody's bytes but ours; what it finds is judged by the rules that judge
anybody's letter, and held against what was to be made. So nothing is committed that would be rejected at a counter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from idverify.core.form_parts import SD_JWT_VC
from idverify.core.verdict import Result
from idverify.errors import DocumentError, Unavailable
from idverify.formats import carriers
from idverify.services import letter_checks, letter_stamps
from idverify.services.letter_checks import Letter, Seen, stated_by
from idverify.services.letter_stamps import Worth
from idverify.services.office import Office

log = structlog.get_logger()
_NOT_AS_PLANNED: Final = (
    "The letter did not come out as it should, and was not issued. An operator finds why in the log."
)


class NotAsPlanned(Unavailable):
    """What was made is not what was to be made, or would not be accepted: nobody gets it."""

    slug, title = "letter-not-as-planned", "The letter did not come out as it should"


@dataclass(frozen=True, slots=True)
class Planned:
    """What must be in the letter: its files, the text of its code, its signer's certificate (DER), its time stamps.

    ``revision`` is the size of the revision that it signs; ``stamps`` are rules of ``letter_stamps``, one each.
    """

    credential: bytes
    receipt: bytes
    code: str
    signer: bytes
    revision: int
    stamps: tuple[str, ...]


async def require_as_planned(office: Office, pdf: bytes, planned: Planned) -> None:
    """Read the letter and judge it. Raises ``NotAsPlanned``, and ``Busy`` or ``Unavailable`` if nobody can read now."""
    try:
        found = await office.sandbox.do("reread-letter", {"pdf": pdf})
        require_signed_as_planned(office, Letter(pdf, found), planned)
    except DocumentError as wrong:
        log.error("letter_not_as_planned", rule=wrong.rule)  # noqa: TRY400  words may quote the letter
        raise NotAsPlanned(_NOT_AS_PLANNED) from wrong


def require_signed_as_planned(office: Office, letter: Letter, planned: Planned) -> None:
    """By every rule of letters, under our own trust, and by ``RULES``. Raises ``DocumentError``."""
    if not letter.found.signatures:
        raise DocumentError("one-signature", "The letter is not signed.")
    at, form = office.clock.now(), carriers.FORMATS[SD_JWT_VC]
    trust = office.trust.at(at)
    presented = form.signed_by(form.read(letter.credential or b""), trust)
    seen = Seen(letter, presented, form.issuer(presented, trust), trust, at, stated_by(office.letterhead))
    for check in letter_checks.checks(seen, genuine=True):
        if check.result is not Result.PASS:
            raise DocumentError((check.evidence or {}).get("rule", check.id), check.detail)
    for rule in RULES:
        rule(seen, planned)


def holds_what_was_planned(seen: Seen, planned: Planned) -> None:
    """The credential and the receipt that were committed, and the code, which readers may find twice."""
    letter = seen.letter
    held = letter.credential, letter.receipt, carriers.code_of(letter.found.codes)
    if held != (planned.credential, planned.receipt, planned.code.encode()):
        raise DocumentError("as-planned", "The letter holds another credential, receipt or code than was planned.")


def signed_by_the_planned(seen: Seen, planned: Planned) -> None:
    """By this certificate, over the revision that the ledger will speak of."""
    if (seen.leaf, seen.letter.signature.size) != (planned.signer, planned.revision):
        raise DocumentError("as-planned", "The letter is signed by another certificate, or is another revision.")


def stamped_as_planned(seen: Seen, planned: Planned) -> None:
    """The time stamps of its level, each of which proves its time."""
    if [(one.rule, one.worth) for one in seen.stamps] != [(rule, Worth.HELD) for rule in planned.stamps]:
        raise DocumentError("as-planned", "The letter has other time stamps than its level asks for.")


RULES: Final[tuple[Callable[[Seen, Planned], None], ...]] = (
    holds_what_was_planned,
    signed_by_the_planned,
    stamped_as_planned,
)

STAMPS_OF: Final = {
    "B-B": (),
    "B-T": (letter_stamps.SIGNATURE_STAMP,),
    "B-LTA": (letter_stamps.SIGNATURE_STAMP, letter_stamps.DOCUMENT_STAMP),
}
"""By the level of a letter."""
