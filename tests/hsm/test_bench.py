"""The benchmark of the service: every row is measured, and the page is written by nobody else."""

from pathlib import Path

import pytest

from hsm import Hsm, HsmPolicy, bench_service
from hsm.bench_page import write
from hsm.bench_service import measure_service, soak
from hsm.rows import Pair, Row, row

ROWS: list[Row] = [row("HSM signs", "per second", "raw", 0.5, [Pair(2.0, 1.0)])]


async def test_every_row_is_measured(module: Path) -> None:
    """One row for each thing that is compared, and none without a figure of either side."""
    rows = await measure_service(seconds=0.2, rounds=1)

    assert len({one["name"] for one in rows}) == len(rows) == 10
    assert all(one["rate"] > 0 < one["limit"] for one in rows)


def test_a_row_holds_or_does_not() -> None:
    """The pair in the middle counts; one that is a hair short of its target does not hold."""
    pairs = [Pair(2.0, 1.0), Pair(4.0, 1.0), Pair(1.0, 1.0)]
    told = row("x", "per second", "raw", 0.5, pairs)
    assert (told["rate"], told["limit"], told["ratio"], told["holds"]) == (0.5, 1.0, 0.5, True)
    assert not row("x", "per second", "raw", 0.5001, pairs)["holds"]


async def test_a_short_soak_loses_no_worker(module: Path) -> None:
    """No worker ends and nothing of what is signed stays in memory, however short the run."""
    memory, workers = await soak(2.0)

    assert memory["holds"]
    assert workers["holds"]


async def test_a_soak_sees_what_stays(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were an answer kept, the memory would not be flat."""
    kept: list[bytearray] = []

    async def leaking(hsm: Hsm, key: bytes, seconds: float) -> int:
        kept.append(bytearray(b"x" * (16 << 20)))  # more than a process of tests that is large already would hide
        await hsm.sign(key, b"message")
        return 1

    monkeypatch.setattr(bench_service, "_asked_for", leaking)
    memory, _ = await soak(0.1)
    assert not memory["holds"]


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
