"""Rights that somebody wrote into the database and not on the ledger: the audit finds keys, links, lists, metadata."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from idverify.auth.authenticator_list import EMPTY
from idverify.core import security_act
from idverify.core.credential_type import Purpose
from idverify.core.policy import Role
from idverify.services import (
    administration,
    authenticators,
    enrol_staff,
    invite,
    keys,
    recovery_codes,
    restore_access,
    security_acts,
)
from idverify.services.ceremonies import Given
from idverify.services.invite import Invited
from idverify.stores import queries
from idverify.stores.open import Location, open_log
from tests.simulators.acts import load_metadata
from tests.simulators.databases import DRIVERS, changed, copied, fresh
from tests.simulators.postgres import Cluster
from tests.simulators.shards import enrol_admins
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import SoftwareOffice, software_office
from tests.simulators.two_parts import FIRST_HASH

OF_ANOTHER: Final = "a security key of staff is of the account that it was bound to"
UNBOUND: Final = "a security key of staff has an entry that bound it"
LINK: Final = "a link for staff or an organisation has an entry that made it as it is"
LIST: Final = "a list of authenticators that was put in force is there"
METADATA: Final = "the newest metadata of authenticators that were loaded are there, and no others"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=DRIVERS)
async def at_rest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Location]:
    """What an office left in which every kind of right was given as it should be."""
    folder = tmp_path_factory.mktemp("office")
    async with fresh(request.param, folder, request) as location:
        async with software_office(folder, location) as served:
            office = served.office
            for _ in range(2):
                await authenticators.set_by_operator(office.store, office.clock, office.entropy, EMPTY)
            await load_metadata(office)
            await enrol_admins(served)
            await _added(served, "officer", PersonalKey())
            await _links(served)
        yield location


async def _added(served: SoftwareOffice, who: str, key: PersonalKey) -> None:
    begun = await served.confirmed(who, lambda owner, given: keys.begin_adding(served.office, owner, given))
    answer = Given(begun.ceremony, key.create(begun.options, served.office.deployment.iss))
    await keys.finish_adding(served.office, await served.principal(who), answer, "spare")


async def _links(served: SoftwareOffice) -> None:
    """Of each kind that staff and organisations get, none of them used."""
    office = served.office
    account: Any = await office.store.fetch_one(queries.ACCOUNT_NAMED, {"name_as_read": "olive officer"})
    olive: Any = await office.store.fetch_one(queries.ACCOUNT, {"id": account["id"]})
    otto = Invited(Role.OFFICER, "Otto Officer")
    for wanted in (enrol_staff.action(otto, FIRST_HASH), restore_access.staff_action(olive, FIRST_HASH)):
        waiting = await served.confirmed(
            "admin", lambda who, given, act=wanted: administration.propose(office, who, act, given)
        )
        await served.confirmed(
            "other", lambda who, given, one=waiting: administration.approve(office, who, one.handle, given)
        )
    partner = Invited(Role.RELYING_PARTY, "Example Homes Ltd", Purpose.RENT)
    await served.confirmed("admin", lambda who, given: invite.invite_organisation(office, who, partner, given))
    await served.confirmed("partner", lambda who, given: recovery_codes.make(office, who, given))


def _found(location: Location) -> set[str]:
    with closing(open_log(location)) as source:
        return {rule for _, rule in (*source.record_findings(), *source.row_findings())}


def _broken(location: Location, folder: Path, change: str) -> set[str]:
    """What is found in a copy in which one statement was run."""
    with copied(location, folder) as copy:
        assert changed(copy, change) > 0
        return _found(copy)


def test_what_was_given_as_it_should_be(at_rest: Location) -> None:
    """Nothing is found."""
    assert _found(at_rest) == set()


MOVED_KEY: Final = """
    UPDATE security_key SET account_id = (SELECT id FROM account WHERE actor = 'Oscar Officer') WHERE name = 'spare'"""
COPIED_KEY: Final = """
    INSERT INTO security_key (id, handle, account_id, credential_id, cose_key, cose_key_hash, algorithm, sign_count,
        backup_eligible, backed_up, aaguid, transports, attestation_format, policy_version, name, created_at)
    SELECT x'61', x'61', (SELECT id FROM account WHERE actor = 'Oscar Officer'), x'61', cose_key, NULL, algorithm, 0,
        0, 0, aaguid, transports, attestation_format, policy_version, name, created_at
    FROM security_key WHERE name = 'spare'"""


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (MOVED_KEY, OF_ANOTHER),
        ("UPDATE account SET role = 'admin' WHERE actor = 'Oscar Officer'", OF_ANOTHER),
        ("UPDATE account SET actor = 'Olive Oak' WHERE actor = 'Oscar Officer'", OF_ANOTHER),
        (COPIED_KEY, UNBOUND),
        ("DELETE FROM security_key WHERE name = 'spare'", "a security key of staff that an entry bound has its row"),
        ("UPDATE security_key SET cose_key_hash = handle", "the row of a security key has its hash"),
    ],
)
def test_keys_of_others(change: str, rule: str, at_rest: Location, tmp_path: Path) -> None:
    """A spare that becomes a colleague's, a colleague who becomes somebody else, one key in two hands."""
    assert rule in _broken(at_rest, tmp_path, change)


def test_a_key_in_two_hands(at_rest: Location, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Whoever may write may drop an index, too."""
    with copied(at_rest, tmp_path) as copy:
        if isinstance(copy, Path):
            with closing(sqlite3.connect(copy)) as connection:
                connection.execute("DROP INDEX security_key_cose_key_hash")
        else:
            server: Cluster = request.getfixturevalue("postgres")
            server.sql("DROP INDEX security_key_cose_key_hash", urlsplit(copy).path[1:])
        changed(copy, COPIED_KEY.replace("NULL", "cose_key_hash"))

        assert _found(copy) >= {UNBOUND, "no two security keys are one"}


MOVED_LINK: Final = """
    UPDATE enrolment SET account_id = (SELECT id FROM account WHERE actor = 'Oscar Officer') WHERE role = 'officer'
    AND consumed_at IS NULL"""
ADDED_LINK: Final = """
    INSERT INTO enrolment (id, code_hash, role, actor, created_by, created_at, expires_at, kind)
    SELECT x'61', x'61', 'admin', 'Mallory Admin', 'operator', %s FROM enrolment WHERE actor = 'Otto Officer'"""


@pytest.mark.parametrize(
    "change",
    [
        ADDED_LINK % "created_at, expires_at, kind",
        ADDED_LINK % "0, 0, kind",
        ADDED_LINK % "0, expires_at, NULL",
        "UPDATE enrolment SET expires_at = expires_at + 1 WHERE actor = 'Otto Officer'",
        "UPDATE enrolment SET not_before = created_at WHERE actor = 'Otto Officer'",
        "UPDATE enrolment SET kind = 're-proofing' WHERE actor = 'Otto Officer'",
        "UPDATE enrolment SET kind = NULL WHERE actor = 'Otto Officer'",
        "UPDATE enrolment SET kind = 'recovery-code' WHERE actor = 'Otto Officer'",
        MOVED_LINK,
        "UPDATE enrolment SET actor = 'Mallory Admin' WHERE actor = 'Otto Officer'",
        "UPDATE enrolment SET expires_at = expires_at + 1 WHERE actor = 'Example Homes Ltd'",
    ],
)
def test_links_that_nobody_made(change: str, at_rest: Location, tmp_path: Path) -> None:
    """One that was written in, also as an old one; one for longer, at once, of another kind, for somebody else."""
    assert _broken(at_rest, tmp_path, change) == {LINK}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DELETE FROM authenticator_list WHERE version = 2", {LIST}),
        (
            "DELETE FROM authenticator_list WHERE version = 1",
            {LIST, "lists of authenticators are numbered without a gap"},
        ),
        (
            "UPDATE authenticator_list SET version = 3 WHERE version = 2",
            {
                LIST,
                "a list of authenticators has an entry that put it in force",
                "lists of authenticators are numbered without a gap",
            },
        ),
        ("DELETE FROM metadata_blob", {METADATA}),
        ("UPDATE metadata_blob SET blob = x'61'", {METADATA}),
    ],
)
def test_lists_that_go_back(change: str, found: set[str], at_rest: Location, tmp_path: Path) -> None:
    """An older list comes into force again, or what is known of weak keys is forgotten."""
    assert _broken(at_rest, tmp_path, change) == found


async def test_older_metadata_are_loaded_again(tmp_path: Path, location: Location) -> None:
    """Whoever deletes what is there may load what is older: the ledger has both numbers."""
    async with software_office(tmp_path, location) as served:
        await load_metadata(served.office, no=9)
        assert _found(location) == set()
        await asyncio.to_thread(changed, location, "DELETE FROM metadata_blob")  # beside what the office writes
        await load_metadata(served.office, no=7)

    assert _found(location) == {METADATA, "metadata of authenticators only ever become newer"}


def test_entries_that_wait_for_no_log(at_rest: Location, tmp_path: Path) -> None:
    """What waits counts as recorded, so that it waits must be true."""
    waiting = """INSERT INTO ledger_waiting (position, entry_type, type, handle, digest, person_id, opening)
        SELECT 1, 4, type, handle, handle, NULL, opening FROM ledger_record WHERE type = 'authenticator.bound'
        ORDER BY ledger_index LIMIT 1"""

    assert "entries wait only while the log is halted" in _broken(at_rest, tmp_path, waiting)


async def test_what_was_recorded_before(tmp_path: Path, location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that do not say whose a key is, or on which terms a link was made, bind one row each, and no second."""
    digest = security_acts.object_digest
    with monkeypatch.context() as before:
        before.setattr(security_act, "rights_recorded", lambda _least: None)
        before.setattr(security_acts, "account_digest", lambda _account: None)
        before.setattr(security_acts, "ENROLMENT_MADE", None)
        before.setattr(security_acts, "object_digest", lambda kind, row: digest(kind, {**dict(row), "kind": None}))
        async with software_office(tmp_path, location) as served:
            await served.api.identity("second")
            await _added(served, "officer", PersonalKey())
    changed(location, "UPDATE enrolment SET kind = NULL")

    assert _found(location) == set()
    (folder := tmp_path / "copy").mkdir()
    assert _broken(location, folder, COPIED_KEY) == {UNBOUND}
    (folder := tmp_path / "link").mkdir()
    added = (ADDED_LINK % "created_at, expires_at, NULL").replace("Otto", "Olive")
    assert _broken(location, folder, added) == {LINK}
