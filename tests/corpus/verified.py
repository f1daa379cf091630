"""A verifier with everything that a document needs to be accepted, and what it makes of a document."""

from __future__ import annotations

from typing import NamedTuple

from idverify.core.trust import TrustStore
from idverify.core.verdict import CheckId, Outcome, Result
from idverify.formats import status_list
from idverify.ledger.policy import Policy
from idverify.services.status_source import StatusSource
from idverify.services.verify import Submission, Verifier, verify
from tests.simulators import credential_world as world
from tests.simulators.ledger_memory import SoftwareSigner


class Broken(NamedTuple):
    """What a verdict says: the one word, every check that failed, and every rule that is named as evidence."""

    outcome: Outcome
    failed: tuple[CheckId, ...]
    rules: tuple[str, ...]


def verifier(at: int, trust: TrustStore = world.TRUST) -> Verifier:
    """A verifier that relies on the synthetic authority and holds its status list, in which everybody is valid."""
    return Verifier(trust, _statuses(at), Policy.of_log([SoftwareSigner().verifier]))


def _statuses(at: int) -> StatusSource:
    claims = status_list.StatusListClaims(world.STATUS_URI, at, at + 3600, 300)
    unsigned = status_list.prepare(status_list.pack(16, 2, {}), claims, world.LISTS)
    token = status_list.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload))
    source = StatusSource(None)
    source.keep_snapshot(token, (world.TRUSTED,), frozenset(), at)
    return source


async def broken(verifier: Verifier, submission: Submission, at: int) -> Broken:
    """The verdict of the whole service on one submission."""
    verdict = (await verify(verifier, submission, at)).verdict
    failed = tuple(check.id for check in verdict.checks if check.result is Result.FAIL)
    named = [check.evidence["rule"] for check in verdict.checks if check.evidence and "rule" in check.evidence]
    return Broken(verdict.verdict, failed, tuple(named))
