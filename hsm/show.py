"""What a command prints: JSON for programs, a table for a person at a terminal, one line a row for anything else."""

import json
import sys
from typing import Any

_MARKS = {True: "[green]holds[/]", False: "[bold red]does not hold[/]", None: "[yellow]could not tell[/]"}
_HOLDS = "holds"


def show(report: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print the rows of a report on standard output."""
    if as_json:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    elif sys.stdout.isatty():
        _table(report)
    else:
        for row in report:
            sys.stdout.write(
                "  ".join(f"{name}={_plain(value)}".replace("\n", "\\n") for name, value in row.items()) + "\n"
            )


def _table(report: list[dict[str, Any]]) -> None:
    """Rows side by side, one column for each name, in the order of their first mention."""
    from rich.console import Console  # noqa: PLC0415 programs that read JSON do not pay for it
    from rich.markup import escape  # noqa: PLC0415 likewise
    from rich.table import Column, Table  # noqa: PLC0415 likewise

    names = list(dict.fromkeys(name for row in report for name in row))
    table = Table(*(Column(name.replace("_", " "), overflow="fold") for name in names), show_lines=True)
    for row in report:
        cells = (_MARKS[row[name]] if name == _HOLDS else escape(_plain(row.get(name))) for name in names)
        table.add_row(*cells)
    Console().print(table)


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if value < 1 else f"{value:,.0f}"
