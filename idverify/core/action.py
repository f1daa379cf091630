"""An act that somebody confirms with a security key: what exactly they agreed to, as one digest.

The digest covers the act alone, so that two people who approve the same act sign over the same digest; who they are
and where they sit enters each one's challenge (``auth.step_up``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from idverify.errors import NotAuthenticated


@dataclass(frozen=True, slots=True)
class Action:
    """``act`` names the deed, ``subject`` the handle of what it is done to (hex), ``content`` all that it says.

    ``content`` holds strings, integers, booleans, ``None``, and lists and mappings of them; no floats.
    """

    act: str
    subject: str | None = None
    content: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The act as whoever confirms it is shown it."""
        return {"act": self.act, "subject": self.subject, "content": dict(self.content)}

    def digest(self) -> bytes:
        """SHA-256 of the act's canonical JSON."""
        return hashlib.sha256(canonical_json(self.to_json())).digest()


class StepUpRequired(NotAuthenticated):
    """The act needs an assertion of the caller's security key that is bound to this very act."""

    slug, status, title = "step-up-required", 401, "This act must be confirmed with your security key"

    def __init__(self, action: Action) -> None:
        super().__init__("Confirm with your security key: sign step_up.public_key, then send the request again.")
        self.action = action


def canonical_json(value: Any) -> bytes:
    """RFC 8785 for values without floats whose member names are ASCII: sorted members, no blanks, UTF-8.

    Raises ``ValueError`` for a float, which two writers may spell differently.
    """
    _require_canonical(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _require_canonical(value: Any) -> None:
    match value:
        case Mapping():
            if not all(isinstance(name, str) and name.isascii() for name in value):
                raise ValueError("canonical JSON: member names must be ASCII strings")
            for inner in value.values():
                _require_canonical(inner)
        case list() | tuple():
            for inner in value:
                _require_canonical(inner)
        case float():
            raise ValueError("canonical JSON: floats have more than one spelling")
