"""What ``idverify ledger audit-sample`` is asked for."""

from __future__ import annotations

import pytest

from idverify.cli.audit_sample import asked
from idverify.cli.output import WrongUsage
from idverify.services.audit_report import Asked


def test_seed_and_count_are_read() -> None:
    """A seed is 32 bytes in hexadecimal; either may be left out."""
    assert asked("5eed" * 16, 40) == Asked(bytes.fromhex("5eed" * 16), 40)
    assert asked(None, None) == Asked(None, None)


@pytest.mark.parametrize(("seed", "count"), [("", 1), ("5eed" * 15, 1), ("5eed" * 17, 1), ("zz" * 32, 1), (None, 0)])
def test_what_cannot_be_asked(seed: str | None, count: int) -> None:
    """A seed that is none, or is empty, is refused instead of drawing without one."""
    with pytest.raises(WrongUsage):
        asked(seed, count)
