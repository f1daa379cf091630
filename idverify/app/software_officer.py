"""An officer without a desk: enrols, signs in and confirms with a software key, in the service's own process.

The demo's set-up and the bench act through one, because nothing is decided or offered unless somebody confirms it. The
key is never written down; what it confirmed stays on record, with the evidence.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from idverify.auth.software_key import SoftwareKey
from idverify.core.action import StepUpRequired
from idverify.core.policy import Principal, Role, require_person
from idverify.services import enrol, invite, sessions, step_up
from idverify.services.ceremonies import Given
from idverify.services.invite import Invited
from idverify.services.office import Office
from idverify.stores import tables
from idverify.stores.writes import Change, WriteSet

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SoftwareOfficer:
    """Somebody signed in. Their key counts, so they confirm one act at a time."""

    office: Office
    principal: Principal
    key: SoftwareKey

    async def confirm(self, act: Callable[[Principal, Given | None], Awaitable[T]]) -> T:
        """What ``act`` gives, confirmed if it asks for that."""
        try:
            return await act(self.principal, None)
        except StepUpRequired as asked:
            begun = await step_up.begin(self.office, self.principal, asked.action)
        answer = self.key.get(begun.options, self.office.deployment.iss)
        return await act(self.principal, Given(begun.ceremony, answer))


@asynccontextmanager
async def software_officer(office: Office, name: str) -> AsyncIterator[SoftwareOfficer]:
    """An officer of a name that nobody has yet; on the way out the account ends, and nobody has the key any more."""
    invited = Invited(Role.OFFICER, name)
    invitation = await invite.invite(office.store, office.doors, office.clock, office.entropy, invited, name)
    begun, key = await enrol.begin(office, invitation.code, None), SoftwareKey(office.entropy)
    given = Given(begun.ceremony, key.create(begun.options, office.deployment.iss))
    opened = await enrol.finish(office, invitation.code, None, given, "Software key, thrown away")
    try:
        yield SoftwareOfficer(office, opened.principal, key)
    finally:
        account, now = require_person(opened.principal).account, office.clock.now()
        gone = Change(tables.account, {"id": account}, {"ended_at": now})
        await office.store.commit(WriteSet((gone, sessions.ending({"account_id": account}, now))))
