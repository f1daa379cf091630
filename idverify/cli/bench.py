"""``idverify bench``: printing what was measured."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from idverify.app.bench import groups
from idverify.app.bench.groups import Row
from idverify.cli.output import WrongUsage, print_json


def run(only: str | None, *, json: bool) -> int:
    """Measure one group or all of them: 0 if every target is reached, else 1."""
    if only is not None and only not in groups.GROUPS:
        raise WrongUsage(f"--only must be one of {', '.join(groups.GROUPS)}; got {only}.")
    rows = [row for group in groups.GROUPS if only in (None, group) for row in _measured(group)]
    if json:
        print_json(rows)
    else:
        Console().print(_table(rows))
    return 0 if all(row["holds"] for row in rows) else 1


def _measured(group: str) -> list[Row]:
    console = Console(stderr=True)
    if not console.is_terminal:
        return asyncio.run(groups.measure(group))
    with console.status(f"Measuring {group}, against this machine's own limit"):
        return asyncio.run(groups.measure(group))


def _table(rows: Sequence[Row]) -> Table:
    table = Table("what", "rate", "limit", "ratio", "target", "holds", "the limit is")
    for row in rows:
        ratio, target = f"{row['ratio']:.2f}", f"{row['target']:.2f}"
        rate, limit = f"{row['rate']:,.0f} {row['unit']}", f"{row['limit']:,.0f}"
        table.add_row(row["name"], rate, limit, ratio, target, "yes" if row["holds"] else "NO", row["limit_is"])
    return table
