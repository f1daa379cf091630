"""What tests decide: an immigration status, or nothing but why."""

from __future__ import annotations

from typing import Any

from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.services.sealed import DecisionContent


def content(permission: dict[str, Any] | None = None, legal_basis: str = "Rules, part 9") -> DecisionContent:
    """What a decision says that gives this immigration status, or none."""
    given = None if permission is None else {IMMIGRATION_STATUS.id: permission}
    return DecisionContent(legal_basis=legal_basis, permissions=given)
