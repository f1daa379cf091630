"""What the issuer publishes of itself for verifiers that look for its keys by its name."""

from __future__ import annotations

from typing import Any

from idverify.core.credential import Issuer
from idverify.core.form_parts import SD_JWT_VC
from idverify.core.types import CREDENTIAL_TYPES
from idverify.formats import sdjwt_vc_draft
from idverify.services.office import Office
from idverify.stores import queries

TYPES_PATH = "/types"


async def issuer_metadata(office: Office) -> dict[str, Any]:
    """The JWT VC Issuer Metadata: every key whose documents still verify, none that was revoked or has run out."""
    iss, roles = office.deployment.iss, {kind.key_role for kind in CREDENTIAL_TYPES.values() if SD_JWT_VC in kind.forms}
    rows = await office.store.fetch(queries.KEYS_THAT_VERIFY, {"at": office.clock.now()})
    signers = [Issuer(iss, (row["certificate"],), row["key_id"]) for row in rows if row["role"] in roles]
    return sdjwt_vc_draft.issuer_metadata(iss, signers, iss + TYPES_PATH)
