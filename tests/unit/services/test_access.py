"""API keys: recognised by their secret, forgotten when revoked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from idverify.core.credential_type import Purpose
from idverify.core.policy import Principal, Role
from idverify.errors import NotAuthenticated, NotFound
from idverify.ports import SystemClock, system_entropy
from idverify.services import access
from idverify.services.access import Gate, create_key, revoke_key, still_in_use
from idverify.services.doors import Doors
from idverify.services.invite import Invited
from idverify.stores import tables
from idverify.stores.store import Store
from idverify.stores.writes import Insert, WriteSet
from tests.simulators.databases import everything
from tests.simulators.software_office import SoftwareOffice
from tests.unit.stores.rows import status_row

CLOCK, DOORS = SystemClock(), Doors(bytes(32))


@pytest.fixture
def store(served: SoftwareOffice) -> Store:
    """A database with a log, on which keys leave their mark."""
    return served.office.store


async def _key(store: Store) -> str:
    return await create_key(store, DOORS, CLOCK, system_entropy, "Example Homes Ltd", Role.RELYING_PARTY, Purpose.RENT)


async def test_a_key_names_its_holder(store: Store) -> None:
    """Who a key stands for, in what role and for what purpose, is as it was made."""
    token = await _key(store)

    principal = await Gate(store, DOORS).recognise(token)

    assert principal == Principal(token.split("_")[1], "Example Homes Ltd", Role.RELYING_PARTY, Purpose.RENT)


@pytest.mark.parametrize("spoilt", ["secret", "id", "form", "nothing"])
async def test_a_key_that_is_not_right(store: Store, spoilt: str) -> None:
    """A wrong secret, an unknown id and nonsense are all refused, the first two in the same words."""
    token = await _key(store)
    _, key_id, secret = token.split("_")
    wrong = {
        "secret": f"idv_{key_id}_{'a' * 32}",
        "id": f"idv_{'a' * 16}_{secret}",
        "form": token.upper(),
        "nothing": "",
    }[spoilt]
    gate = Gate(store, DOORS)
    await gate.recognise(token)

    with pytest.raises(NotAuthenticated) as refused:
        await gate.recognise(wrong)

    expected = "unknown or was revoked" if spoilt in {"secret", "id"} else "idv_..."
    assert expected in refused.value.detail


async def test_a_revoked_key(store: Store) -> None:
    """A revoked key is refused at once, whoever revoked it, and cannot be revoked again."""
    token, gate = await _key(store), Gate(store, DOORS)
    key_id = token.split("_")[1]
    await gate.recognise(token)

    await revoke_key(store, CLOCK, system_entropy, key_id)

    with pytest.raises(NotAuthenticated, match="unknown or was revoked"):
        await gate.recognise(token)
    with pytest.raises(NotFound, match=key_id):
        await revoke_key(store, CLOCK, system_entropy, key_id)


async def test_a_remembered_key_counts_only_with_what_it_wrote(store: Store) -> None:
    """Whoever is recalled after another process revoked the key writes nothing, so gets no answer."""
    token, gate = await _key(store), Gate(store, DOORS)
    await gate.recall(token)
    work = WriteSet((*still_in_use(await gate.recall(token)), Insert(tables.status_entry, status_row(1))))
    await store.commit(work)

    await revoke_key(store, CLOCK, system_entropy, token.split("_")[1])

    with pytest.raises(NotAuthenticated, match="unknown or was revoked"):
        await store.commit(replace(work, writes=(work.writes[0], Insert(tables.status_entry, status_row(2)))))
    assert len(await store.fetch(select(tables.status_entry), {})) == 1
    with pytest.raises(NotAuthenticated, match="unknown or was revoked"):
        await gate.recognise(token)
    with pytest.raises(NotAuthenticated, match="unknown or was revoked"):
        await gate.recall(token)


async def test_keys_of_another_purpose_are_another_s(served: SoftwareOffice) -> None:
    """Accounts of one name that check for different things see and revoke their own keys; an admin sees them all."""
    rents = Invited(Role.RELYING_PARTY, "Example Bank plc", Purpose.RENT)
    await served.api.enrol("lettings", await served.api.deployment.invite(rents))

    async def made(who: str) -> str:
        token = await served.confirmed(
            who,
            lambda keeper, given: access.create_key_for(served.office, keeper, "any name", Purpose.AGE, given),
        )
        return token.split("_")[1]

    async def kept(who: str) -> set[tuple[str, str]]:
        rows = await access.keys_kept_by(served.office, await served.principal(who))
        return {(row["id"], row["purpose"]) for row in rows}

    work, rent = await made("partner"), await made("lettings")

    assert await kept("partner") == {(work, "work")}
    assert await kept("lettings") == {(rent, "rent")}
    assert await kept("admin") >= {(work, "work"), (rent, "rent")}
    with pytest.raises(NotFound, match=work):
        await access.revoke_key_for(served.office, await served.principal("lettings"), work, None)


async def test_keys_are_kept_as_hashes(store: Store) -> None:
    """The secret is in no row."""
    token = await _key(store)

    dump = await everything(store)

    assert token.split("_")[1] in dump
    assert token.split("_")[2] not in dump
