"""``idverify wallet audit``: does the service's list of what it issued fit what is in the wallet?"""

from __future__ import annotations

import time
from pathlib import Path

import orjson

from idverify.cli.output import WrongUsage, print_json, read_input, say, sha256_of
from idverify.errors import DocumentError
from idverify.formats.entries_statement import Statement, open_statement
from idverify.services.completeness import NOT_JUDGED, Finding, Found, Held, compare
from idverify.services.trust import offline_verifier


def run(statement: str, offline: Path, root_sha256: str, directory: Path, *, json: bool) -> int:
    """Compare, asking nobody: 0 it fits, 1 something is missing, extra or contradicting, 2 a receipt is not there."""
    root = sha256_of(root_sha256, "--root-sha256")
    try:
        verifier = offline_verifier(read_input(str(offline)), root, int(time.time()))
    except DocumentError as wrong:
        raise WrongUsage(f"The trust bundle cannot be relied on: {wrong}") from wrong
    try:
        said = open_statement(read_input(statement).strip(), verifier.trust)
    except DocumentError as wrong:
        raise WrongUsage(f"The list of entries cannot be relied on: {wrong}") from wrong
    found = compare(said, list(_held(directory)), verifier.log_policy)
    if json:
        print_json(_as_json(said, found))
    else:
        _tell(said, found)
    if any(one.finding not in NOT_JUDGED for one in found):
        return 1
    return 2 if any(one.finding is Finding.NO_RECEIPT for one in found) else 0


def _held(directory: Path) -> list[Held]:
    answers = [orjson.loads(path.read_bytes()) for path in sorted(directory.glob("*.json"))]
    return [Held(one["credential"].encode(), one["receipt"] and one["receipt"].encode()) for one in answers]


def _as_json(said: Statement, found: list[Found]) -> dict[str, object]:
    return {
        "holds": not any(one.finding not in NOT_JUDGED for one in found),
        "log": said.origin,
        "size": said.size,
        "entries": [{"index": one.index, "type": one.type, "time": one.time} for one in said.entries],
        "findings": [{"finding": one.finding, "index": one.index, "detail": one.detail} for one in found],
    }


def _tell(said: Statement, found: list[Found]) -> None:
    say(f"{said.iss} says that {len(said.entries)} of the first {said.size} entries of {said.origin} are about you.")
    for one in found:
        say(f"  {one.finding:<14} {'-' if one.index is None else one.index}: {one.detail}")
    if not found:
        say("Every credential on the list is in the wallet, and every receipt in the wallet is on the list.")
