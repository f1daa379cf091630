"""The cookie is another after every act that was confirmed; the old one opens nothing, and forms hold on."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from typing import Any

import pytest

from idverify.errors import Unavailable
from idverify.services import offer, sessions
from tests.simulators.service import VCT
from tests.simulators.signed_in import COOKIE, STAFF, PersonalKey, SignedInPerson
from tests.simulators.software_office import SoftwareOffice

LOOK = "/api/v1/proposals"


class Desk:
    """An officer who offers a credential to one person, over and over, confirming each by hand."""

    def __init__(self, served: SoftwareOffice, officer: SignedInPerson, person: str) -> None:
        self.served, self.officer, self.url = served, officer, served.api.deployment.url
        self.path = f"/api/v1/people/{person}/offers"

    async def asked(self) -> dict[str, str]:
        """Every header of a confirmed request, the cookie of now included."""
        headers = self.officer.headers(self.url)
        _, answer, _ = await self.served.api.send("POST", self.path, {"type": VCT}, headers)
        return {**headers, **self.officer.step_up(answer["step_up"], self.url)}

    async def send(self, headers: dict[str, str]) -> tuple[int, Any, str | None]:
        """Status, body, and the token that came with the answer."""
        status, answer, received = await self.served.api.send("POST", self.path, {"type": VCT}, headers)
        given = SimpleCookie(received.get("Set-Cookie", "")).get(COOKIE)
        return status, answer, None if given is None else given.value

    async def opens(self, token: str) -> bool:
        """Whether a cookie is one of a session."""
        status, _, _ = await self.served.api.send("GET", LOOK, None, {"Cookie": f"{COOKIE}={token}"})
        return status == 200


@pytest.fixture
async def desk(served: SoftwareOffice) -> Desk:
    """An officer at work."""
    person = await served.api.person_with_status()
    return Desk(served, served.api.deployment.people["officer"], person)


async def test_a_confirmed_act_brings_a_new_cookie(desk: Desk) -> None:
    """With all that the first one had; the CSRF token of before still fits."""
    old = desk.officer.token
    status, _, new = await desk.send(await desk.asked())

    assert status == 201
    assert new is not None
    assert new != old
    assert [await desk.opens(token) for token in (old, new)] == [False, True]
    desk.officer.token = new
    assert (await desk.send(await desk.asked()))[0] == 201


async def test_the_new_cookie_is_as_well_kept_as_the_first(desk: Desk) -> None:
    """For this host alone, over TLS alone, out of scripts' reach."""
    headers = await desk.asked()
    _, _, received = await desk.served.api.send("POST", desk.path, {"type": VCT}, headers)
    cookie = received["Set-Cookie"]

    assert {part.strip() for part in cookie.split(";")[1:]} == {"HttpOnly", "Path=/", "SameSite=Strict", "Secure"}


async def test_without_a_confirmation_the_cookie_stays(desk: Desk) -> None:
    """Neither looking, nor being asked to confirm, nor a refusal brings another one."""
    headers, token = desk.officer.headers(desk.url), desk.officer.token
    confirmed = await desk.asked()
    for method, path, body, sent in (
        ("GET", LOOK, None, headers),
        ("POST", desk.path, {"type": VCT}, headers),
        ("POST", desk.path, {"type": "urn:none"}, confirmed),
        ("POST", desk.path, {"type": VCT}, {**headers, "Step-Up": "e30"}),
    ):
        _, _, received = await desk.served.api.send(method, path, body, sent)
        assert "Set-Cookie" not in received
    assert await desk.opens(token)


async def test_a_used_confirmation_takes_no_cookie_away(desk: Desk) -> None:
    """Sent again with the new cookie, it is refused as used, and the session goes on."""
    headers = await desk.asked()
    _, _, new = await desk.send(headers)
    assert new is not None
    status, problem, none = await desk.send({**headers, "Cookie": f"{COOKIE}={new}"})

    assert (status, problem["type"], none) == (409, "/problems/ceremony-used", None)
    assert await desk.opens(new)


@pytest.mark.parametrize("fault", [Unavailable("The database is away."), ZeroDivisionError("a bug")])
async def test_what_fails_after_the_act_brings_the_new_cookie_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """The old one opens nothing any more: without the new one its owner would be signed out."""
    real = offer.offer

    async def and_then(*given: Any, **named: Any) -> None:
        await real(*given, **named)
        raise fault

    monkeypatch.setattr(offer, "offer", and_then)
    status, _, new = await desk.send(await desk.asked())

    assert status >= 500
    assert new is not None
    assert await desk.opens(new)


async def test_a_cookie_stolen_before_is_worth_nothing_after(desk: Desk) -> None:
    """Whoever copied it is out with the owner's next act, also with a confirmation that is right."""
    stolen, right = desk.officer.token, await desk.asked()
    _, _, new = await desk.send(await desk.asked())
    status, problem, none = await desk.send({**right, "Cookie": f"{COOKIE}={stolen}"})

    assert (status, problem["type"], none) == (401, "/problems/not-authenticated", None)
    assert new is not None
    assert await desk.opens(new)


async def test_two_acts_at_once(desk: Desk) -> None:
    """Two tabs, one cookie: one act is done and brings the cookie that holds; the other says that nothing was done."""
    both = [await desk.asked() for _ in range(2)]

    answers = await asyncio.gather(*(desk.send(headers) for headers in both))

    assert sorted(status for status, _, _ in answers) == [201, 401]
    [new] = [token for _, _, token in answers if token is not None]
    assert await desk.opens(new)


async def test_requests_with_the_old_cookie_meanwhile(desk: Desk) -> None:
    """Each is answered as signed in or as not, whichever it came before; no fault, and the session stays one."""
    old = desk.officer.token
    looks = [desk.opens(old) for _ in range(20)]

    (status, _, new), *seen = await asyncio.gather(desk.send(await desk.asked()), *looks)

    assert status == 201
    assert all(type(one) is bool for one in seen)
    assert new is not None
    assert [await desk.opens(token) for token in (old, new)] == [False, True]


async def test_an_answer_that_was_lost(desk: Desk) -> None:
    """The act is done and the browser has the old cookie: it is signed out, and signs in again."""
    await desk.send(await desk.asked())

    assert not await desk.opens(desk.officer.token)
    await desk.served.api.sign_in(desk.officer)
    assert await desk.opens(desk.officer.token)


async def test_the_database_goes_away_right_after(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is answered as done; at worst its owner signs in again."""
    headers, recognise, calls = await desk.asked(), sessions.recognise, []

    async def once(office: Any, token: str) -> sessions.Opened:
        calls.append(token)
        if len(calls) > 1:
            raise Unavailable("The database is away.")
        return await recognise(office, token)

    monkeypatch.setattr(sessions, "recognise", once)
    status, _, new = await desk.send(headers)

    assert (status, new, len(calls)) == (201, None, 2)


async def test_nobody_plants_a_session(desk: Desk) -> None:
    """A cookie that somebody else set is not the one of whoever signs in with it, and opens nothing afterwards."""
    planted = desk.officer.token
    await desk.served.api.sign_in(desk.officer, {"Cookie": f"{COOKIE}={planted}"})
    assert desk.officer.token != planted
    assert not await desk.opens(planted)
    made_up = "A" * 43
    await desk.served.api.sign_in(desk.officer, {"Cookie": f"{COOKIE}={made_up}"})
    assert desk.officer.token != made_up
    assert not await desk.opens(made_up)


async def test_sessions_are_listed_and_ended(desk: Desk) -> None:
    """Two sessions of one person, and one on a shared computer; each is ended by its handle."""
    api, first = desk.served.api, desk.officer.headers(desk.url)
    begun = await api.begun("/api/v1/sign-in/options")
    body = {"ceremony": begun["ceremony"], "response": desk.officer.key.get(begun["public_key"], desk.url)}
    _, opened, received = await api.send("POST", "/api/v1/sign-in", {**body, "shared_computer": True})
    shared = SignedInPerson(desk.officer.key, SimpleCookie(received["Set-Cookie"])[COOKIE].value, opened["csrf_token"])
    _, listed, _ = await api.send("GET", "/api/v1/sessions", None, first)
    by_place = {one["shared_computer"]: one for one in listed["sessions"]}

    assert len(listed["sessions"]) == 2
    assert (by_place[False]["is_current"], by_place[True]["is_current"]) == (True, False)
    assert {one["key_name"] for one in listed["sessions"]} == {"My key"}
    ended = f"/api/v1/sessions/{by_place[True]['session']}/end"
    status, _, kept = await api.send("POST", ended, None, first)
    assert (status, "Set-Cookie" in kept) == (204, False)
    assert not await desk.opens(shared.token)
    assert (await api.send("POST", ended, None, first))[0] == 404
    own = f"/api/v1/sessions/{by_place[False]['session']}/end"
    status, _, gone = await api.send("POST", own, None, first)
    assert (status, "Max-Age=0" in gone["Set-Cookie"], "Clear-Site-Data" in gone) == (204, True, False)
    assert not await desk.opens(desk.officer.token)


@pytest.mark.parametrize("way", ["/api/v1/sign-out", "/api/v1/sign-out-everywhere"])
async def test_a_shared_computer_is_left_clean(desk: Desk, way: str) -> None:
    """Signing out there takes away whatever the browser kept of this site; elsewhere it takes the session alone."""
    api = desk.served.api
    for shared, cleared in ((True, '"cache", "cookies", "storage"'), (False, None)):
        begun = await api.begun("/api/v1/sign-in/options")
        body = {"ceremony": begun["ceremony"], "response": desk.officer.key.get(begun["public_key"], desk.url)}
        _, opened, received = await api.send("POST", "/api/v1/sign-in", {**body, "shared_computer": shared})
        desk.officer.opened(SimpleCookie(received["Set-Cookie"])[COOKIE].value, opened["csrf_token"])
        status, _, gone = await api.send("POST", way, None, desk.officer.headers(desk.url))
        assert (status, gone.get("Clear-Site-Data")) == (204, cleared)
        assert "Max-Age=0" in gone["Set-Cookie"]


async def test_enrolling_on_a_shared_computer(served: SoftwareOffice) -> None:
    """The options ask for a key to take along, and the session is a short one."""
    url, key = served.api.deployment.url, PersonalKey()
    body = {"code": await served.api.deployment.invite(STAFF["partner"]), "shared_computer": True}
    begun = await served.api.begun("/api/v1/enrolments/options", body)
    answered = {**body, "ceremony": begun["ceremony"], "response": key.create(begun["public_key"], url)}
    status, _, received = await served.api.send("POST", "/api/v1/enrolments", answered)
    cookie = received["Set-Cookie"].partition(";")[0]
    _, listed, _ = await served.api.send("GET", "/api/v1/sessions", None, {"Cookie": cookie})

    assert begun["public_key"]["authenticatorSelection"]["authenticatorAttachment"] == "cross-platform"
    assert status == 200
    assert [one["shared_computer"] for one in listed["sessions"]] == [True]
