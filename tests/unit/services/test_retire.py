"""Retiring one copy: its holder's word and key, one copy and no other, and no decision brings it back."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from idverify.core.policy import Principal
from idverify.core.retirement import HOLDERS_REASONS, Retirement
from idverify.errors import Conflict, NotAllowed, NotFound, Unprocessable
from idverify.formats import status_list, status_list_cwt
from idverify.formats.status_list import StatusValue
from idverify.services import retire
from idverify.services.audit_sample import draw, judge
from idverify.services.ceremonies import Given
from idverify.services.offer import Wanted, offer_to_self
from idverify.stores import tables
from idverify.stores.open import Location
from tests.simulators.holder import Holding, asked, decided_by_two, holding
from tests.simulators.invariants import broken
from tests.simulators.service import VCT
from tests.simulators.soft_wallet import SoftWallet
from tests.simulators.software_office import Premises, SoftwareOffice, premises


@dataclass(frozen=True)
class Household:
    """Somebody with two copies, who has enrolled, and how they are called in the simulated browser."""

    served: SoftwareOffice
    lost: Holding
    kept: Holding
    who: str

    async def retire(self, copy: Holding, why: Retirement = Retirement.LOST) -> None:
        """The holder retires a copy, with their key."""
        handle, office = bytes.fromhex(copy.answer["handle"]), self.served.office

        async def act(citizen: Principal, given: Given | None) -> None:
            await retire.retire(office, citizen, handle, why, given)

        await self.served.confirmed(self.who, act)

    async def row(self, copy: Holding) -> Any:
        """The row of a copy."""
        (row,) = await rows(self.served, tables.credential, handle=bytes.fromhex(copy.answer["handle"]))
        return row

    async def listed(self, copy: Holding) -> StatusValue:
        """What both forms of the published list say of a copy."""
        row = await self.row(copy)
        kept = self.served.office.statuses.kept()[row["status_list"]]
        assert kept.cwt is not None
        forms = status_list.read(kept.token), status_list_cwt.read(kept.cwt)
        (value,) = {form.statuses.status_at(row["status_index"]) for form in forms}
        return StatusValue(value)


async def rows(served: SoftwareOffice, table: Any, **where: Any) -> list[Any]:
    """Rows of a table."""
    matching = [table.c[name] == value for name, value in where.items()]
    return await served.office.store.fetch(select(table).where(*matching), {})


@pytest.fixture
async def house(tmp_path: Path, location: Location) -> AsyncIterator[Premises]:
    """A deployment over each driver."""
    async with premises(tmp_path, location) as made:
        yield made


@pytest.fixture
async def home(house: Premises) -> AsyncIterator[Household]:
    """Two copies of one person; whatever was done, the rows hold at the end."""
    async with house.open() as served:
        lost = await holding(served.api)
        kept = await holding(served.api, lost.person)
        yield Household(served, lost, kept, await served.api.enrol_citizen(lost.person))
    assert broken(house.location) == []


async def test_one_copy_is_retired_and_nothing_else(home: Household) -> None:
    """The list, the row, the ledger and the notice say so together; the person and the other copy are untouched."""
    (person,) = await rows(home.served, tables.person)
    await home.retire(home.lost)

    lost, kept = await home.row(home.lost), await home.row(home.kept)
    assert (lost["status"], lost["retired_for"], lost["changed_by"]) == ("invalid", "lost", None)
    assert (kept["status"], kept["retired_at"]) == ("valid", None)
    assert (await home.listed(home.lost), await home.listed(home.kept)) == (StatusValue.INVALID, StatusValue.VALID)
    assert await rows(home.served, tables.person) == [person]
    types = [row["type"] for row in await rows(home.served, tables.ledger_record)]
    assert types.count("credential.retired") == 1
    assert [row["kind"] for row in await rows(home.served, tables.notice)] == ["copy-retired"]


async def test_the_verdict_says_whose_doing_it_was(home: Household) -> None:
    """Officers learn that its holder withdrew it, when and why; a checker learns that it was withdrawn."""
    await home.retire(home.lost)
    api = home.served.api
    told = await api.ok("POST", "/api/v1/verify", "officer", {"document": home.lost.credential})
    (status,) = (check for check in told["checks"] if check["id"] == "status")

    assert told["verdict"] == "reject"
    assert "not by decision. The device that it was on is lost" in status["detail"]
    assert status["evidence"]["withdrawn"]["kind"] == "retire"
    told = await api.ok("POST", "/api/v1/verify", "partner", {"document": home.lost.credential})
    assert "withdrawn" not in str([check.get("evidence") for check in told["checks"]])


@pytest.mark.parametrize("first", ["suspended", "retired"])
async def test_no_reinstatement_revives_it(home: Household, first: str) -> None:
    """Retired before or after a suspension: reinstating brings back the other copy alone."""
    if first == "retired":
        await home.retire(home.lost)
    await decided_by_two(home.served.api, home.lost.person, "suspend", "under-review")
    if first == "suspended":
        await home.retire(home.lost, Retirement.UNWANTED)
    assert (await home.listed(home.lost), await home.listed(home.kept)) == (StatusValue.INVALID, StatusValue.SUSPENDED)

    await decided_by_two(home.served.api, home.lost.person, "reinstate", "review-closed")

    assert (await home.listed(home.lost), await home.listed(home.kept)) == (StatusValue.INVALID, StatusValue.VALID)


async def test_what_was_withdrawn_is_not_withdrawn_again(home: Household) -> None:
    """Once is enough, by whoever; nothing is recorded of the second time."""
    await home.retire(home.lost)
    with pytest.raises(Conflict, match="withdrawn before"):
        await retire.retire(home.served.office, await home.served.principal(home.who), *of(home.lost), None)
    await decided_by_two(home.served.api, home.lost.person, "revoke", "fraud-found")
    with pytest.raises(Conflict, match="withdrawn before"):
        await retire.retire(home.served.office, await home.served.principal(home.who), *of(home.kept), None)
    (row,) = await rows(home.served, tables.ledger_record, type="credential.retired")
    assert row["person_id"] is not None


def of(copy: Holding) -> tuple[bytes, Retirement]:
    """A copy, as lost."""
    return bytes.fromhex(copy.answer["handle"]), Retirement.LOST


async def test_a_decision_between_asking_and_confirming_wins(home: Household) -> None:
    """The copy is read again where it is changed: a revocation meanwhile is not recorded over."""
    office, api = home.served.office, home.served.api

    async def slow(citizen: Principal, given: Given | None) -> None:
        if given is not None:
            await decided_by_two(api, home.lost.person, "revoke", "fraud-found")
        await retire.retire(office, citizen, *of(home.lost), given)

    with pytest.raises(Conflict, match="withdrawn before"):
        await home.served.confirmed(home.who, slow)
    assert await rows(home.served, tables.ledger_record, type="credential.retired") == []


async def test_nobody_retires_another_s_copy(home: Household) -> None:
    """A copy of somebody else is not found; an officer and an API key have no such act."""
    stranger = await holding(home.served.api)
    office, citizen = home.served.office, await home.served.principal(home.who)
    with pytest.raises(NotFound):
        await retire.retire(office, citizen, *of(stranger), None)
    with pytest.raises(NotFound):
        await offer_to_self(office, citizen, Wanted(VCT), None, of(stranger)[0])
    with pytest.raises(NotAllowed):
        await retire.retire(office, await home.served.principal("officer"), *of(stranger), None)
    status, _ = await home.served.api.call("GET", "/api/v1/own-copies", "officer")
    assert status == 403


async def test_that_another_took_its_place_is_nobody_s_word(home: Household) -> None:
    """It follows from collecting the other one."""
    citizen = await home.served.principal(home.who)
    with pytest.raises(Unprocessable, match=", ".join(HOLDERS_REASONS)):
        await retire.retire(home.served.office, citizen, of(home.lost)[0], Retirement.REPLACED, None)


async def test_over_the_api(home: Household) -> None:
    """The holder lists their copies and retires one, with the key that the answer asks for."""
    api, handle = home.served.api, home.lost.answer["handle"]
    listed = await api.ok("GET", "/api/v1/own-copies", home.who)
    await api.ok("POST", f"/api/v1/own-copies/{handle}/retirement", home.who, {"reason": "lost"})
    after = await api.ok("GET", "/api/v1/own-copies", home.who)

    assert [copy["copy_reference"] for copy in listed["copies"]] == [home.kept.answer["handle"], handle]
    assert [(copy["status"], copy["retired"]) for copy in listed["copies"]] == [("valid", None)] * 2
    assert [(copy["status"], copy["retired"]) for copy in after["copies"]] == [("valid", None), ("invalid", "lost")]
    assert (await api.call("POST", f"/api/v1/own-copies/{handle}/retirement", home.who, {"reason": "lost"}))[0] == 409
    assert (await api.call("POST", f"/api/v1/own-copies/{handle}/retirement", home.who, {"reason": "replaced"}))[
        0
    ] == 400


async def replacement(home: Household, copy: Holding) -> dict[str, Any]:
    """The offer of a copy in the place of another, as a wallet gets it."""

    async def act(citizen: Principal, given: Given | None) -> Any:
        return await offer_to_self(home.served.office, citizen, Wanted(VCT), given, of(copy)[0])

    made = await home.served.confirmed(home.who, act)
    return {"code": made.code, "issuer": made.issuer, "nonce": made.nonce}


async def collected(home: Household, offer: dict[str, Any], wallet: SoftWallet) -> Holding:
    """The copy that an offer gives."""
    body = {"code": offer["code"], "proof": wallet.proof(offer["issuer"], offer["nonce"])}
    key = secrets.token_hex(8)
    answer = await home.served.api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key=key)
    again = await home.served.api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key=key)
    assert again["credential"] == answer["credential"]
    return Holding(home.lost.person, wallet, answer)


async def test_renewal_retires_the_copy_that_it_replaces(home: Household) -> None:
    """Asked for by the holder with their key; done when the new one is collected, in the same transaction, once."""
    offer = await replacement(home, home.lost)
    assert await home.listed(home.lost) == StatusValue.VALID  # until then it is good

    new = await collected(home, offer, SoftWallet())

    row = await home.row(home.lost)
    assert (row["status"], row["retired_for"], row["retirement_id"]) == ("invalid", "replaced", None)
    assert await home.listed(home.lost) == StatusValue.INVALID
    assert (await home.listed(home.kept), await home.listed(new)) == (StatusValue.VALID, StatusValue.VALID)
    assert [one["kind"] for one in await rows(home.served, tables.notice)] == ["copy-retired"]
    request = await asked(home.served.api, "partner")
    answer = {"document": new.present(request, ["work"]), "verification_request": request["verification_request"]}
    assert (await home.served.api.ok("POST", "/api/v1/verify", "partner", answer))["verdict"] == "accept"


async def test_a_copy_that_is_gone_needs_no_replacing(home: Household) -> None:
    """Retired between the offer and its collection: the new copy is collected all the same, and nothing twice."""
    offer = await replacement(home, home.lost)
    await home.retire(home.lost)
    await collected(home, offer, SoftWallet())

    assert (await home.row(home.lost))["retired_for"] == "lost"
    assert len(await rows(home.served, tables.ledger_record, type="credential.retired")) == 1
    citizen = await home.served.principal(home.who)
    with pytest.raises(Conflict, match="withdrawn before"):
        await offer_to_self(home.served.office, citizen, Wanted(VCT), None, of(home.lost)[0])


async def test_the_audit_follows_a_retirement_to_its_confirmation(home: Household) -> None:
    """Every check of both kinds holds; and the last suspension of a retired copy is no finding."""
    await decided_by_two(home.served.api, home.lost.person, "suspend", "under-review")
    await home.retire(home.lost)
    await decided_by_two(home.served.api, home.lost.person, "reinstate", "review-closed")
    await collected(home, await replacement(home, home.kept), SoftWallet())
    await home.served.office.publisher.publish_once()
    judged = [one async for one in judge(home.served.office, await draw(home.served.office, 10_000))]

    retired = [one for one in judged if one.type == "credential.retired"]
    assert [name for one in judged for name, holds in one.checks.items() if holds is False] == []
    assert {name for one in retired for name in one.checks} >= {"its holder confirmed it", "another took its place"}
