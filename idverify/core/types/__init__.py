"""The credential types that this service issues, one file each, chosen by an explicit table."""

from __future__ import annotations

from collections.abc import Mapping

from idverify.core.credential_type import CredentialType, Form
from idverify.core.types.driving_licence import DRIVING_LICENCE
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.core.types.pid import PID
from idverify.errors import Unprocessable

# In the order in which people are offered them.
CREDENTIAL_TYPES: Mapping[str, CredentialType] = {kind.id: kind for kind in (IMMIGRATION_STATUS, PID, DRIVING_LICENCE)}


def credential_type(type_id: str) -> CredentialType:
    """The declaration of this id. Raises ``Unprocessable`` for a type that is not issued here."""
    kind = CREDENTIAL_TYPES.get(type_id)
    if kind is None:
        raise Unprocessable(f"The type must be one of: {', '.join(CREDENTIAL_TYPES)}; got {type_id!r}.")
    return kind


def declared_as(format_name: str, wire_type: str) -> tuple[CredentialType, Form] | None:
    """The declaration of a document in this format whose ``vct`` or docType this is; ``None``: it is not of ours."""
    for kind in CREDENTIAL_TYPES.values():
        form = kind.forms.get(format_name)
        if form is not None and form.type == wire_type:
            return kind, form
    return None


def declared_form(format_name: str, wire_type: str) -> Form | None:
    """The form alone."""
    found = declared_as(format_name, wire_type)
    return None if found is None else found[1]


def wire_types() -> frozenset[str]:
    """Every ``vct`` and docType that is issued here: what a verifier relies on us for."""
    return frozenset(form.type for kind in CREDENTIAL_TYPES.values() for form in kind.forms.values())
