"""What a receipt, a document or the evidence of an act says, in lines for people at a terminal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, Final

from idverify.core.verdict import Outcome, Result
from idverify.formats.claims_json import json_of

WORDS: Final = {Outcome.ACCEPT: "ACCEPTED", Outcome.REFER: "CHECK BY HAND", Outcome.REJECT: "REJECTED"}
MARKS: Final = {Result.PASS: "ok", Result.FAIL: "FAIL", Result.UNKNOWN: "?", Result.NOT_APPLICABLE: "-"}
_PICTURES: Final = frozenset({"picture", "portrait"})


def check_line(result: str, check: str, detail: str) -> str:
    """One check: how it came out, its name, why."""
    return f"  {MARKS[Result(result)]:>4}  {check:<18} {detail}"


def claim_lines(claims: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What a document says, of an mdoc namespace by namespace, without photos."""
    lines = []
    for name, value in (claims or {}).items():
        if name not in _PICTURES:
            shown = {n: v for n, v in value.items() if n not in _PICTURES} if isinstance(value, Mapping) else value
            lines.append(_line(name, shown))
    return tuple(lines)


def act_lines(act: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What somebody confirmed."""
    return () if act is None else ("What was confirmed:", *(_line(name, value) for name, value in act.items()))


def receipt_lines(said: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The verdict that a receipt tells of, which is not the verdict on the receipt; passed checks are left out."""
    return () if said is None else tuple(_receipt(said))


def _receipt(said: Mapping[str, Any]) -> Iterator[str]:
    verdict, document, asker = said["verdict"], said["document"], said["checked_by"]
    yield f"The receipt is genuine. The document was: {WORDS[Outcome(verdict['verdict'])]}"
    for check in verdict["checks"]:
        if check["result"] in (Result.FAIL, Result.UNKNOWN):
            yield check_line(check["result"], check["id"], check["detail"])
    purpose = f", purpose {asker['purpose']}" if asker["purpose"] else ""
    moment = dt.datetime.fromtimestamp(said["iat"], dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    yield _line("checked", f"{moment} by {asker['organisation']} ({asker['role']}{purpose}), at {said['iss']}")
    kind = f"{document['type'] or 'unknown type'} as {document['format'] or 'unknown format'}"
    yield _line("document", f"{kind}, {document['channel']}")
    yield _line("its SHA-256", document["sha256"])
    yield _line("SHA-256 of the claims told", said["claims_sha256"] or "none were told")
    yield _line("relied on", said["relied_on"])
    if said["request"] is not None:
        yield _line("request", said["request"])


def _line(name: str, value: Any) -> str:
    return f"        {name}: {value if isinstance(value, str) else json_of(value).decode()}"
