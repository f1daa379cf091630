"""What rests sealed under a person's key, and how it opens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict

from idverify.core.assurance import IdentityAssurance
from idverify.core.person import PersonDetails
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.stores.vault import PersonKey, place

Permissions = dict[str, dict[str, Any]]
"""What a decision gives, by id of the credential type; each part as its type's model writes it in JSON."""

ONE_PERMISSION: Final = 1
BY_TYPE: Final = 2


class DecisionContent(BaseModel):
    """What is sealed of a decision: officers write legal bases in their own words, so they are personal data.

    ``form`` is how it is written down, which the ledger's digest covers: those of form 1 knew the immigration status
    alone, and stay as they are. Only form 2 says how the identity was checked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    legal_basis: str
    permissions: Permissions | None = None
    identity_assurance: IdentityAssurance | None = None
    form: Literal[1, 2] = BY_TYPE

    def to_json(self) -> dict[str, Any]:
        """As it is sealed, and as the ledger commits to it."""
        if self.form == ONE_PERMISSION:
            return {"legal_basis": self.legal_basis, "permission": (self.permissions or {}).get(IMMIGRATION_STATUS.id)}
        return self.model_dump(mode="json")


def read_content(said: Mapping[str, Any]) -> DecisionContent:
    """The content of either form."""
    if "form" in said:
        return DecisionContent.model_validate(said)
    permission = said.get("permission")
    permissions = None if permission is None else {IMMIGRATION_STATUS.id: permission}
    return DecisionContent(legal_basis=said["legal_basis"], permissions=permissions, form=ONE_PERMISSION)


def seal_details(key: PersonKey, person_id: bytes, details: PersonDetails) -> bytes:
    """The details for a ``person`` row."""
    return key.seal(details.model_dump_json().encode(), place("person", "sealed", person_id))


def unseal_details(key: PersonKey, person_id: bytes, sealed: bytes) -> PersonDetails:
    """The details of a ``person`` row."""
    return PersonDetails.model_validate_json(key.unseal(sealed, place("person", "sealed", person_id)))


def seal_content(key: PersonKey, table: str, row_id: bytes, content: DecisionContent) -> bytes:
    """The content for a row of ``decision`` or ``proposal``."""
    return key.seal(orjson.dumps(content.to_json()), place(table, "sealed", row_id))


def unseal_content(key: PersonKey, table: str, row_id: bytes, sealed: bytes) -> DecisionContent:
    """The content of a row of ``decision`` or ``proposal``."""
    return read_content(orjson.loads(key.unseal(sealed, place(table, "sealed", row_id))))
