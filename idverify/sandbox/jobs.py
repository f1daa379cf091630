"""All that workers do: one explicit table. A new job is one line, and a pure function in ``formats``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from idverify.sandbox.answers import Code, Found, Round, Sealed

KiB: Final = 1024
MiB: Final = 1024 * KiB


class Pool(StrEnum):
    """Which workers: those that meet hostile bytes never meet people's data, nor the other way round."""

    READING = "reading"
    MAKING = "making"


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of work and what it may take.

    ``function`` is ``module:attribute``; it takes the arguments by name. ``answer`` is the shape of what it gives back,
    as pydantic reads it: a worker may have been taken over by what it read, so its word is held against it.
    """

    pool: Pool
    function: str
    cpu: int  # seconds
    wall: float  # seconds
    memory: int  # bytes of address space, with all that is loaded
    longest: int  # bytes of the answer's frame
    answer: Any


def table_of(name: str) -> Mapping[str, Job]:
    """The table that ``module:attribute`` names. Tests have one of their own, of jobs that go wrong."""
    module, _, attribute = name.partition(":")
    table: Mapping[str, Job] = getattr(importlib.import_module(module), attribute)
    return table


TABLE: Final = "idverify.sandbox.jobs:JOBS"

_READING, _MAKING, _FORMATS = Pool.READING, Pool.MAKING, "idverify.formats"

# fmt: off
JOBS: Final[Mapping[str, Job]] = {
    #                              function                            cpu wall  memory      longest    answer
    "read-codes": Job(_READING, f"{_FORMATS}.qr_image:read_codes", 6, 15.0, 1024 * MiB, 256 * KiB, list[Code]),
    "read-pdf-codes": Job(_READING, f"{_FORMATS}.qr_pdf:read_pdf_codes", 6, 15.0, 1024 * MiB, 256 * KiB, list[Code]),
    "read-letter": Job(_READING, f"{_FORMATS}.pdf.read:read_letter", 8, 20.0, 1024 * MiB, MiB, Found),
    "write-code": Job(_MAKING, f"{_FORMATS}.qr_image:write_code", 2, 10.0, 1024 * MiB, MiB, bytes),
    "small-portrait": Job(_MAKING, f"{_FORMATS}.portrait:small_portrait", 2, 10.0, 1024 * MiB, 8 * KiB, bytes),
    "render-letter": Job(_MAKING, f"{_FORMATS}.pdf.render:render", 10, 30.0, 1024 * MiB, 8 * MiB, bytes),
    "prepare-letter": Job(_MAKING, f"{_FORMATS}.pdf.sign:prepare", 5, 15.0, 1024 * MiB, 16 * MiB, Round),
    "reread-letter": Job(_MAKING, f"{_FORMATS}.pdf.read:read_letter", 8, 20.0, 1024 * MiB, MiB, Found),
    "seal-letter": Job(_MAKING, f"{_FORMATS}.pdf.sign:seal", 5, 15.0, 1024 * MiB, 16 * MiB, Round | Sealed),
}
# fmt: on
