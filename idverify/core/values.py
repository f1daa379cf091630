"""Values of a credential as its format writes them: dates as text in JSON, as dates in CBOR; codes as bare text."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from pydantic import TypeAdapter

_JSON: Final = TypeAdapter(dict[str, Any])


def json_values(said: Mapping[str, Any]) -> dict[str, Any]:
    """For JSON: dates in ISO 8601."""
    plain: dict[str, Any] = _JSON.dump_python(dict(said), mode="json")
    return plain


def element_values(said: Mapping[str, Any]) -> dict[str, Any]:
    """For the elements of an mdoc's namespace, in which dates stay dates; what has no value is no element."""
    return {name: _plain(value) for name, value in said.items() if value is not None}


def jpeg(picture: str) -> bytes:
    """The bytes of a picture that is kept as a data URL."""
    return base64.b64decode(picture.partition(",")[2])


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case Mapping():
            return {name: _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            return value
