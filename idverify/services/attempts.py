"""How often an answer of a security key may not hold: ceremonies are rows, so every front end counts the same ones.

Counted is by what whoever asks has in hand, a session or an enrolment code. Who signs in is nobody yet: to count
by the key that they name would let strangers lock its owner out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from idverify.errors import TooManyAttempts
from idverify.services.office import Office
from idverify.stores import queries

MOST_FAILURES: Final = 20
WINDOW_SECONDS: Final = 600  # no longer than what is left of ceremonies is kept: ``retention.CEREMONY_GRACE_SECONDS``


async def require_few_failures(office: Office, session: bytes | None, enrolment: bytes | None) -> None:
    """Raises ``TooManyAttempts`` where too many ceremonies of the same session or code failed in the last minutes."""
    bound = {"session_id": session, "enrolment_id": enrolment}
    since = office.clock.now() - WINDOW_SECONDS
    for column, asked in bound.items():
        if asked is None:
            continue
        parameters = {column: asked, "since": since, "most": MOST_FAILURES}
        failed: Sequence[Any] = await office.store.fetch(queries.FAILED_CEREMONIES[column], parameters)
        if len(failed) == MOST_FAILURES:
            raise TooManyAttempts(failed[-1]["consumed_at"] - since)
