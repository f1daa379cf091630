"""A strict deployment, from its first list on: which keys of staff are taken, which stop working, and who decides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from idverify.core.policy import Principal, Role
from idverify.core.suspension import Suspension
from idverify.errors import (
    Conflict,
    KeyNotAllowed,
    KeySuspended,
    NotAllowed,
    NotAuthenticated,
    SecondKeyNeeded,
    Unprocessable,
)
from idverify.services import (
    administration,
    authenticators,
    change_authenticators,
    judgement,
    keep_authenticators,
    suspension,
)
from idverify.services.sessions import recognise
from idverify.stores import queries, tables
from idverify.stores.open import Location
from tests.simulators import makers
from tests.simulators.attested_key import OTHER_MODEL, AttestedKey, list_of
from tests.simulators.authenticator import AAGUID
from tests.simulators.signed_in import PersonalKey
from tests.simulators.strict_office import Strict, strict_office
from tests.vectors.make_attestation_vectors import blob

LIST = list_of(AAGUID, OTHER_MODEL)
DAY = 86_400


@pytest.fixture
async def strict(tmp_path: Path, location: Location) -> AsyncIterator[Strict]:
    """The deployment, with no list yet."""
    async with strict_office(tmp_path, location) as opened:
        yield opened


async def test_without_a_list_no_key_of_staff_is_taken(strict: Strict) -> None:
    """What to do is said; organisations need prove nothing."""
    with pytest.raises(KeyNotAllowed, match="Ask the operator to set it") as refused:
        await strict.enrol("Ada Admin", Role.ADMIN, AttestedKey())

    assert refused.value.rule == "no-list"


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        (PersonalKey(), "attestation-missing"),
        (AttestedKey(b"\x07" * 16), "aaguid"),
        (AttestedKey(AAGUID, makers.OTHER_ROOT), "attestation-untrusted"),
    ],
)
async def test_keys_that_are_refused(strict: Strict, key: PersonalKey, rule: str) -> None:
    """One that says nothing of its make, one of another model, one that somebody else vouches for."""
    await strict.set_list(LIST)

    with pytest.raises(KeyNotAllowed) as refused:
        await strict.enrol("Olive Officer", Role.OFFICER, key)

    assert refused.value.rule == rule


async def test_what_is_kept_of_a_key(strict: Strict) -> None:
    """Of staff's all that it takes to judge it again."""
    await strict.set_list(LIST)
    await strict.enrol("Olive Officer", Role.OFFICER, AttestedKey())

    (row,) = await strict.served.office.store.fetch(select(tables.security_key), {})

    assert (row["attestation_format"], row["attestation_type"], row["list_version"]) == ("packed", "basic", 1)
    assert row["attestation_anchor"] == LIST.entries[0].anchors[0]
    assert row["attestation_object"]
    assert len(row["client_data_hash"]) == 32


async def test_an_account_is_active_with_its_second_key(strict: Strict) -> None:
    """Before that an admin may not even read what is proposed."""
    await strict.set_list(LIST)
    await strict.enrol("Ada Admin", Role.ADMIN, AttestedKey())
    with pytest.raises(SecondKeyNeeded):
        await administration.waiting(strict.served.office, await strict.served.principal("Ada Admin"))

    await strict.add("Ada Admin", AttestedKey(OTHER_MODEL), "spare")

    assert await administration.waiting(strict.served.office, await strict.served.principal("Ada Admin")) == []


async def test_the_operator_sets_the_list_until_two_admins_can(strict: Strict) -> None:
    """As often as needed before, never after."""
    await strict.set_list(list_of(AAGUID))
    await strict.set_list(LIST)
    await strict.admins()

    with pytest.raises(Conflict, match="takes them both"):
        await strict.set_list(LIST)


async def test_the_dry_run_says_what_happens(strict: Strict) -> None:
    """The keys that it names stop working when the second admin approves, and no others."""
    await strict.set_list(LIST)
    await strict.admins()
    await strict.enrol("Olive Officer", Role.OFFICER, AttestedKey(), AttestedKey(OTHER_MODEL))
    office, narrower = strict.served.office, list_of(AAGUID)

    told = await judgement.dry_run(office, await strict.served.principal("Ada Admin"), narrower)
    await strict.change(narrower)

    suspended = {(row["actor"], row["name"]) for row in await office.store.fetch(queries.SUSPENDED_KEYS, {})}
    assert {(one.actor, one.name) for one in told} == suspended
    assert suspended == {(who, "key 2") for who in ("Ada Admin", "Abel Admin", "Olive Officer")}
    assert {one.rule for one in told} == {"aaguid"}
    for who, (first, second) in strict.keys.items():
        assert (await strict.signs_in(first)).principal.actor == who
        with pytest.raises(KeySuspended):
            await strict.signs_in(second)


async def test_a_list_that_locks_everybody_out(strict: Strict) -> None:
    """Nobody could change it back, so it cannot be proposed."""
    await strict.set_list(LIST)
    await strict.admins()
    action = await change_authenticators.action(strict.served.office, list_of(b"\x07" * 16))

    with pytest.raises(Conflict, match="fewer than two admins"):
        await administration.propose(strict.served.office, await strict.served.principal("Ada Admin"), action, None)


async def test_a_list_that_was_changed_meanwhile(strict: Strict) -> None:
    """A proposal says which version it makes; the other one came first."""
    await strict.set_list(LIST)
    await strict.admins()
    office, action = strict.served.office, await change_authenticators.action(strict.served.office, list_of(AAGUID))
    waiting = await strict.served.confirmed(
        "Ada Admin", lambda who, given: administration.propose(office, who, action, given)
    )
    await strict.change(replace(LIST, grace_days=7))

    with pytest.raises(Conflict, match="has changed since this was proposed"):
        await administration.approve(office, await strict.served.principal("Abel Admin"), waiting.handle, None)
    assert (await authenticators.current(office.store)).version == 2


async def test_a_model_that_is_found_weak(strict: Strict) -> None:
    """Its keys stop at the next judgement and their sessions end; a second model goes on."""
    await strict.set_list(LIST)
    await strict.admins()
    office, session = strict.served.office, strict.served.api.deployment.people["Ada Admin"].token
    weak = [{"aaguid": "01020304-0506-0708-0102-030405060708", "statusReports": [{"status": "REVOKED"}]}]
    await strict.load(entries=weak)

    assert await judgement.judge_again(office) == 2
    assert await judgement.judge_again(office) == 0

    with pytest.raises(KeySuspended):
        await strict.signs_in(strict.keys["Ada Admin"][0])
    with pytest.raises(NotAuthenticated, match="session has ended"):
        await recognise(office, session)
    assert await strict.signs_in(strict.keys["Ada Admin"][1])
    rows = await office.store.fetch(queries.SUSPENDED_KEYS, {})
    assert {row["suspended_for"] for row in rows} == {Suspension.MODEL}


async def test_a_key_that_went_while_it_was_judged(strict: Strict) -> None:
    """It was suspended by another judgement first, so this one suspends nothing and says so."""
    await strict.set_list(LIST)
    await strict.admins()
    office = strict.served.office
    key = (await office.store.fetch(queries.STAFF_KEYS, {}))[0]

    assert await suspension.suspend(office, key, Suspension.MODEL)
    assert not await suspension.suspend(office, key, Suspension.MODEL)


@pytest.mark.parametrize(
    ("days", "new_keys"),
    [(0, True), (29, True), (31, False)],
)
async def test_metadata_that_are_overdue(strict: Strict, days: int, *, new_keys: bool) -> None:
    """After the grace no new key is taken; those that are there sign in as ever, and none is suspended."""
    await strict.set_list(list_of(AAGUID, least="FIDO_CERTIFIED_L1"))
    loaded = await strict.load()
    await strict.enrol("Olive Officer", Role.OFFICER, AttestedKey())
    strict.served.clock.advance(loaded.next_update - strict.served.clock.now() + days * DAY)

    if new_keys:
        await strict.enrol("Oscar Officer", Role.OFFICER, AttestedKey())
    else:
        with pytest.raises(KeyNotAllowed) as refused:
            await strict.enrol("Oscar Officer", Role.OFFICER, AttestedKey())
        assert refused.value.rule == "metadata-stale"
    assert await judgement.judge_again(strict.served.office) == 0
    assert await strict.signs_in(strict.keys["Olive Officer"][0])


async def test_metadata_that_lost_a_certification(strict: Strict) -> None:
    """Admins are told; nobody is locked out for it overnight."""
    await strict.set_list(list_of(AAGUID, least="FIDO_CERTIFIED_L1"))
    await strict.load()
    await strict.enrol("Ada Admin", Role.ADMIN, AttestedKey(), AttestedKey())
    model = {"aaguid": "01020304-0506-0708-0102-030405060708", "statusReports": [{"status": "NOT_FIDO_CERTIFIED"}]}
    await strict.load(no=8, entries=[model])

    assert await judgement.judge_again(strict.served.office) == 0

    state = await keep_authenticators.state(strict.served.office, await strict.served.principal("Ada Admin"))
    assert [one.rule for one in state.refused] == ["not-certified"] * 2
    assert await strict.signs_in(strict.keys["Ada Admin"][0])


async def test_metadata_never_go_back(strict: Strict) -> None:
    """Neither to an older number nor to another signer."""
    office = strict.served.office
    await strict.load(no=8)

    for changes in ({"no": 7}, {"no": 8}):
        with pytest.raises(Conflict, match="must be newer"):
            await strict.load(**changes)
    with pytest.raises(Unprocessable, match="signed as a JWS"):
        await authenticators.load_metadata(
            office.store, office.entropy, (makers.ROOT.certificate,), makers.AT_TIME, b"no metadata", "test"
        )
    with pytest.raises(Unprocessable, match="Nobody is trusted"):
        await authenticators.load_metadata(office.store, office.entropy, (), makers.AT_TIME, blob().encode(), "test")


async def test_who_may_see_and_load(strict: Strict) -> None:
    """Admins alone, no officer; their programs may load, since nobody can make metadata up."""
    await strict.set_list(LIST)
    await strict.enrol("Olive Officer", Role.OFFICER, AttestedKey(), AttestedKey())
    officer, program = await strict.served.principal("Olive Officer"), Principal("key", "Monitoring", Role.ADMIN, None)

    with pytest.raises(NotAllowed):
        await keep_authenticators.state(strict.served.office, officer)
    with pytest.raises(NotAllowed):
        await judgement.dry_run(strict.served.office, officer, LIST)
    with pytest.raises(NotAllowed):
        await keep_authenticators.load(strict.served.office, officer, blob().encode())
    await keep_authenticators.load(strict.served.office, program, blob().encode())
    assert (await keep_authenticators.state(strict.served.office, program)).metadata is not None
