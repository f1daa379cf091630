"""Somebody checks a document here: verify it, make the look durable, then answer what their purpose allows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any, Final

from idverify.core.decision import REASONS, DecisionKind
from idverify.core.policy import Act, Principal, Role, require_may
from idverify.core.retirement import REASONS as RETIREMENTS
from idverify.core.retirement import Retirement
from idverify.core.verdict import CheckId, Result, Verdict
from idverify.services.office import Office
from idverify.services.present import Awaited, awaited
from idverify.services.verify import Submission, Verified, Verifier, verify
from idverify.stores import queries, tables
from idverify.stores.writes import Insert, Write, WriteSet

RETIRED: Final = "retire"
# What became of earlier copies, by the decision that did it.
WITHDRAWN: Final = {
    DecisionKind.GRANT: "Replaced",
    DecisionKind.VARY: "Replaced",
    DecisionKind.SUSPEND: "Suspended",
    DecisionKind.REINSTATE: "Reinstated",
    DecisionKind.REVOKE: "Revoked",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict, the document's type, and the claims that the asker may learn (``None`` if rejected)."""

    verdict: Verdict
    type: str | None
    claims: dict[str, Any] | None


async def check(
    office: Office, asker: Principal, document: bytes, receipt: bytes | None, request: bytes | None
) -> Answer:
    """Check a document. ``request`` is the handle of the verification request that it answers, if it does."""
    require_may(asker, Act.VERIFY)
    answered = None if request is None else await awaited(office, asker, request)
    submission = Submission(
        document,
        receipt,
        None if answered is None else answered.expected,
        None if answered is None else answered.type,
    )
    verified = await verify(online_verifier(office), submission, office.clock.now())
    await _record_look(office, asker, submission, verified, answered)
    office.tally.checked(verified.verdict.verdict, submission.channel)
    kind = None if verified.presented is None else verified.presented.type
    verdict = await _with_reason(office, verified) if asker.role is Role.OFFICER else verified.verdict
    return Answer(verdict, kind, verified.claims_for(asker.purpose))


def online_verifier(office: Office) -> Verifier:
    """What this service's own verifications rest on."""
    return Verifier(office.trust, office.statuses, office.log_book.policy)


async def _with_reason(office: Office, verified: Verified) -> Verdict:
    """For officers: when and why our own document was withdrawn. Nobody else needs to learn that."""
    verdict, presented = verified.verdict, verified.presented
    withdrawn = any(check.id is CheckId.STATUS and check.result is Result.FAIL for check in verdict.checks)
    if not withdrawn or not verified.genuine():  # a forged document names anybody's copy
        return verdict
    if presented is None or presented.status is None or presented.iss != office.deployment.iss:
        return verdict
    copy = {"status_list": presented.status.uri, "status_index": presented.status.index}
    told = await _withdrawal(office, copy)
    if told is None:
        return verdict
    said, withdrawal = told
    checks = tuple(
        replace(c, detail=said, evidence={**(c.evidence or {}), "withdrawn": withdrawal})
        if c.id is CheckId.STATUS
        else c
        for c in verdict.checks
    )
    return replace(verdict, checks=checks)


async def _withdrawal(office: Office, copy: dict[str, Any]) -> tuple[str, dict[str, str]] | None:
    """In a sentence and as evidence: who withdrew a copy, its holder or the decision that changed it last."""
    retired: Any = await office.store.fetch_one(queries.RETIREMENT_OF_COPY, copy)
    if retired is not None:
        day, why = _day(retired["retired_at"]), Retirement(retired["retired_for"])
        said = f"Withdrawn on {day:%-d %B %Y}, not by decision. {RETIREMENTS[why]}"
        return said, {"kind": RETIRED, "on": day.isoformat(), "reason": why.value}
    row: Any = await office.store.fetch_one(queries.DECISION_BEHIND_COPY, copy)
    if row is None:
        return None
    day, kind = _day(row["decided_at"]), DecisionKind(row["kind"])
    said = f"{WITHDRAWN[kind]} on {day:%-d %B %Y} by decision. {REASONS[kind][row['reason']]}"
    return said, {"kind": kind.value, "on": day.isoformat(), "reason": row["reason"]}


def _day(at: int) -> dt.date:
    return dt.datetime.fromtimestamp(at, dt.UTC).date()


async def _record_look(
    office: Office, asker: Principal, submission: Submission, verified: Verified, answered: Awaited | None
) -> None:
    """Durable before the answer, together with using up the request. A forged document names nobody's copy."""
    status = verified.presented.status if verified.presented is not None and verified.genuine() else None
    row = {
        "id": office.new_id(),
        "person_id": None,
        "looked_at": office.clock.now(),
        "actor": asker.actor,
        "role": asker.role.value,
        "purpose": None if asker.purpose is None else asker.purpose.value,
        "channel": submission.channel.value,
        "verdict": verified.verdict.verdict.value,
        "status_list": None if status is None else status.uri,
        "status_index": None if status is None else status.index,
    }
    look: Write = Insert(tables.look, row)
    writes = (look,) if answered is None else (answered.consume, look)
    await office.store.commit(WriteSet(writes))
