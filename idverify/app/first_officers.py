"""The first two officers: nobody could enrol them but whoever starts the service, and there is no default password."""

from __future__ import annotations

from typing import Any, Final

from idverify.app.demo import SET_UP
from idverify.core.policy import Role
from idverify.ports import Clock, Entropy
from idverify.services.doors import Doors
from idverify.services.first_admins import two_admins_are_active
from idverify.services.invite import Invited, invite
from idverify.stores import queries
from idverify.stores.store import Store

NEEDED: Final = 2  # some decisions take two people


async def first_codes(store: Store, doors: Doors, clock: Clock, entropy: Entropy) -> list[str]:
    """A one-time code for each of the first officers who is not enrolled yet; each gives their name on the page.

    There are none where two admins can enrol officers: then nobody else can.
    """
    if await two_admins_are_active(store):
        return []
    staff: list[Any] = await store.fetch(queries.STAFF, {})
    enrolled = sum(map(_is_an_officer, staff))
    first = Invited(Role.OFFICER)
    invitations = [await invite(store, doors, clock, entropy, first, "up") for _ in range(NEEDED - enrolled)]
    return [invitation.code for invitation in invitations]


def _is_an_officer(account: Any) -> bool:
    here = account["role"] == Role.OFFICER and account["ended_at"] is None
    return here and not account["actor"].startswith(SET_UP)
