"""``compound`` (WebAuthn L3 section 8.9): several statements about one key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from idverify.auth.attestation.statement import UNVERIFIED, Attestation, Attested, malformed

MAX_STATEMENTS: Final = 4


def verify(attestation: Attestation, verify_one: Callable[[Attestation], Attested]) -> Attested:
    """What the first statement with certificates proves, once all that can be verified do hold.

    Our policy, where section 8.9 leaves it to us: none of them may be wrong, and one that can be trusted is enough.
    """
    statements = attestation.statement
    if not isinstance(statements, list) or not 2 <= len(statements) <= MAX_STATEMENTS:
        raise malformed(f"it must be a list of 2 to {MAX_STATEMENTS} statements")
    outcomes = [verify_one(_one(attestation, statement)) for statement in statements]
    return next((outcome for outcome in outcomes if outcome.certificates), UNVERIFIED)


def _one(attestation: Attestation, statement: Any) -> Attestation:
    match statement:
        case {"fmt": str(format_), "attStmt": dict(said)} if len(statement) == 2 and format_ != "compound":
            return replace(attestation, format=format_, statement=said)
    raise malformed("each of its statements must be a map of fmt and attStmt, and not compound itself")
