"""Somebody checks documents here: verify them, make the looks durable, then answer what their purpose allows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.policy import Act, Principal, Role, require_may
from idverify.core.verdict import Verdict
from idverify.errors import ClientError, IdverifyError
from idverify.formats.handed_over import HandedOver
from idverify.services import looks, withdrawal
from idverify.services.looks import Looked
from idverify.services.office import Office
from idverify.services.present import Awaited, awaited
from idverify.services.verify import Submission, Verifier, verify

MOST: Final = 256
"""Documents that are checked in one go at most."""

_BREATH: Final = 16  # documents after which others have their turn


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict, the document's type, and the claims that the asker may learn (``None`` if rejected)."""

    verdict: Verdict
    type: str | None
    claims: dict[str, Any] | None


async def check(office: Office, asker: Principal, given: HandedOver) -> Answer:
    """Check a document. Raises what makes the request impossible; of the document itself speaks the verdict."""
    (answer,) = await check_all(office, asker, (given,))
    if isinstance(answer, IdverifyError):
        raise answer
    return answer


async def check_all(office: Office, asker: Principal, given: Sequence[HandedOver]) -> list[Answer | ClientError]:
    """Check documents, each by itself; their looks are committed together before any of them is answered.

    In the place of one whose request cannot be answered any more stands why: the others are none the worse for it.
    """
    require_may(asker, Act.VERIFY)
    verifier, at = online_verifier(office), office.clock.now()
    looked: list[Looked | ClientError] = []
    for number, one in enumerate(given, 1):
        looked.append(await _looked_at(office, asker, verifier, one, at))
        if number % _BREATH == 0:
            await asyncio.sleep(0)
    recorded = await looks.record(office, asker, looked, at)
    return [one if isinstance(one, ClientError) else await _answered(office, asker, one) for one in recorded]


async def _looked_at(
    office: Office, asker: Principal, verifier: Verifier, given: HandedOver, at: int
) -> Looked | ClientError:
    try:
        answered = None if given.request is None else await awaited(office, asker, given.request)
    except ClientError as refused:
        return refused
    submission = _submission(given, answered)
    return Looked(submission, await verify(verifier, submission, at), answered)


def _submission(given: HandedOver, answered: Awaited | None) -> Submission:
    if answered is None:
        return Submission(given.document, given.receipt)
    return Submission(given.document, given.receipt, answered.expected, answered.type)


async def _answered(office: Office, asker: Principal, looked: Looked) -> Answer:
    verified = looked.verified
    office.tally.checked(verified.verdict.verdict, looked.submission.channel)
    kind = None if verified.presented is None else verified.presented.type
    verdict = verified.verdict
    if asker.role is Role.OFFICER:
        verdict = await withdrawal.with_reason(office, verified)
    return Answer(verdict, kind, verified.claims_for(asker.purpose))


def online_verifier(office: Office) -> Verifier:
    """What this service's own verifications rest on."""
    return Verifier(office.trust, office.statuses, office.log_book.policy)
