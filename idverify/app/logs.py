"""Structured logs: one JSON object per line, no personal data, nothing a client wrote can break a line.

Of an exception the log holds its kind and the places it passed, never its message: messages quote what they choke on.
"""

from __future__ import annotations

import datetime as dt
import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType

import orjson
import structlog
from structlog.typing import EventDict

log = structlog.get_logger()


def log_to(path: Path | None) -> None:
    """Send the log to a file, or to standard error; what libraries log goes the same way."""
    stream = sys.stderr.buffer if path is None else path.open("ab", buffering=0)
    structlog.configure(
        processors=[structlog.processors.ExceptionRenderer(_kind_and_places), _line],
        logger_factory=structlog.BytesLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(20),
        cache_logger_on_first_use=True,
    )
    logging.getLogger().handlers[:] = [_OfLibraries()]


class _OfLibraries(logging.Handler):
    """Lines of the standard library's logging, without their text: aiohttp's quotes requests that it cannot read."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("library", logger=record.name, level_there=record.levelname, exc_info=record.exc_info)


def _line(_logger: object, method: str, event: EventDict) -> bytes:
    """The line, with level and time: in one step, because every request pays for it."""
    event["level"] = "error" if method == "exception" else method
    event["timestamp"] = dt.datetime.now(dt.UTC)
    return orjson.dumps(event, repr, orjson.OPT_UTC_Z)


def _kind_and_places(
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None],
) -> dict[str, str | list[str]]:
    kind, _, passed = exc_info
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(passed)]
    return {"kind": kind.__name__, "places": places}
