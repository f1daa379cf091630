"""``idverify ledger audit-sample``: entries that root and seed draw, opened and held against their evidence."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson

from idverify.app.services import open_office
from idverify.cli.auditing.trust import Trust
from idverify.cli.output import WrongUsage, print_json, say
from idverify.config import load
from idverify.ledger.errors import ReceiptError
from idverify.ledger.sample import SEED_SIZE
from idverify.services.audit_report import Asked, contradictions, proofs, report
from idverify.services.audit_sample import Drawn, Judged, draw, judge

REPORT = "report.json"
MAX_REPORT = 16 * 1024 * 1024
DEFAULT_COUNT = 20
STEERABLE = "No auditor's seed took part: whoever runs the log could steer this draw before they signed the root."
MARKS = {True: "ok", False: "FAIL", None: "?"}


def asked(seed: str | None, count: int | None) -> Asked:
    """What the options ask for. Raises ``WrongUsage``."""
    if count is not None and count < 1:
        raise WrongUsage("--count must be 1 or more.")
    if seed is None:
        return Asked(None, count)
    try:
        read = bytes.fromhex(seed)
    except ValueError:
        read = b""
    if len(read) != SEED_SIZE:
        raise WrongUsage(f"--seed must be {SEED_SIZE} bytes in hexadecimal.")
    return Asked(read, count)


def run(data: Path, wanted: Asked, export: Path | None, *, json: bool) -> int:
    """Draw, open and judge: 0 all of it holds, 1 something does not. Needs the HSM, and no service to be stopped."""
    drawn, judged = asyncio.run(_audited(data, wanted))
    if export is not None:
        _write(export, drawn, judged)
    holds = all(one.holds for one in judged)
    if json:
        print_json(_as_json(drawn, judged))
    else:
        _tell(drawn, judged)
    return 0 if holds else 1


def recheck(folder: Path, trust: Trust, wanted: Asked, *, json: bool) -> int:
    """Check a report that somebody published: 0 it is what was asked for and the entries open as said, 1 not."""
    policy = trust.resolve()
    with (folder / REPORT).open("rb") as file:
        raw = file.read(MAX_REPORT)
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.tlog-proof"))}
    try:
        said = orjson.loads(raw)
        wrong = list(contradictions(said, files, policy, wanted))
        claimed, count, seed = bool(said["holds"]), len(said["entries"]), str(said["seed"])
    except (orjson.JSONDecodeError, ReceiptError) as error:
        wrong, claimed, count, seed = [str(error)], False, 0, ""
    if json:
        verdict = {"holds": not wrong and claimed, "says_it_holds": claimed}
        print_json({**verdict, "entries": count, "seed": seed, "contradictions": wrong})
    else:
        for sentence in wrong:
            say(sentence)
        if not wrong:
            say(f"The log drew these entries, {count} of them, and what is opened opens as the report says.")
            if wanted.seed is None:
                say(STEERABLE if not seed else f"Its seed is {seed}: give the one that you chose as --seed.")
            if wanted.count is None:
                say("How many were to be drawn is not known here: give it as --count.")
            say("The report says that all of it holds." if claimed else "The report says that something does not hold.")
    return 0 if not wrong and claimed else 1


async def _audited(data: Path, wanted: Asked) -> tuple[Drawn, list[Judged]]:
    async with open_office(load(data), None) as office:
        drawn = await draw(office, wanted.count or DEFAULT_COUNT, wanted.seed or b"")
        return drawn, [one async for one in judge(office, drawn)]


def _as_json(drawn: Drawn, judged: list[Judged]) -> dict[str, object]:
    return {
        "holds": all(one.holds for one in judged),
        "log": drawn.checkpoint.origin,
        "size": drawn.checkpoint.size,
        "root": drawn.checkpoint.root.hex(),
        "seed": drawn.seed.hex(),
        "entries": [{"index": one.index, "type": one.type, "holds": one.holds, "checks": one.checks} for one in judged],
    }


def _tell(drawn: Drawn, judged: list[Judged]) -> None:
    tree = drawn.checkpoint
    say(f"The root of {tree.size} entries of {tree.origin} draws {len(judged)}.")
    if not drawn.seed:
        say(STEERABLE)
    for one in judged:
        untold = [name for name, holds in one.checks.items() if holds is None]
        broken = [name for name, holds in one.checks.items() if holds is False]
        mark = MARKS[one.holds]
        say(f"  {mark:>4}  {one.index:>9}  {one.type:<30} {len(one.checks)} checks")
        for name in broken:
            say(f"              does not hold: {name}")
        for name in untold:
            say(f"              cannot be told any more: {name}")
    wrong = sum(not one.holds for one in judged)
    say("All of it holds." if not wrong else f"{wrong} of {len(judged)} do not hold. Keep the database as evidence.")


def _write(folder: Path, drawn: Drawn, judged: list[Judged]) -> None:
    """A folder that may be published as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT).write_bytes(orjson.dumps(report(drawn, judged), option=orjson.OPT_INDENT_2))
    for name, proof in proofs(judged).items():
        (folder / name).write_bytes(proof)
