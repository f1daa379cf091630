"""What a decision gives, type by type: whether it may be given, what a change changes, what a copy then speaks of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from idverify.core.credential_type import CredentialType, Facts
from idverify.core.decision import DecisionKind, Effect
from idverify.core.person import PersonDetails
from idverify.core.types import CREDENTIAL_TYPES, credential_type
from idverify.errors import Unprocessable
from idverify.services.office import Deployment
from idverify.services.sealed import DecisionContent

_LEVELS: Final[Mapping[str, str]] = {
    "confidence": "GPG 45",
    "authentication": "GPG 44",
    "eidas": "eIDAS",
}


def require_content(kind: DecisionKind, effect: Effect, content: DecisionContent, details: PersonDetails) -> None:
    """Raises ``Unprocessable`` unless a decision of this kind may say this of this person."""
    if not effect.carries_permission:
        if content.permissions is not None or content.identity_assurance is not None:
            raise Unprocessable(f"A decision to {kind.value} carries no permission; leave it out.")
        return
    if not content.permissions:
        raise Unprocessable(f"A decision to {kind.value} needs the permission that it gives.")
    for type_id in content.permissions:
        _require_grantable(credential_type(type_id), content, details)


def _require_grantable(kind: CredentialType, content: DecisionContent, details: PersonDetails) -> None:
    missing = kind.lacks(details)
    if missing:
        raise Unprocessable(f"{kind.id} cannot be given to somebody whose record lacks: {', '.join(missing)}.")
    unmet = kind.least_assurance.unmet(content.identity_assurance)
    if unmet:
        asked = ", ".join(f"{_LEVELS[name]} {getattr(kind.least_assurance, name).value}" for name in unmet)
        raise Unprocessable(f"{kind.id} needs an identity that was checked to this level at least: {asked}.")


def permission_for(kind: CredentialType, content: DecisionContent) -> Any:
    """What the decision gives for this type, as its model. Raises ``Unprocessable`` if it gives nothing."""
    part = (content.permissions or {}).get(kind.id)
    if part is None:
        raise Unprocessable("The decision in force gives this person no document of this type.")
    return kind.permission.model_validate(part)


def changed_types(before: DecisionContent, after: DecisionContent) -> frozenset[str]:
    """The types whose copies say what is no longer so: their part changed or went, or how the identity was checked."""
    held, given = before.permissions or {}, after.permissions or {}
    if before.identity_assurance != after.identity_assurance:
        return frozenset(held)
    return frozenset(
        type_id for type_id, part in held.items() if _meaning(type_id, part) != _meaning(type_id, given.get(type_id))
    )


def _meaning(type_id: str, part: Mapping[str, Any] | None) -> BaseModel | Mapping[str, Any] | None:
    """A part as its type reads it today: one that was written without a field that came later means the same."""
    kind = CREDENTIAL_TYPES.get(type_id)
    if part is None or kind is None:
        return part
    try:
        return kind.permission.model_validate(part)
    except ValidationError:  # written for a declaration that was stricter made since
        return part


def facts_of(
    deployment: Deployment,
    kind: CredentialType,
    details: PersonDetails,
    decision: Any,
    content: DecisionContent,
    at: int,
) -> Facts:
    """What a copy that is issued at ``at`` speaks of; ``decision`` has ``decision_handle`` and ``decided_at``."""
    return Facts(
        details=details,
        permission=permission_for(kind, content),
        assurance=content.identity_assurance,
        status_reference=decision["decision_handle"].hex(),
        decided_on=dt.datetime.fromtimestamp(decision["decided_at"], dt.UTC).date(),
        issuing_authority=deployment.name,
        issuing_country=deployment.country,
        issued_at=at,
    )
