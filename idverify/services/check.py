"""Somebody checks documents here: verify them, make the looks durable, then answer what their purpose allows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from idverify.core.assurance import Minimum
from idverify.core.policy import Act, Principal, Role, require_may
from idverify.errors import ClientError, IdverifyError
from idverify.formats.handed_over import HandedOver
from idverify.services import letter_checks, looks, verification_receipts, withdrawal
from idverify.services.looks import Answer, Looked
from idverify.services.office import Office
from idverify.services.present import Awaited, awaited
from idverify.services.verify import NO_MINIMUM, Submission, Verified, Verifier, verify

MOST: Final = 256
"""Documents that are checked in one go at most."""

_BREATH: Final = 16  # documents after which others have their turn


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the asker wants besides the verdict: a signed receipt of it, and some least assurance of the identity."""

    receipt: bool = False
    least_assurance: Minimum = NO_MINIMUM


NO_WISHES: Final = Wishes()


async def check(office: Office, asker: Principal, given: HandedOver, wishes: Wishes = NO_WISHES) -> Answer:
    """Check a document. Raises what makes the request impossible; of the document itself speaks the verdict."""
    (answer,) = await check_all(office, asker, (given,), wishes)
    if isinstance(answer, IdverifyError):
        raise answer
    return answer


async def check_all(
    office: Office, asker: Principal, given: Sequence[HandedOver], wishes: Wishes = NO_WISHES
) -> list[Answer | ClientError]:
    """Check documents, each by itself; their looks are committed together before any of them is answered.

    In the place of one whose request cannot be answered any more stands why: the others are none the worse for it.
    """
    require_may(asker, Act.VERIFY)
    verifier, at = online_verifier(office), office.clock.now()
    looked: list[Looked | ClientError] = []
    for number, one in enumerate(given, 1):
        looked.append(await _looked_at(office, asker, verifier, one, wishes, at))
        if number % _BREATH == 0:
            await asyncio.sleep(0)
    if wishes.receipt:
        looked = await asyncio.gather(*(_with_receipt(office, asker, one) for one in looked))
    recorded = await looks.record(office, asker, looked, at)
    return [one if isinstance(one, ClientError) else _counted(office, one) for one in recorded]


async def _looked_at(
    office: Office, asker: Principal, verifier: Verifier, given: HandedOver, wishes: Wishes, at: int
) -> Looked | ClientError:
    try:
        answered = None if given.request is None else await awaited(office, asker, given.request)
    except ClientError as refused:
        return refused
    submission = _submission(given, answered, wishes.least_assurance)
    verified = await verify(verifier, submission, at)
    return Looked(submission, verified, answered, await _answer(office, asker, verified))


def _submission(given: HandedOver, answered: Awaited | None, least: Minimum) -> Submission:
    if answered is None:
        return Submission(given.document, given.receipt, least_assurance=least)
    demanded = answered.least_assurance
    if least is not NO_MINIMUM:
        demanded = demanded.raised_by(least)
    return Submission(given.document, given.receipt, answered.expected, answered.type, demanded)


async def _answer(office: Office, asker: Principal, verified: Verified) -> Answer:
    kind = None if verified.presented is None else verified.presented.type
    verdict = await withdrawal.with_reason(office, verified) if asker.role is Role.OFFICER else verified.verdict
    return Answer(verdict, kind, verified.claims_for(asker.purpose))


async def _with_receipt(office: Office, asker: Principal, looked: Looked | ClientError) -> Looked | ClientError:
    """Signed before the look is committed, which keeps the receipt's digest: neither is there without the other."""
    if isinstance(looked, ClientError):
        return looked
    made = await verification_receipts.make(office, asker, looked)
    return replace(looked, answer=replace(looked.answer, receipt=made))


def _counted(office: Office, looked: Looked) -> Answer:
    office.tally.checked(looked.verified.verdict.verdict, looked.verified.channel)
    return looked.answer


def online_verifier(office: Office) -> Verifier:
    """What this service's own verifications rest on."""
    return Verifier(
        office.trust,
        office.statuses,
        office.log_book.policy,
        office.sandbox,
        letter_checks.stated_by(office.letterhead),
    )
