"""What rests sealed under a person's key, and how it opens."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from idverify.core.person import PersonDetails
from idverify.stores.vault import PersonKey, place


class DecisionContent(BaseModel):
    """What is sealed of a decision: officers write legal bases in their own words, so they are personal data."""

    legal_basis: str
    permission: dict[str, Any] | None = None


def seal_details(key: PersonKey, person_id: bytes, details: PersonDetails) -> bytes:
    """The details for a ``person`` row."""
    return key.seal(details.model_dump_json().encode(), place("person", "sealed", person_id))


def unseal_details(key: PersonKey, person_id: bytes, sealed: bytes) -> PersonDetails:
    """The details of a ``person`` row."""
    return PersonDetails.model_validate_json(key.unseal(sealed, place("person", "sealed", person_id)))


def seal_content(key: PersonKey, table: str, row_id: bytes, content: DecisionContent) -> bytes:
    """The content for a row of ``decision`` or ``proposal``."""
    return key.seal(content.model_dump_json().encode(), place(table, "sealed", row_id))


def unseal_content(key: PersonKey, table: str, row_id: bytes, sealed: bytes) -> DecisionContent:
    """The content of a row of ``decision`` or ``proposal``."""
    return DecisionContent.model_validate_json(key.unseal(sealed, place(table, "sealed", row_id)))
