"""A deployment that asks staff for attested keys: who is enrolled there, with which keys, and what they decide."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from idverify.auth.authenticator_list import AuthenticatorList
from idverify.auth.key_policy import KEY_POLICIES
from idverify.auth.mds import Metadata
from idverify.core.policy import Role
from idverify.services import administration, authenticators, change_authenticators, enrol, keys, sign_in
from idverify.services.ceremonies import Given
from idverify.services.invite import Invited
from idverify.stores.open import Location
from tests.simulators import makers
from tests.simulators.attested_key import OTHER_MODEL, AttestedKey
from tests.simulators.signed_in import PersonalKey, SignedInPerson
from tests.simulators.software_office import SoftwareOffice, premises
from tests.vectors.make_attestation_vectors import blob


@dataclass
class Strict:
    """A deployment that asks staff for attested keys, with no list yet, and who is enrolled there."""

    served: SoftwareOffice
    keys: dict[str, list[PersonalKey]] = field(default_factory=dict)

    async def set_list(self, listed: AuthenticatorList) -> None:
        """As the operator does."""
        office = self.served.office
        await authenticators.set_by_operator(office.store, office.clock, office.entropy, listed)

    async def enrol(self, who: str, role: Role, *held: PersonalKey) -> None:
        """Somebody registers these keys, the first one by a link."""
        office, iss, (first, *others) = self.served.office, self.served.office.deployment.iss, held
        code = await self.served.api.deployment.invite(Invited(role, who))
        begun = await enrol.begin(office, code, None)
        opened = await enrol.finish(
            office, code, None, Given(begun.ceremony, first.create(begun.options, iss)), "key 1"
        )
        self.served.api.deployment.people[who] = SignedInPerson(first, opened.token)
        self.keys[who] = list(held)
        for number, key in enumerate(others, 2):
            await self.add(who, key, f"key {number}")

    async def add(self, who: str, key: PersonalKey, name: str) -> None:
        """Another key, confirmed with the first one."""
        office = self.served.office
        begun = await self.served.confirmed(who, lambda owner, given: keys.begin_adding(office, owner, given))
        answer = Given(begun.ceremony, key.create(begun.options, office.deployment.iss))
        await keys.finish_adding(office, await self.served.principal(who), answer, name)

    async def admins(self) -> None:
        """Two, with two keys each: one of each model."""
        for who in ("Ada Admin", "Abel Admin"):
            await self.enrol(who, Role.ADMIN, AttestedKey(), AttestedKey(OTHER_MODEL))

    async def signs_in(self, key: PersonalKey) -> Any:
        """A session, if the key opens one."""
        begun = await sign_in.begin(self.served.office)
        answer = key.get(begun.options, self.served.office.deployment.iss)
        return await sign_in.finish(self.served.office, Given(begun.ceremony, answer))

    async def change(self, listed: AuthenticatorList) -> None:
        """Two admins put a list in force."""
        office = self.served.office
        action = await change_authenticators.action(office, listed)
        waiting = await self.served.confirmed(
            "Ada Admin", lambda who, given: administration.propose(office, who, action, given)
        )
        await self.served.confirmed(
            "Abel Admin", lambda who, given: administration.approve(office, who, waiting.handle, given)
        )

    async def load(self, **changes: Any) -> Metadata:
        """Metadata signed by the test's service, as the operator loads them."""
        office = self.served.office
        said = blob(**changes).encode()
        return await authenticators.load_metadata(
            office.store, office.entropy, office.metadata_roots, office.clock.now(), said, "test"
        )


@asynccontextmanager
async def strict_office(data: Path, location: Location) -> AsyncIterator[Strict]:
    """The deployment, on a day on which the test's metadata are current."""
    async with premises(data, location) as made:
        made.clock.advance(makers.AT_TIME - made.clock.now())
        ours = replace(made, key_policies=KEY_POLICIES, metadata_roots=(makers.ROOT.certificate,))
        async with ours.open() as served:
            yield Strict(served)
