"""What an officer did since they signed in: the history of the shift."""

from __future__ import annotations

from typing import Any

from idverify.core.policy import Act, Principal, require_may, require_person
from idverify.services.office import Office
from idverify.stores import queries


async def looks_made(office: Office, officer: Principal) -> list[Any]:
    """Rows of the officer's looks since this session began, newest first; at whom, is not said."""
    require_may(officer, Act.KEEP_PEOPLE)
    session: Any = await office.store.fetch_one(queries.SESSION_BY_ID, {"id": require_person(officer).session})
    asked = {"actor": officer.actor, "role": officer.role.value, "since": session["created_at"]}
    return await office.store.fetch(queries.LOOKS_BY_ACTOR, asked)
