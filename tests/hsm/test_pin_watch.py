"""Whether an operator has acted, told from the PIN file and the note beside it alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from hsm import TokenConfig
from hsm.pin_watch import PinWatch
from hsm.pins import create_pin


@pytest.fixture
def watched(tmp_path: Path) -> tuple[PinWatch, Path]:
    """A token that nobody asks, and its PIN file."""
    pin_file = create_pin(tmp_path / "pin")
    return PinWatch(TokenConfig(Path("none"), "none", None, pin_file)), pin_file


async def _has_acted(watch: PinWatch) -> bool:
    try:
        async with asyncio.timeout(0.1):
            await watch.acted()
    except TimeoutError:
        return False
    return True


async def test_nobody_has(watched: tuple[PinWatch, Path]) -> None:
    """The attempt's own note of the refusal is nobody's act."""
    watch, _ = watched
    with watch.trying():
        watch.note.write_text("refused")
    assert not await _has_acted(watch)


@pytest.mark.parametrize(
    ("of_the_note", "act"),
    [(False, lambda file: file.write_text("another one")), (False, Path.unlink), (True, Path.unlink)],
    ids=["another PIN", "no PIN", "no note"],
)
async def test_somebody_has(
    watched: tuple[PinWatch, Path], act: Callable[[Path], object], *, of_the_note: bool
) -> None:
    """After the attempt."""
    watch, pin_file = watched
    with watch.trying():
        watch.note.write_text("refused")
    act(watch.note if of_the_note else pin_file)
    assert await _has_acted(watch)


async def test_a_file_corrected_during_the_attempt_is_another(watched: tuple[PinWatch, Path]) -> None:
    """What was tried is what was there before."""
    watch, pin_file = watched
    with watch.trying():
        pin_file.write_text("corrected meanwhile")
        watch.note.write_text("refused")
    assert await _has_acted(watch)
