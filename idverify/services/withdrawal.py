"""When and why one of our own documents was withdrawn: for officers. Nobody else needs to learn that."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any, Final

from idverify.core.decision import REASONS, DecisionKind
from idverify.core.retirement import REASONS as RETIREMENTS
from idverify.core.retirement import Retirement
from idverify.core.verdict import CheckId, Result, Verdict
from idverify.services.office import Office
from idverify.services.verify import Verified
from idverify.stores import queries

RETIRED: Final = "retire"
# What became of earlier copies, by the decision that did it.
WITHDRAWN: Final = {
    DecisionKind.GRANT: "Replaced",
    DecisionKind.VARY: "Replaced",
    DecisionKind.SUSPEND: "Suspended",
    DecisionKind.REINSTATE: "Reinstated",
    DecisionKind.REVOKE: "Revoked",
}


async def with_reason(office: Office, verified: Verified) -> Verdict:
    """The verdict; its check ``status`` says which decision withdrew the document, if one of ours did."""
    verdict = verified.verdict
    withdrawn = any(check.id is CheckId.STATUS and check.result is Result.FAIL for check in verdict.checks)
    copy = verified.copy_of(office.deployment.iss) if withdrawn else None
    if copy is None:
        return verdict
    told = await _withdrawal(office, {"status_list": copy.uri, "status_index": copy.index})
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
