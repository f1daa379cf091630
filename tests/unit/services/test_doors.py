"""Rows that open doors: whoever may write to the database, and knows every secret of their own, opens nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from idverify.auth import api_keys, base64url, enrolment_codes, session_tokens
from idverify.auth.webauthn import RegisteredKey, check_registration
from idverify.core import security_act
from idverify.core.policy import Role
from idverify.errors import NotAuthenticated, NotFound
from idverify.services import doors, enrol, invite, keys, recorded_rules, sessions
from idverify.services.access import Gate, create_key
from idverify.services.ceremonies import CHALLENGE_BYTES, SECONDS, Ceremony, Given, expectation
from idverify.services.doors import Doors
from idverify.services.invite import Invited
from idverify.services.office import Office
from idverify.stores import queries, tables
from idverify.stores.open import Location
from tests.simulators.databases import changed, rows
from tests.simulators.holder import collection
from tests.simulators.shards import enrol_admins
from tests.simulators.signed_in import PersonalKey, SignedInPerson
from tests.simulators.soft_wallet import SoftWallet
from tests.simulators.software_office import SoftwareOffice, premises, software_office

MINE: Final = os.urandom(16)


@pytest_asyncio.fixture
async def served(tmp_path: Path, location: Location) -> AsyncIterator[SoftwareOffice]:
    """An office with two admins and an officer, on each kind of database."""
    async with software_office(tmp_path, location) as made:
        await made.api.identity("officer")
        await enrol_admins(made)
        yield made


def _written(location: Location, table: str, **values: Any) -> None:
    """A row that nobody but the writer of the database made."""
    named = ", ".join(values)
    assert changed(location, f"INSERT INTO {table} ({named}) VALUES (:{', :'.join(values)})", values) == 1  # noqa: S608  ours


def _named(statement: str, values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if f":{name}" in statement}


def _of(location: Location, actor: str) -> dict[str, bytes]:
    ((account, key, user_handle),) = rows(
        location,
        """SELECT a.id, k.id, a.user_handle FROM account a JOIN security_key k ON k.account_id = a.id
        WHERE a.actor = :actor""",
        {"actor": actor},
    )
    return {"account_id": account, "security_key_id": key, "user_handle": user_handle}


def _session_of(served: SoftwareOffice, location: Location, actor: str) -> str:
    """The token of a session that was written in for somebody."""
    now, token, whose = served.clock.now(), session_tokens.make(os.urandom), _of(location, actor)
    _written(
        location,
        "session",
        id=MINE,
        handle=MINE,
        token_hash=session_tokens.token_hash(token),
        csrf_key=bytes(32),
        account_id=whose["account_id"],
        security_key_id=whose["security_key_id"],
        created_at=now,
        idle_until=now + 900,
        expires_at=now + 3600,
        shared_computer=0,
        mac=os.urandom(32),
    )
    return token


async def test_a_session_that_was_written_in(served: SoftwareOffice, location: Location) -> None:
    """Its writer knows the token, and nobody is recognised by it."""
    token = _session_of(served, location, "Olive Officer")

    with pytest.raises(NotAuthenticated):
        await sessions.recognise(served.office, token)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE session SET account_id = :account_id, security_key_id = :security_key_id WHERE account_id = :mine",
        "UPDATE account SET role = 'admin' WHERE id = :mine",
        "UPDATE session SET mac = NULL WHERE account_id = :mine",
        "UPDATE session SET token_hash = handle WHERE account_id = :account_id",
    ],
)
async def test_a_session_that_was_moved(change: str, served: SoftwareOffice, location: Location) -> None:
    """An officer's own session is not another's after an update, nor another's theirs, nor an admin's."""
    token = served.api.deployment.people["officer"].token
    ada, mine = _of(location, "Ada Admin"), _of(location, "Olive Officer")
    assert (await sessions.recognise(served.office, token)).principal.actor == "Olive Officer"
    whose = {"mine": mine["account_id"], "account_id": ada["account_id"], "security_key_id": ada["security_key_id"]}
    assert changed(location, change, _named(change, whose)) >= 1
    if "token_hash" in change:
        moved = "UPDATE session SET token_hash = :hash WHERE account_id = :account_id"
        changed(location, "DELETE FROM session WHERE account_id = :mine", {"mine": mine["account_id"]})
        values = {"hash": session_tokens.token_hash(token), "account_id": ada["account_id"]}
        assert changed(location, moved, values) == 1

    with pytest.raises(NotAuthenticated):
        await sessions.recognise(served.office, token)


async def test_a_ceremony_that_was_written_in(served: SoftwareOffice, location: Location) -> None:
    """Nobody adds a key to an account whose owner confirmed nothing."""
    ada, principal = _of(location, "Ada Admin"), await served.principal("admin")
    assert principal.signed_in is not None
    now, challenge, key = served.clock.now(), os.urandom(CHALLENGE_BYTES), PersonalKey()
    _written(
        location,
        "ceremony",
        id=MINE,
        handle=MINE,
        kind=Ceremony.ADD_KEY.value,
        challenge=challenge,
        account_id=ada["account_id"],
        session_id=principal.signed_in.session,
        user_handle=ada["user_handle"],
        authorisation_handle=MINE,
        created_at=now,
        expires_at=now + SECONDS[Ceremony.ADD_KEY],
        mac=os.urandom(32),
    )
    options = {"user": {"id": _b64(ada["user_handle"])}, "challenge": _b64(challenge), "rp": {"id": "localhost"}}
    answer = Given(MINE, key.create(options, served.office.deployment.iss))

    with pytest.raises(NotFound, match="no such ceremony"):
        await keys.finish_adding(served.office, principal, answer, "theirs")


@pytest.mark.parametrize(
    ("role", "kind", "whose"),
    [
        ("citizen", "recovery-code", "Ada Admin"),
        ("relying-party", "recovery-code", "Ada Admin"),
        ("admin", "link", "Ada Admin"),
        ("admin", "link", None),
    ],
)
async def test_a_code_that_was_written_in(
    role: str, kind: str, whose: str | None, served: SoftwareOffice, location: Location
) -> None:
    """Of whatever role it says to be, for an account that there is or a new one."""
    now, code = served.clock.now(), enrolment_codes.make(os.urandom)
    account = None if whose is None else _of(location, whose)["account_id"]
    _written(
        location,
        "enrolment",
        id=MINE,
        code_hash=enrolment_codes.code_hash(code),
        role=role,
        actor="Eve Admin" if whose is None else None,
        created_by="x",
        created_at=now,
        expires_at=now + 900,
        kind=kind,
        account_id=account,
        mac=os.urandom(32),
    )

    with pytest.raises(NotFound, match="no such code"):
        await enrol.look_up(served.office, code)


async def test_a_code_of_another_role_than_its_account(served: SoftwareOffice, location: Location) -> None:
    """Even a row that the service wrote opens no account of another role."""
    now, code = served.clock.now(), enrolment_codes.make(os.urandom)
    invitation, row = invite.one_time_code(served.clock, os.urandom, invite.Kind.LINK, Invited(Role.CITIZEN), "x")
    assert invitation.expires_at > now
    row |= {"code_hash": enrolment_codes.code_hash(code), "account_id": _of(location, "Ada Admin")["account_id"]}
    row["mac"] = served.office.doors.mac(tables.enrolment, row)
    _written(location, "enrolment", **row)

    with pytest.raises(NotFound, match="no such code"):
        await enrol.look_up(served.office, code)


async def test_a_code_that_was_changed(served: SoftwareOffice, location: Location) -> None:
    """A link for an officer makes no admin, and does not last."""
    for change in ("role = 'admin'", "actor = 'Mallory Officer'", "expires_at = expires_at + 86400"):
        code = await served.api.deployment.invite(Invited(Role.OFFICER, f"Otto {len(change)}"))
        assert (await enrol.look_up(served.office, code)).invited.role is Role.OFFICER
        changed(location, f"UPDATE enrolment SET {change} WHERE consumed_at IS NULL")  # noqa: S608  ours

        with pytest.raises(NotFound, match="no such code"):
            await enrol.look_up(served.office, code)


async def test_an_api_key_that_was_written_in_or_changed(served: SoftwareOffice, location: Location) -> None:
    """Neither another's, nor one's own with another role."""
    made, office = api_keys.make(os.urandom), served.office
    row = {"id": made.id, "actor": "X", "role": "officer", "secret_hash": made.secret_hash, "created_at": 0}
    _written(location, "api_key", **row, mac=os.urandom(32))
    theirs = served.api.deployment.keys["employer"]
    assert (await Gate(office.store, office.doors).recognise(theirs)).role is Role.RELYING_PARTY
    changed(location, "UPDATE api_key SET role = 'admin', purpose = NULL WHERE id = :id", {"id": theirs.split("_")[1]})

    for token in (made.token, theirs):
        with pytest.raises(NotAuthenticated):
            await Gate(office.store, office.doors).recognise(token)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE account SET role = 'admin' WHERE id = :account_id",
        "UPDATE account SET actor = 'Ada Admin' WHERE id = :account_id",
        "UPDATE security_key SET account_id = :ada WHERE account_id = :account_id",
    ],
)
async def test_a_security_key_whose_account_was_changed(
    change: str, served: SoftwareOffice, location: Location
) -> None:
    """It signs nobody in: neither as an admin, nor under another name, nor into another account."""
    ada, oscar = _of(location, "Ada Admin"), _of(location, "Olive Officer")
    person = served.api.deployment.people["officer"]
    await served.api.sign_in(person)
    values = {"account_id": oscar["account_id"], "ada": ada["account_id"]}
    assert changed(location, change, _named(change, values)) == 1

    with pytest.raises(AssertionError, match="problems"):
        await served.api.sign_in(person)


async def test_a_whole_admin_written_in(served: SoftwareOffice, location: Location) -> None:
    """An account and a key of one's own, hidden behind the id of some person: they open nothing."""
    reference = bytes.fromhex(await served.api.person_with_status())
    ((citizen,),) = rows(location, "SELECT id FROM person WHERE handle = :handle", {"handle": reference})
    user_handle, mallory = os.urandom(64), SignedInPerson()
    created = mallory.key.create(
        {"user": {"id": _b64(user_handle)}, "challenge": _b64(bytes(32)), "rp": {"id": "localhost"}},
        served.office.deployment.iss,
    )
    registered = _registered(served.office, created)
    _written(
        location,
        "account",
        id=MINE,
        handle=MINE,
        user_handle=user_handle,
        role="admin",
        actor="Hidden Admin",
        name_as_read="hidden admin",
        person_id=citizen,
        created_by="x",
        created_at=0,
        active_since=0,
    )
    ((like,),) = rows(location, "SELECT id FROM security_key LIMIT 1")
    copied = """
        INSERT INTO security_key (id, handle, account_id, credential_id, cose_key, cose_key_hash, algorithm, sign_count,
            backup_eligible, backed_up, aaguid, transports, attestation_format, policy_version, name, created_at, mac)
        SELECT :id, :id, :id, :credential_id, :cose_key, :hash, :algorithm, 0, backup_eligible, backed_up, aaguid,
            transports, attestation_format, policy_version, 'x', created_at, mac FROM security_key WHERE id = :like"""
    values = {
        "id": MINE,
        "credential_id": registered.credential_id,
        "cose_key": registered.cose_key,
        "hash": os.urandom(32),
        "algorithm": registered.algorithm,
        "like": like,
    }
    assert changed(location, copied, values) == 1

    with pytest.raises(AssertionError, match="problems"):
        await served.api.sign_in(mallory)


def _registered(office: Office, created: Any) -> RegisteredKey:
    return check_registration(expectation(office, bytes(32)), created)


async def test_rows_of_before(tmp_path: Path, location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """API keys, codes and people's keys go on opening after the first start, once; whatever comes later does not."""
    async with premises(tmp_path, location) as house:
        monkeypatch.setattr(security_act, "RIGHTS", "rights 0")  # what a version of before records says nothing of MACs
        async with house.open() as served:
            code = await served.api.deployment.invite(Invited(Role.OFFICER, "Otto Officer"))
            await served.api.identity("officer")
            person = served.api.deployment.people["officer"]
        for table in ("api_key", "enrolment", "security_key"):
            assert changed(location, f"UPDATE {table} SET mac = NULL") > 0  # noqa: S608  ours
        monkeypatch.undo()
        async with house.open() as served:
            office = served.office
            theirs = served.api.deployment.keys["employer"]
            assert (await Gate(office.store, office.doors).recognise(theirs)).role is Role.RELYING_PARTY
            assert (await enrol.look_up(office, code)).invited.actor == "Otto Officer"
            await served.api.sign_in(person)
            assert await recorded_rules.doors_are_recorded(office)
        changed(location, "UPDATE api_key SET mac = NULL")
        async with house.open() as served:
            with pytest.raises(NotAuthenticated):
                await Gate(served.office.store, served.office.doors).recognise(theirs)


async def test_an_offer_that_was_written_in_or_moved(served: SoftwareOffice, location: Location) -> None:
    """No document is issued to whoever writes rows: neither by a code of theirs, nor by an offer to another."""
    api, wallet = served.api, SoftWallet()
    mine, theirs = [await api.person_with_status() for _ in range(2)]
    offered = await api.offer(mine)
    body = collection(wallet, offered)
    copied = """
        INSERT INTO offer (id, code_hash, person_id, type, format, nonce, created_by, authorisation_id, expires_at, mac)
        SELECT :id, :code_hash, p.id, o.type, o.format, o.nonce, o.created_by, o.authorisation_id, o.expires_at, o.mac
        FROM offer o, person p WHERE p.handle = :theirs"""
    values = {"id": MINE, "code_hash": hashlib.sha256(b"A" * 27).digest(), "theirs": bytes.fromhex(theirs)}
    assert changed(location, copied, values) == 1
    moved = "UPDATE offer SET person_id = (SELECT id FROM person WHERE handle = :theirs) WHERE id <> :id"
    assert changed(location, moved, {"theirs": values["theirs"], "id": MINE}) == 1

    for code in ("A" * 27, offered["code"]):
        status, _ = await api.call(
            "POST", "/api/v1/credentials", None, {**body, "code": code}, {"Idempotency-Key": os.urandom(8).hex()}
        )
        assert status == 404


HIDDEN: Final = (
    "UPDATE ledger_record SET type = 'of before' WHERE type = 'policy.changed'",
    "DELETE FROM ledger_record WHERE type = 'policy.changed'",
    "UPDATE ledger_state SET halted = 'somebody says so' WHERE shard = (SELECT max(shard) FROM ledger_state)",
)


@pytest.mark.parametrize("hiding", HIDDEN)
async def test_a_first_start_that_is_none(hiding: str, tmp_path: Path, location: Location) -> None:
    """Whoever hides what says that rows have a MAC, while the service starts, gets none for a row of their own."""
    made, code = api_keys.make(os.urandom), enrolment_codes.make(os.urandom)
    async with premises(tmp_path, location) as house:
        async with house.open() as served:
            await served.office.log_book.publish()
        row = {"id": made.id, "actor": "X", "role": "officer", "secret_hash": made.secret_hash, "created_at": 0}
        _written(location, "api_key", **row)
        of_code = {"id": MINE, "code_hash": enrolment_codes.code_hash(code), "role": "citizen", "created_by": "x"}
        _written(location, "enrolment", **of_code, created_at=0, expires_at=2**40)
        changed(location, hiding)
        changed(location, HIDDEN[0])
        async with house.open() as served:
            with pytest.raises(NotAuthenticated):
                await Gate(served.office.store, served.office.doors).recognise(made.token)
            with pytest.raises(NotFound):
                await enrol.look_up(served.office, code)


async def test_another_secret(served: SoftwareOffice) -> None:
    """Rows of another token's service open nothing, and the same secret makes the same MAC."""
    office = served.office
    other = Doors(bytes(32))
    token = await create_key(office.store, other, office.clock, office.entropy, "X", Role.OFFICER, None)

    with pytest.raises(NotAuthenticated):
        await Gate(office.store, office.doors).recognise(token)
    assert (await Gate(office.store, other).recognise(token)).actor == "X"
    row: Any = await office.store.fetch_one(queries.API_KEY, {"id": token.split("_")[1]})
    assert (await doors.doors(served.token)).mac(tables.api_key, row) == office.doors.mac(tables.api_key, row)


def _b64(raw: bytes) -> str:
    return base64url.encode(raw)
