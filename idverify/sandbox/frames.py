"""What goes over the socket between the service and a worker: a length (u32, big-endian), then one CBOR item.

A request is ``[name of the job, its arguments]``. An answer is ``[outcome, value]``; the first, ``[READY, null]``, says
that the worker is confined and waits. Never pickle: a worker may be taken over by what it parses, so what it says is
read as any stranger's bytes are (``formats.strict_cbor``).
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, Final

import cbor2

from idverify.errors import DocumentError
from idverify.formats import strict_cbor

LENGTH: Final = struct.Struct("!I")
REQUEST_MAX: Final = 32 * 1024 * 1024
MOST_ITEMS: Final = 16384


class Outcome(IntEnum):
    """How a job ended, and what comes with it."""

    READY = 0  # nothing: no job yet
    DONE = 1  # its answer
    REFUSED = 2  # [rule, sentence] of a ``DocumentError``
    NO_MEMORY = 3  # nothing; the worker ends after it
    FAILED = 4  # the type of the exception, and where it was raised


class BrokenFrame(ValueError):
    """The other side sent what no honest one would."""


def encode(first: Any, second: Any) -> bytes:
    """One frame."""
    body = cbor2.dumps([first, second])
    return LENGTH.pack(len(body)) + body


def decode_request(body: bytes) -> tuple[str, dict[str, Any]]:
    """The job and its arguments, as the service sent them."""
    name, arguments = cbor2.loads(body)
    return name, arguments


def decode_answer(body: bytes) -> tuple[Outcome, Any]:
    """How the job ended, and what came with it. Raises ``BrokenFrame``."""
    try:
        outcome, value = strict_cbor.decode(body, "An answer", items=MOST_ITEMS)
        return Outcome(outcome), value
    except (DocumentError, TypeError, ValueError) as wrong:
        raise BrokenFrame(str(wrong)) from None
