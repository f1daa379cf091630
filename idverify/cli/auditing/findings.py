"""Telling what an audit found, in one form for every command: lines for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from idverify.cli.output import say
from idverify.ledger.audit import Finding
from idverify.ledger.equivocation import Equivocation

SHOWN: Final = 20


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Every finding."""
    return [{"index": each.index, "rule": each.rule, "detail": each.detail} for each in findings]


def first_bad(findings: Sequence[Finding]) -> int | None:
    """The first entry that is to blame for something."""
    return min((each.index for each in findings if each.index is not None), default=None)


def told_first_bad(findings: Sequence[Finding]) -> str:
    """The sentence that names it, behind a space, or nothing where no entry is to blame."""
    first = first_bad(findings)
    return "" if first is None else f" First bad entry: {first}"


def tell(findings: Sequence[Finding]) -> None:
    """The first of them, by line."""
    for each in findings[:SHOWN]:
        say(f"  {each.rule:<10} {'-' if each.index is None else each.index}: {each.detail}")
    if len(findings) > SHOWN:
        say(f"  and {len(findings) - SHOWN} more: --json has them all")


def tell_equivocation(proof: Equivocation) -> None:
    """Both notes as they were signed: whoever has the log's key can check them."""
    say("The log signed both of these, and they contradict each other:")
    for note in (proof.first, proof.second):
        say()
        for line in note.decode().splitlines():
            say(line)


def keep(proof: Equivocation | None, output: Path | None) -> None:
    """Write the proof, where there is one and somebody wants it in a file."""
    if proof is not None and output is not None:
        output.write_bytes(proof.encode())
