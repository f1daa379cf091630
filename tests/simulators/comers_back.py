"""Somebody with an account of their own, who loses keys and comes back by codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from idverify.core.policy import Principal
from idverify.services import enrol, invite, keys, recovery_codes, sign_in
from idverify.services.ceremonies import Given
from idverify.services.invite import TERMS, Invitation, Kind
from idverify.services.recovery_codes import CodeSet
from idverify.services.sessions import Opened
from idverify.stores import queries
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import SoftwareOffice

DELAY = TERMS[Kind.RE_PROOFING].delay


@dataclass(frozen=True)
class Citizen:
    """A person on record (handle as hex) who has an account with one key; ``who`` is their name for ``confirmed``."""

    served: SoftwareOffice
    person: str
    who: str

    async def principal(self) -> Principal:
        """Signed in."""
        return await self.served.principal(self.who)

    async def codes(self) -> CodeSet:
        """A fresh set of printed codes."""
        return await self.served.confirmed(
            self.who, lambda person, given: recovery_codes.make(self.served.office, person, given)
        )

    async def slip(self, officer: str = "officer") -> Invitation:
        """A code from a counter."""
        return await slip(self.served, self.person, officer)

    async def remove(self, key: bytes) -> None:
        """Remove a key of theirs (handle), confirmed with the one that they are signed in with."""
        await self.served.confirmed(self.who, lambda person, given: keys.remove(self.served.office, person, key, given))

    async def held(self) -> list[Any]:
        """Rows of their keys in use."""
        account: Any = await self.account()
        return await self.served.office.store.fetch(queries.SECURITY_KEYS, {"account_id": account["id"]})

    async def account(self) -> Any:
        """The row of their account."""
        return await self.served.office.store.fetch_one(
            queries.ACCOUNT, {"id": bytes.fromhex((await self.principal()).id)}
        )


async def citizen(served: SoftwareOffice) -> Citizen:
    """Somebody who holds a status and enrolled with a slip."""
    person = await served.api.person_with_status()
    return Citizen(served, person, await served.api.enrol_citizen(person))


async def slip(served: SoftwareOffice, person: str, officer: str = "officer") -> Invitation:
    """A code from a counter for the person with this handle."""
    handle = bytes.fromhex(person)
    return await served.confirmed(officer, lambda who, given: invite.invite_citizen(served.office, who, handle, given))


async def registered(served: SoftwareOffice, code: str, key: PersonalKey | None = None) -> Opened:
    """Register a key with a code, whoever does it."""
    begun = await enrol.begin(served.office, code, None)
    answer = (key or PersonalKey()).create(begun.options, served.office.deployment.iss)
    return await enrol.finish(served.office, code, None, Given(begun.ceremony, answer), "new key")


async def signed_in(served: SoftwareOffice, key: PersonalKey) -> Opened:
    """Sign in with a key."""
    begun = await sign_in.begin(served.office)
    answer = key.get(begun.options, served.office.deployment.iss)
    return await sign_in.finish(served.office, Given(begun.ceremony, answer))
