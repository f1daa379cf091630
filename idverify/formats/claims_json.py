"""Claims as JSON, where a format has values that JSON has not: the same in API, command line and receipts."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from typing import Any, Final

import orjson

_PLAIN: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME  # an mdoc's maps may have numbers for names


def as_json(value: Any) -> Any:
    r"""A value that JSON has not: bytes as base64url without padding, a date as RFC 3339 full-date, a time in UTC.

    Raises ``TypeError`` for anything else; so it is a ``default`` of JSON writers.

    >>> as_json(b"\xff\xd8"), as_json(dt.date(1974, 8, 12))
    ('_9g', '1974-08-12')
    """
    match value:
        case bytes():
            return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
        case dt.datetime():
            return _in_utc(value)
        case dt.date():
            return value.isoformat()
        case _:
            raise TypeError(f"JSON has no {type(value).__name__}")


def _in_utc(value: dt.datetime) -> str:
    try:
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:  # in the first or last hours of the calendar, which in UTC are in another year than 1 to 9999
        return value.isoformat()


def json_of(value: Any) -> bytes:
    """Compact JSON of claims, or of what holds some."""
    return orjson.dumps(value, default=as_json, option=_PLAIN)


def claims_digest(claims: Any) -> bytes:
    """SHA-256 of the JSON of claims whose members are in the order of their names, without blanks, in UTF-8."""
    return hashlib.sha256(orjson.dumps(claims, default=as_json, option=_PLAIN | orjson.OPT_SORT_KEYS)).digest()
