"""Structured logs: one JSON object per line, no personal data, nothing a client wrote can break a line."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import structlog


def log_to(path: Path | None) -> None:
    """Send the log to a file, or to standard error."""
    stream = sys.stderr.buffer if path is None else path.open("ab", buffering=0)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(20),
        cache_logger_on_first_use=True,
    )
