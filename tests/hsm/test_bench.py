"""The benchmark of the service: every row is measured, and the page is written by nobody else."""

from pathlib import Path

import pytest

from hsm import HsmPolicy
from hsm.bench_page import write
from hsm.bench_service import measure_service, soak
from hsm.rows import Pair, Row, row

ROWS: list[Row] = [row("HSM signs", "per second", "raw", 0.5, [Pair(2.0, 1.0)])]


async def test_every_row_is_measured(module: Path) -> None:
    """Ten rows; each ratio is its rate over its limit."""
    rows = await measure_service(seconds=0.2, rounds=1)

    assert len(rows) == 10
    for one in rows:
        assert one["ratio"] == pytest.approx(one["rate"] / one["limit"])
        assert one["holds"] == (one["ratio"] >= one["target"])


async def test_a_short_soak_loses_no_worker(module: Path) -> None:
    """No worker ends, however short the run."""
    memory, workers = await soak(1.0)

    assert memory["rate"] > 0
    assert workers["holds"]


def test_the_page_is_written_between_its_marks(tmp_path: Path) -> None:
    """What stands around the table stays; a page without marks is refused."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- hsm bench -->\nstale\n<!-- end of hsm bench -->\nafter\n")
    write(page, ROWS)

    assert "| HSM signs, per second | raw | 0.50 | 0.50 | yes |" in page.read_text()
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("-->\nafter\n")
    assert "stale" not in page.read_text()

    page.write_text("nothing here\n")
    with pytest.raises(HsmPolicy, match="Add both lines"):
        write(page, ROWS)
