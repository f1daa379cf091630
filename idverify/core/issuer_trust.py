"""Whom we rely on besides ourselves: changed by two admins, over exactly what changes and what it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from idverify.core.action import Action

ACT: Final = "change-trusted-issuers"
MEMBERS: Final = frozenset({"version", "document"})


def action(version: int, document: Mapping[str, Any]) -> Action:
    """What both admins confirm: the number of the change, and all that it says."""
    return Action(ACT, None, {"version": version, "document": dict(document)})
