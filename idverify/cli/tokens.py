"""``idverify tokens``: people's keys for tokens that came later, tokens that go, and the way back when none is left."""

from __future__ import annotations

import asyncio
from pathlib import Path

from idverify.app.provision import further_tokens, recover_people
from idverify.app.retiring import retire_token
from idverify.cli.output import WrongUsage, print_json, say
from idverify.config import load


def wrap(data: Path, *, json: bool) -> int:
    """Make what further tokens lack, and wrap everybody's key for each."""
    told: list[str] = []
    whole = asyncio.run(further_tokens(load(data), told.append))
    return _say(told, whole=whole, json=json)


def recover(data: Path, shares: list[Path], *, json: bool) -> int:
    """Put the recovery key together from its shares and wrap everybody's key for the tokens that there are."""
    config = load(data)
    try:
        papers = [path.read_text(encoding="ascii") for path in shares]
    except (OSError, UnicodeDecodeError) as wrong:
        raise WrongUsage(f"A share cannot be read ({wrong}).") from wrong
    told: list[str] = []
    whole = asyncio.run(recover_people(config, papers, told.append))
    return _say(told, whole=whole, json=json)


def retire(data: Path, label: str, *, json: bool) -> int:
    """Take a token out of use for good, once the others have all that rests on it."""
    told: list[str] = []
    asyncio.run(retire_token(load(data), label, told.append))
    return _say(told, whole=True, json=json)


def _say(told: list[str], *, whole: bool, json: bool) -> int:
    """Exit 1 where somebody was left out."""
    if json:
        print_json({"told": told, "whole": whole})
    else:
        for line in told or ["Nothing was missing."]:
            say(line)
    return 0 if whole else 1
