"""Rights that no code, no confirmation and no two admins gave: the order of the ledger tells, whatever rows say later.

The service refuses most of this already (``test_doors``). Here it does not, as if somebody had its secret, too.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from idverify.auth import enrolment_codes
from idverify.auth.authenticator_list import EMPTY
from idverify.core import security_act
from idverify.core.credential_type import Purpose
from idverify.core.policy import Role
from idverify.errors import Conflict, Gone
from idverify.services import administration, authenticators, enrol_staff, invite, keys, recovery_codes
from idverify.services.ceremonies import Given
from idverify.services.doors import Doors
from idverify.services.invite import Invited
from idverify.services.proposals import PROPOSAL_SECONDS
from idverify.stores.open import Location, open_log
from idverify.stores.right_givers import ALONE, BY_TWO, GIVEN, GONE, ONE_ACT
from tests.simulators.databases import changed, rows
from tests.simulators.shards import enrol_admins
from tests.simulators.signed_in import PersonalKey, SignedInPerson
from tests.simulators.software_office import SoftwareOffice, premises, software_office
from tests.simulators.two_parts import FIRST_HASH, both_parts

OTTO: Final = enrol_staff.action(Invited(Role.OFFICER, "Otto Officer"), FIRST_HASH)
LINK: Final = "a link for staff or an organisation has an entry that made it as it is"


@pytest_asyncio.fixture
async def served(tmp_path: Path, location: Location) -> AsyncIterator[SoftwareOffice]:
    """An office of two officers and two admins, who enrolled one another as they should."""
    async with software_office(tmp_path, location) as made:
        for who in ("officer", "second"):
            await made.api.identity(who)
        await enrol_admins(made)
        yield made


@pytest.fixture
def secret_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes rows writes their MAC, too."""
    monkeypatch.setattr(Doors, "holds", lambda *_: True)


def _found(location: Location) -> set[str]:
    with closing(open_log(location)) as source:
        return {rule for _, rule in (*source.record_findings(), *source.row_findings())}


def _account(location: Location, actor: str) -> bytes:
    ((account,),) = rows(location, "SELECT id FROM account WHERE actor = :actor", {"actor": actor})
    return bytes(account)


def _code_written_in(served: SoftwareOffice, location: Location, **said: Any) -> str:
    code, now = enrolment_codes.make(os.urandom), served.clock.now()
    values = {
        "id": os.urandom(16),
        "code_hash": enrolment_codes.code_hash(code),
        "created_by": "x",
        "created_at": now,
        "expires_at": now + 900,
        **said,
    }
    named = ", ".join(values)
    inserted = f"INSERT INTO enrolment ({named}) VALUES (:{', :'.join(values)})"  # noqa: S608  ours
    assert changed(location, inserted, values) == 1
    return code


async def _proposed(served: SoftwareOffice, who: str = "admin") -> Any:
    return await served.confirmed(who, lambda admin, given: administration.propose(served.office, admin, OTTO, given))


async def _approved(served: SoftwareOffice, waiting: Any) -> Any:
    return await served.confirmed(
        "other", lambda admin, given: administration.approve(served.office, admin, waiting.handle, given)
    )


async def _added(served: SoftwareOffice, who: str, key: PersonalKey) -> None:
    begun = await served.confirmed(who, lambda owner, given: keys.begin_adding(served.office, owner, given))
    answer = Given(begun.ceremony, key.create(begun.options, served.office.deployment.iss))
    await keys.finish_adding(served.office, await served.principal(who), answer, "spare")


async def test_rights_that_were_given_as_they_should_be(served: SoftwareOffice, location: Location) -> None:
    """Codes of two admins, keys after a confirmation, an organisation's printed codes: nothing is found."""
    office = served.office
    await served.api.enrol("otto", both_parts(await _approved(served, await _proposed(served))))
    await _added(served, "admin", PersonalKey())
    partner = Invited(Role.RELYING_PARTY, "Example Homes Ltd", Purpose.RENT)
    link = await served.confirmed("admin", lambda who, given: invite.invite_organisation(office, who, partner, given))
    await served.api.enrol("homes", link.code)
    printed = await served.confirmed("homes", lambda who, given: recovery_codes.make(office, who, given))
    await served.api.enrol("homes again", printed.codes[0])
    assert _found(location) == set()

    changed(location, "UPDATE enrolment SET code_hash = id WHERE kind = 'recovery-code'")

    assert _found(location) >= {LINK, GIVEN}


async def test_a_citizen_becomes_an_admin(served: SoftwareOffice, location: Location) -> None:
    """Whoever hides staff behind a person's id is found, and so is their key."""
    await served.api.enrol_citizen(await served.api.person_with_status())
    change = "UPDATE account SET role = 'admin', actor = 'Cyd Admin' WHERE role = 'citizen'"
    assert changed(location, change) == 1

    assert _found(location) >= {
        "an account is of a person exactly if it is a citizen's",
        "a security key of staff has an entry that bound it",
    }


@pytest.mark.parametrize("role", ["citizen", "relying-party"])
async def test_a_code_of_another_role(role: str, served: SoftwareOffice, location: Location) -> None:
    """A code that says to be a citizen's and leads to an admin's account."""
    _code_written_in(served, location, role=role, kind="recovery-code", account_id=_account(location, "Ada Admin"))

    assert _found(location) == {"a code is of the role of its account", LINK}


@pytest.mark.usefixtures("secret_known")
async def test_a_link_that_was_written_in_used_and_deleted(served: SoftwareOffice, location: Location) -> None:
    """The entry of the key says which code it came with, and no entry made that one."""
    code = _code_written_in(served, location, role="admin", actor="Eve Admin", kind="link")
    await served.api.enrol("eve", code)
    assert changed(location, "DELETE FROM enrolment WHERE actor = 'Eve Admin'") == 1

    assert _found(location) == {GIVEN}


async def test_one_code_twice(served: SoftwareOffice, location: Location) -> None:
    """A recovery code that is set back after its use gives no second key."""
    await served.api.identity("partner")
    printed = await served.confirmed("partner", lambda who, given: recovery_codes.make(served.office, who, given))
    await served.api.enrol("partner again", printed.codes[0])
    assert _found(location) == set()
    changed(location, "UPDATE enrolment SET consumed_at = NULL WHERE kind = 'recovery-code'")
    await served.api.enrol("partner a third time", printed.codes[0])

    assert _found(location) == {GIVEN}


async def test_the_operator_after_two_admins(served: SoftwareOffice, location: Location) -> None:
    """The command line asks the ledger; whoever goes past it is found, also once the row and the account are gone."""
    office = served.office
    changed(location, "UPDATE account SET active_since = NULL")
    omar = Invited(Role.ADMIN, "Omar Admin")
    with pytest.raises(Conflict, match="Two admins"):
        await enrol_staff.invite_first(office.store, office.doors, office.clock, office.entropy, omar, "operator")
    with pytest.raises(Conflict, match="Two admins"):
        await authenticators.set_by_operator(office.store, office.clock, office.entropy, EMPTY)
    changed(location, "UPDATE account SET active_since = created_at")
    assert _found(location) == set()

    await served.api.enrol("omar", await served.api.deployment.invite(omar))

    assert _found(location) == {ALONE}
    changed(location, "DELETE FROM enrolment WHERE actor = 'Omar Admin'")
    assert _found(location) == {ALONE, GIVEN}


async def test_a_list_of_the_operators_after_two_admins(
    served: SoftwareOffice, location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for links."""

    async def no(_store: object) -> bool:
        return False

    monkeypatch.setattr(authenticators, "two_admins_are_active", no)
    office = served.office
    await authenticators.set_by_operator(office.store, office.clock, office.entropy, EMPTY)

    assert _found(location) == {ALONE}


async def test_a_key_that_was_removed_confirms(served: SoftwareOffice, location: Location) -> None:
    """Its row is set back for a moment; the entries of its removal and of what it confirmed keep their order."""
    spare = SignedInPerson()
    await _added(served, "admin", spare.key)
    ((handle,),) = rows(location, "SELECT handle FROM security_key WHERE name = 'spare'")
    await served.confirmed("admin", lambda who, given: keys.remove(served.office, who, handle, given))
    removed = rows(location, "SELECT removed_at FROM security_key WHERE name = 'spare'")[0][0]
    changed(location, "UPDATE security_key SET removed_at = NULL WHERE name = 'spare'")
    await served.api.sign_in(spare)
    served.api.deployment.people["spare"] = spare
    await _proposed(served, "spare")
    changed(location, "UPDATE security_key SET removed_at = :at WHERE name = 'spare'", {"at": removed})

    assert _found(location) == {GONE}


async def test_a_proposal_that_is_set_back(served: SoftwareOffice, location: Location) -> None:
    """One confirmation of whoever proposed it carries one act: the row says so, and the ledger if that is undone."""
    waiting = await _proposed(served)
    await _approved(served, waiting)
    changed(location, "UPDATE admin_proposal SET consumed_at = NULL")
    with pytest.raises(Conflict, match="carried out already"):
        await _approved(served, waiting)
    assert _found(location) == set()

    changed(location, "UPDATE authorisation SET approves = NULL")
    await _approved(served, waiting)

    assert _found(location) == {ONE_ACT}


async def test_a_proposal_that_is_made_to_last(served: SoftwareOffice, location: Location) -> None:
    """Its age is what whoever proposed it signed."""
    waiting = await _proposed(served)
    changed(location, "UPDATE admin_proposal SET expires_at = expires_at + 8640000")
    served.clock.advance(PROPOSAL_SECONDS + 121)

    with pytest.raises(Gone, match="expired"):
        await _approved(served, waiting)


async def test_an_act_of_one_admin(served: SoftwareOffice, location: Location) -> None:
    """Whose confirmation is made another's, or names none, is found."""
    await _approved(served, await _proposed(served))
    ada = "(SELECT id FROM account WHERE actor = 'Ada Admin')"
    key = f"(SELECT id FROM security_key WHERE account_id = {ada})"  # noqa: S608  ours
    same = f"UPDATE authorisation SET account_id = {ada}, security_key_id = {key} WHERE act = 'enrol-staff'"  # noqa: S608  ours
    changed(location, same)

    assert BY_TWO in _found(location)


async def test_what_was_given_before(tmp_path: Path, location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment of before breaks none of it, neither before nor after this version was started; then all of it."""
    async with premises(tmp_path, location) as house:
        with monkeypatch.context() as before:
            before.setattr(security_act, "RIGHTS", "of before")
            before.setattr(security_act, "rights_recorded", lambda _least: None)
            before.setattr("idverify.services.enrol.with_code", lambda _code: None)
            before.setattr("idverify.services.keys.with_confirmation", lambda _handle: None)
            before.setattr(security_act, "printed", lambda _codes: None)
            async with house.open() as served:
                await enrol_admins(served)
                await served.api.identity("partner")
                await _added(served, "officer", PersonalKey())
                await served.confirmed("partner", lambda who, given: recovery_codes.make(served.office, who, given))
        assert _found(location) == set()

        async with house.open() as served:
            assert _found(location) == set()
            await served.api.deployment.invite(Invited(Role.OFFICER, "Otto Officer"))

        assert _found(location) == {ALONE}
