"""What goes over the socket between the service and a worker.

    length    u32, big-endian   of everything after this field
    head      u32, big-endian   of the CBOR that follows
    CBOR      [what, value, [[place, length], ...]]
    bulk      the bytes at these places, one after another

A request is ``[name of the job, its arguments]``. An answer is ``[outcome, value]``; the first, ``[READY, ...]``, says
that the worker is confined and waits. Byte strings longer than ``BULK`` travel beside the CBOR, so that the event loop
never spends its time copying a document: those among the arguments by name, and an answer that is one (place "").

Never pickle: a worker may be taken over by what it parses, so what it says is read as any stranger's bytes are
(``formats.strict_cbor``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any, Final

import cbor2

from idverify.errors import DocumentError
from idverify.formats import strict_cbor

LENGTH: Final = struct.Struct("!I")
REQUEST_MAX: Final = 32 * 1024 * 1024
BULK: Final = 64 * 1024
MOST_ITEMS: Final = 16384
_WHOLE: Final = ""  # the place of an answer that is one byte string


class Outcome(IntEnum):
    """How a job ended, and what comes with it."""

    READY = 0  # whether it is confined wholly, or without Landlock
    DONE = 1  # its answer
    REFUSED = 2  # [rule, sentence] of a ``DocumentError``
    NO_MEMORY = 3  # nothing; the worker ends after it
    FAILED = 4  # the type of the exception, and where it was raised


class BrokenFrame(ValueError):
    """The other side sent what no honest one would."""


def encode(what: Any, value: Any) -> list[bytes]:
    """One frame, in the parts in which it is sent: bulk is not copied."""
    bulk: dict[str, bytes] = {}
    if _is_bulk(value):
        bulk[_WHOLE], value = value, None
    elif isinstance(value, dict):
        bulk = {place: part for place, part in value.items() if _is_bulk(part)}
        value = {place: part for place, part in value.items() if place not in bulk}
    head = cbor2.dumps([what, value, [[place, len(part)] for place, part in bulk.items()]])
    length = LENGTH.size + len(head) + sum(map(len, bulk.values()))
    return [LENGTH.pack(length) + LENGTH.pack(len(head)) + head, *bulk.values()]


def decode_request(body: bytes) -> tuple[str, dict[str, Any]]:
    """The job and its arguments, as the service sent them."""
    head, bulk = _split(body)
    name, arguments, places = cbor2.loads(head)
    return name, _with_bulk(arguments, places, bulk)


def decode_answer(body: bytes) -> tuple[Outcome, Any]:
    """How the job ended, and what came with it. Raises ``BrokenFrame``."""
    head, bulk = _split(body)
    try:
        outcome, value, places = strict_cbor.decode(head, "An answer", items=MOST_ITEMS)
        return Outcome(outcome), _with_bulk(value, places, bulk)
    except (DocumentError, TypeError, ValueError) as wrong:
        raise BrokenFrame(str(wrong)) from None


def _is_bulk(part: Any) -> bool:
    return isinstance(part, bytes) and len(part) > BULK


def _split(body: bytes) -> tuple[bytes, memoryview]:
    if len(body) < LENGTH.size:
        raise BrokenFrame("a frame without a head")
    end = LENGTH.size + LENGTH.unpack_from(body)[0]
    if end > len(body):
        raise BrokenFrame("a head that is longer than its frame")
    return body[LENGTH.size : end], memoryview(body)[end:]


def _with_bulk(value: Any, places: Sequence[Any], bulk: memoryview) -> Any:
    for place, part in _parts(places, bulk):
        if place == _WHOLE and value is None:
            value = part
        elif isinstance(value, dict) and place not in value:
            value[place] = part
        else:
            raise BrokenFrame("bulk that has no place")
    return value


def _parts(places: Sequence[Any], bulk: memoryview) -> Iterator[tuple[str, bytes]]:
    start = 0
    for place, length in places:
        if not (isinstance(place, str) and isinstance(length, int) and 0 <= length <= len(bulk) - start):
            raise BrokenFrame("bulk of another length than it claims")
        yield place, bytes(bulk[start : start + length])
        start += length
    if start != len(bulk):
        raise BrokenFrame("bulk that belongs nowhere")
