"""The credential types that this service issues, one file each, chosen by an explicit table."""

from __future__ import annotations

from collections.abc import Mapping

from idverify.core.credential_type import CredentialType
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.errors import Unprocessable

CREDENTIAL_TYPES: Mapping[str, CredentialType] = {kind.vct: kind for kind in (IMMIGRATION_STATUS,)}


def credential_type(vct: str) -> CredentialType:
    """The declaration of this ``vct``. Raises ``Unprocessable`` for a type that is not issued here."""
    kind = CREDENTIAL_TYPES.get(vct)
    if kind is None:
        raise Unprocessable(f"The type must be one of: {', '.join(CREDENTIAL_TYPES)}; got {vct!r}.")
    return kind
