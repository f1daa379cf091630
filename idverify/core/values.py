"""Values of a credential as its format writes them: dates as text in JSON, as dates in CBOR; codes as bare text."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any


def json_values(said: Mapping[str, Any]) -> dict[str, Any]:
    """For JSON: dates in ISO 8601."""
    return {name: _plain(value, dt.date.isoformat) for name, value in said.items()}


def element_values(said: Mapping[str, Any]) -> dict[str, Any]:
    """For the elements of an mdoc's namespace, in which dates stay dates; what has no value is no element."""
    return {name: _plain(value, lambda date: date) for name, value in said.items() if value is not None}


def jpeg(picture: str) -> bytes:
    """The bytes of a picture that is kept as a data URL."""
    return base64.b64decode(picture.partition(",")[2])


def _plain(value: Any, dated: Callable[[dt.date], Any]) -> Any:
    match value:
        case Enum():
            return value.value
        case Mapping():
            return {name: _plain(inner, dated) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner, dated) for inner in value]
        case dt.date():
            return dated(value)
        case _:
            return value
