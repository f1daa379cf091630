"""Why one copy of a credential is retired. No decision about the person: their status and other copies stay."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Retirement(StrEnum):
    """Why. A copy that is retired stays so, whatever is decided later."""

    LOST = "lost"
    UNWANTED = "unwanted"
    REPLACED = "replaced"


REASONS: Final[Mapping[Retirement, str]] = {
    Retirement.LOST: "The device that it was on is lost, or somebody else may have it.",
    Retirement.UNWANTED: "It is not needed any more.",
    Retirement.REPLACED: "Another copy took its place.",
}
# That another copy took its place follows from collecting it, and is nobody's word.
HOLDERS_REASONS: Final = (Retirement.LOST, Retirement.UNWANTED)
