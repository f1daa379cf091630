"""The looks that checks leave: durable before any answer, together with using up the requests that were answered.

A look holds whose copy it was only of a genuine document of ours: a forged or a foreign one names anybody's.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.policy import Principal
from idverify.core.verdict import Verdict
from idverify.errors import ClientError, NotAuthenticated
from idverify.services.access import still_in_use
from idverify.services.office import Office
from idverify.services.present import Awaited
from idverify.services.verify import Submission, Verified
from idverify.stores import tables
from idverify.stores.writes import InsertMany, WriteSet

_COLUMNS: Final = (
    "id",
    "person_id",
    "looked_at",
    "actor",
    "role",
    "purpose",
    "channel",
    "verdict",
    "status_list",
    "status_index",
    "receipt_digest",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict, the document's type, and the claims that the asker may learn (``None`` if rejected).

    ``receipt`` is the signed receipt, where one was wished for.
    """

    verdict: Verdict
    type: str | None
    claims: dict[str, Any] | None
    receipt: bytes | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """One document that was looked at, the verification request that it answers, if it does, and what is told."""

    submission: Submission
    verified: Verified
    answered: Awaited | None
    answer: Answer


async def record(
    office: Office, asker: Principal, looked: Sequence[Looked | ClientError], at: int
) -> list[Looked | ClientError]:
    """Commit the looks; in the place of one whose request was used up meanwhile stands that.

    Those that use up nothing are one write set, each other is its own; all are handed over together, so that they share
    a commit and none of them fails another. Raises what fails them all.
    """
    plain = [one for one in looked if isinstance(one, Looked) and one.answered is None]
    answers = [one for one in looked if isinstance(one, Looked) and one.answered is not None]
    works = [_work(office, asker, plain, at)] if plain else []
    works += [_work(office, asker, [one], at) for one in answers]
    outcomes = await _committed(office, works)
    refused = {}
    for one, outcome in zip([None, *answers] if plain else answers, outcomes, strict=True):
        if outcome is None:
            continue
        if one is None or isinstance(outcome, NotAuthenticated) or not isinstance(outcome, ClientError):
            raise outcome
        refused[id(one)] = outcome
    return [refused.get(id(one), one) for one in looked] if refused else list(looked)


async def _committed(office: Office, works: Sequence[WriteSet]) -> list[BaseException | None]:
    """What refused each, if anything did."""
    if len(works) > 1:
        done = await asyncio.gather(*map(office.store.commit, works), return_exceptions=True)
        return [outcome if isinstance(outcome, BaseException) else None for outcome in done]
    try:  # by far the most: a task of its own would cost as much as the row
        for work in works:
            await office.store.commit(work)
    except ClientError as refused:
        return [refused]
    return [None] * len(works)


def _work(office: Office, asker: Principal, looked: Sequence[Looked], at: int) -> WriteSet:
    used = [one.answered.consume for one in looked if one.answered is not None]
    rows = tuple(_row(office, asker, one, at) for one in looked)
    return WriteSet((*still_in_use(asker), *used, InsertMany(tables.look, _COLUMNS, rows)))


def _row(office: Office, asker: Principal, looked: Looked, at: int) -> tuple[Any, ...]:
    """In the order of ``_COLUMNS``."""
    verified = looked.verified
    status = verified.copy_of(office.deployment.iss)
    return (
        office.new_id(),
        None,
        at,
        asker.actor,
        asker.role.value,
        None if asker.purpose is None else asker.purpose.value,
        looked.verified.channel.value,
        verified.verdict.verdict.value,
        None if status is None else status.uri,
        None if status is None else status.index,
        None if looked.answer.receipt is None else hashlib.sha256(looked.answer.receipt).digest(),
    )
