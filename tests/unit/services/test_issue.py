"""Issuing when something goes wrong half way: nothing is lost, nothing is issued twice, nothing stays open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from idverify.errors import Conflict, Gone, Unavailable, Unprocessable
from idverify.formats.sdjwt_vc import SdJwtVc
from idverify.formats.status_list import StatusValue
from idverify.services.issue import Collected, CollectionRequest, collect
from idverify.services.offer import OFFER_SECONDS
from idverify.services.office import Office
from idverify.services.own_list import MOST_TAKEN, OwnList
from idverify.services.recover import close_open_issuances
from idverify.stores import tables
from tests.simulators.holder import asked, failed
from tests.simulators.service import DETAILS, PERMISSION
from tests.simulators.soft_wallet import SoftWallet
from tests.simulators.software_office import SoftToken, SoftwareOffice

DAY = 86_400


class PowerCut(Exception):
    """The machine stopped: nobody is left to clean up."""


class Interrupted:
    """A token during whose signature something else happens."""

    def __init__(self, token: SoftToken, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._token, self._meanwhile = token, meanwhile

    async def sign(self, key_id: bytes, message: bytes) -> bytes:
        """The signature, after what happens meanwhile."""
        await self._meanwhile()
        return await self._token.sign(key_id, message)

    async def probe(self) -> None:
        """As the token."""
        await self._token.probe()


async def _person(served: SoftwareOffice, details: dict[str, Any] | None = None, **permission: Any) -> str:
    made = await served.api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS | (details or {})})
    granted = {
        "kind": "grant",
        "reason": "application-granted",
        "legal_basis": "Rules, part 1",
        "permission": PERMISSION | permission,
    }
    await served.api.ok("POST", f"/api/v1/people/{made['person']}/decisions", "officer", granted)
    return str(made["person"])


async def _request(served: SoftwareOffice, person: str, key: str = "0123456789") -> CollectionRequest:
    offer = await served.api.offer(person)
    proof = SoftWallet().proof(offer["issuer"], offer["nonce"], served.clock.now())
    return CollectionRequest(offer["code"], proof, key)


async def _states(office: Office) -> list[str]:
    return [row["state"] for row in await office.store.fetch(select(tables.issuance.c.state), {})]


async def _records(office: Office) -> list[str]:
    return [row["type"] for row in await office.store.fetch(select(tables.ledger_record.c.type), {})]


async def _values(office: Office) -> list[int]:
    return [row["value"] for row in await office.store.fetch(select(tables.status_entry.c.value), {})]


async def _accepted(served: SoftwareOffice, done: Collected) -> None:
    """The credential says what it should and its status holds; without a presentation that is a referral."""
    answer = await served.api.ok("POST", "/api/v1/verify", "officer", {"document": done.credential})
    assert (answer["verdict"], failed(answer)) == ("refer", [])


async def test_the_hsm_goes_away(served: SoftwareOffice) -> None:
    """When the signature cannot be had, the intent is closed as void and the same request succeeds later."""
    request = await _request(served, await _person(served))

    async def away() -> None:
        raise Unavailable("The HSM is away.")

    with pytest.raises(Unavailable):
        await collect(replace(served.office, signer=Interrupted(served.token, away)), request)
    states, values = await _states(served.office), await _values(served.office)
    done = await collect(served.office, request)

    assert (states, values) == (["void"], [StatusValue.INVALID])
    assert await _states(served.office) == ["void", "issued"]
    assert "issuance.void" in await _records(served.office)
    await _accepted(served, done)


async def test_the_power_goes(served: SoftwareOffice) -> None:
    """An intent that nobody is left to close is closed at the next start, and the same request then succeeds."""
    request = await _request(served, await _person(served))

    async def cut() -> None:
        raise PowerCut

    with pytest.raises(PowerCut):
        await collect(replace(served.office, signer=Interrupted(served.token, cut)), request)
    with pytest.raises(Conflict, match="still being worked on"):
        await collect(served.office, request)
    closed = await close_open_issuances(served.office)
    again = await close_open_issuances(served.office)
    done = await collect(served.office, request)

    assert (closed, again) == (1, 0)
    assert await _states(served.office) == ["void", "issued"]
    assert await _values(served.office) == [StatusValue.INVALID]
    await _accepted(served, done)


async def test_a_decision_comes_in_between(served: SoftwareOffice) -> None:
    """A status that is decided upon while its copy is being signed: the copy is void, and was never handed out."""
    person = await _person(served)
    request = await _request(served, person)

    async def vary() -> None:
        said = PERMISSION | {"work": {"allowed": "no"}}
        ruling = {"kind": "vary", "reason": "extended", "legal_basis": "Rules, part 2", "permission": said}
        waiting = await served.api.ok("POST", f"/api/v1/people/{person}/decisions", "officer", ruling)
        await served.api.ok("POST", f"/api/v1/proposals/{waiting['proposal']}/approval", "second")

    with pytest.raises(Conflict, match="decision on this person was taken"):
        await collect(replace(served.office, signer=Interrupted(served.token, vary)), request)
    done = await collect(served.office, request)

    assert await _states(served.office) == ["void", "issued"]
    assert SdJwtVc().read(done.credential.encode()).claims["work"] == {"allowed": "no"}


async def test_another_copy_comes_in_between(served: SoftwareOffice) -> None:
    """Two copies for one person at the same time are both issued: neither is in the other's way."""
    person = await _person(served)
    request, other = await _request(served, person), await _request(served, person, "another key")

    async def issue_other() -> None:
        await collect(served.office, other)

    done = await collect(replace(served.office, signer=Interrupted(served.token, issue_other)), request)

    assert await _states(served.office) == ["issued", "issued"]
    assert await _values(served.office) == []
    await _accepted(served, done)


async def test_a_recovery_comes_in_between(served: SoftwareOffice) -> None:
    """An intent that was closed as void while its copy was being signed stays void: the copy is not handed out."""
    request = await _request(served, await _person(served))

    async def recover() -> None:
        await close_open_issuances(served.office)

    with pytest.raises(Conflict, match="closed as void"):
        await collect(replace(served.office, signer=Interrupted(served.token, recover)), request)

    assert await _states(served.office) == ["void"]
    assert "credential.issued" not in await _records(served.office)


async def test_an_offer_runs_out(served: SoftwareOffice) -> None:
    """An offer can be used in its last second and not in the one after."""
    person = await _person(served)
    early, late = await served.api.offer(person), await served.api.offer(person)
    wallet = SoftWallet()

    def request(offer: dict[str, Any]) -> CollectionRequest:
        proof = wallet.proof(offer["issuer"], offer["nonce"], served.clock.now())
        return CollectionRequest(offer["code"], proof, offer["code"])

    served.clock.advance(OFFER_SECONDS - 1)
    await collect(served.office, request(early))
    served.clock.advance(1)
    with pytest.raises(Gone):
        await collect(served.office, request(late))

    assert await _states(served.office) == ["issued"]


async def test_a_copy_never_outlives_the_permission(served: SoftwareOffice) -> None:
    """The copy expires with the last second of the permission, and the day after nothing is issued."""
    today = dt.datetime.fromtimestamp(served.clock.now(), dt.UTC).date()
    person = await _person(served, permission_end=today.isoformat())
    done = await collect(served.office, await _request(served, person))
    midnight = dt.datetime.combine(today, dt.time(), dt.UTC) + dt.timedelta(days=1)

    assert done.expires_at == int(midnight.timestamp()) - 1
    served.clock.advance(DAY)
    with pytest.raises(Unprocessable, match="permission has ended"):
        await collect(served.office, await _request(served, person, "another key"))
    assert await _states(served.office) == ["issued"]


@pytest.mark.parametrize("end", ["0001-01-01", "9999-12-31"])
async def test_the_ends_of_the_calendar(served: SoftwareOffice, end: str) -> None:
    """A permission that ended in the year 1 is over; one that ends in the year 9999 is issued."""
    person = await _person(served, permission_start="0001-01-01", permission_end=end)
    request = await _request(served, person)

    if end.startswith("0"):
        with pytest.raises(Unprocessable, match="permission has ended"):
            await collect(served.office, request)
    else:
        await _accepted(served, await collect(served.office, request))


async def test_the_longest_details_there_may_be(served: SoftwareOffice) -> None:
    """Whatever passes the limits of the fields fits into a credential that passes the limits of a document."""
    longest = "\x01"  # six bytes of JSON to a character
    details = {
        "family_name": "\U0010ffff" * 150,
        "given_name": "\U0010ffff" * 150,
        "nationalities": ["QU", "QS", "AA", "AB", "AC"],
        "picture": "data:image/jpeg;base64,".ljust(30_000, "A"),
        "travel_document": {"type": "P<", "number": "X" * 20, "issuing_state": "UTO", "expiry": "2031-01-01"},
    }
    permission = {
        "status_type": {"code": "S" * 30, "text": longest * 500},
        "conditions": ["C" * 30] * 20,
        "work": {"allowed": "limited", "occupations_text": longest * 500, "hours_per_week": 168, "self_employed": True},
        "public_funds": {"recourse": True, "benefits_text": longest * 500},
        "sponsor_ref": longest * 60,
    }
    person, wallet = await _person(served, details, **permission), SoftWallet()
    offer, request = await served.api.offer(person), await asked(served.api, "officer")
    proof = wallet.proof(offer["issuer"], offer["nonce"], served.clock.now())

    done = await collect(served.office, CollectionRequest(offer["code"], proof, "0123456789"))
    document = wallet.present(done.credential, [*details, *permission], request["audience"], request["nonce"])
    body = {"document": document, "verification_request": request["verification_request"]}

    assert (await served.api.ok("POST", "/api/v1/verify", "officer", body))["verdict"] == "accept"


async def test_nothing_outlives_its_certificate(served: SoftwareOffice) -> None:
    """Shortly before the signing certificate ends, issuing stops rather than sign what could not be verified."""
    person = await _person(served)
    served.clock.advance(400 * DAY)
    request = await _request(served, person)

    with pytest.raises(Unavailable, match="certificate would expire"):
        await collect(served.office, request)

    assert await _states(served.office) == []


async def test_a_full_status_list(served: SoftwareOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """At three quarters of the list no index is given any more, and nothing was begun."""
    request = await _request(served, await _person(served))
    monkeypatch.setattr(OwnList, "taken", MOST_TAKEN)

    with pytest.raises(Unavailable, match="status list is full"):
        await collect(served.office, request)

    assert await _states(served.office) == []
