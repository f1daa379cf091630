"""The page of figures: a table between two marks, which the benchmark writes anew and nobody by hand."""

from collections.abc import Sequence
from pathlib import Path

from hsm.errors import HsmPolicy
from hsm.rows import Row

_HEAD = (
    "| what | its limit | ratio | at least | holds |",
    "|---|---|---|---|---|",
)


def write(page: Path, rows: Sequence[Row]) -> None:
    """Replace what stands between the marks of `rows`: those of the long run have a table of their own."""
    kind = "soak" if any("minutes" in row["name"] for row in rows) else "bench"
    begin, end = f"<!-- hsm {kind} -->\n", f"<!-- end of hsm {kind} -->"
    text = page.read_text(encoding="utf-8")
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise HsmPolicy(f"Expected {begin.strip()} and {end} in {page}, got a page without. Add both lines.")
    table = "\n".join((*_HEAD, *map(_line, rows)))
    page.write_text(f"{head}{begin}{table}\n{end}{tail}", encoding="utf-8")


def _line(row: Row) -> str:
    holds = "yes" if row["holds"] else "**no**"
    return f"| {row['name']}, {row['unit']} | {row['limit_is']} | {row['ratio']:.2f} | {row['target']:.2f} | {holds} |"
