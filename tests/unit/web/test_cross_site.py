"""A cookie alone does nothing: what changes anything comes from our own pages, with the session's own token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.simulators.service import DETAILS
from tests.simulators.software_office import SoftwareOffice

PEOPLE = "/api/v1/people"


async def _posted(served: SoftwareOffice, changes: Mapping[str, str | None], who: str = "officer") -> tuple[int, Any]:
    """Record a person with headers that differ from an honest page's; ``None`` leaves one out."""
    honest = await served.api.identity(who)
    sent = {name: value for name, value in {**honest, **changes}.items() if value is not None}
    status, answer, _ = await served.api.send("POST", PEOPLE, {"details": DETAILS}, sent)
    return status, answer


@pytest.mark.parametrize(
    "changes",
    [
        {"X-CSRF-Token": None},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "A" * 43},
        {"X-CSRF-Token": "\u00fc"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost"},
        {"Origin": None},
        {"Origin": None, "Sec-Fetch-Site": "cross-site"},
        {"Origin": None, "Sec-Fetch-Site": "same-site"},
        {"Origin": None, "Sec-Fetch-Site": "none"},
        {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "same-origin"},
    ],
    ids=str,
)
async def test_a_post_from_elsewhere(served: SoftwareOffice, changes: dict[str, str | None]) -> None:
    """Another site's page has the cookie sent along and neither the token nor our origin: 403, and nothing is done."""
    status, problem = await _posted(served, changes)

    assert (status, problem["type"]) == (403, "/problems/cross-site")


async def test_another_session_s_token(served: SoftwareOffice) -> None:
    """The token belongs to one session: not another person's, nor the one of a session that is over."""
    others = (await served.api.identity("second"))["X-CSRF-Token"]
    before = (await served.api.identity("officer"))["X-CSRF-Token"]
    assert (await _posted(served, {"X-CSRF-Token": others}))[0] == 403

    await served.api.sign_in(served.api.deployment.people["officer"])

    assert (await _posted(served, {"X-CSRF-Token": before}))[0] == 403
    assert (await _posted(served, {}))[0] == 201


async def test_two_origins(served: SoftwareOffice) -> None:
    """A header that says two things says nothing."""
    honest = await served.api.identity("officer")
    headers = [*honest.items(), ("Origin", "https://elsewhere.example")]

    async with served.api.session.post(
        served.api.deployment.url + PEOPLE, json={"details": DETAILS}, headers=headers
    ) as answer:
        assert answer.status == 403


async def test_an_old_browser_that_sends_no_origin(served: SoftwareOffice) -> None:
    """Fetch metadata is as good, and no page can forge it."""
    assert (await _posted(served, {"Origin": None, "Sec-Fetch-Site": "same-origin"}))[0] == 201


async def test_looking_needs_the_cookie_alone(served: SoftwareOffice) -> None:
    """A link from elsewhere may be followed."""
    cookie = {"Cookie": (await served.api.identity("officer"))["Cookie"]}

    assert (await served.api.send("GET", "/api/v1/proposals", None, cookie))[0] == 200


async def test_an_api_key_needs_no_token(served: SoftwareOffice) -> None:
    """A browser never sends an API key by itself; where both come, the key counts."""
    key, cookie = await served.api.identity("register"), await served.api.identity("officer")

    assert (await served.api.send("POST", PEOPLE, {"details": DETAILS}, key))[0] == 201
    both = {"Cookie": cookie["Cookie"], "Authorization": "Bearer idv_wrong"}
    assert (await served.api.send("POST", PEOPLE, {"details": DETAILS}, both))[0] == 401


async def test_a_session_s_cookie(served: SoftwareOffice) -> None:
    """For this host alone, over TLS alone, out of scripts' reach, not sent from elsewhere; gone after signing out."""
    await served.api.identity("officer")
    person = served.api.deployment.people["officer"]
    begun = await served.api.begun("/api/v1/sign-in/options")
    answer = {"ceremony": begun["ceremony"], "response": person.key.get(begun["public_key"], served.api.deployment.url)}

    _, opened, headers = await served.api.send("POST", "/api/v1/sign-in", answer)
    cookie = headers["Set-Cookie"]
    token = cookie.partition("=")[2].partition(";")[0]
    person.opened(token, opened["csrf_token"])
    status, _, gone = await served.api.send("POST", "/api/v1/sign-out", None, await served.api.identity("officer"))

    assert cookie.startswith("__Host-idverify=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {"HttpOnly", "Path=/", "SameSite=Strict", "Secure"}
    assert headers["Cache-Control"] == "no-store"
    assert (status, "Max-Age=0" in gone["Set-Cookie"]) == (204, True)
    cookie_alone = {"Cookie": f"__Host-idverify={token}"}
    assert (await served.api.send("GET", "/api/v1/proposals", None, cookie_alone))[0] == 401


async def test_signing_out_everywhere(served: SoftwareOffice) -> None:
    """From one browser, every session of the account ends."""
    here = await served.api.identity("officer")
    await served.api.sign_in(served.api.deployment.people["officer"])
    there = await served.api.identity("officer")
    assert here["Cookie"] != there["Cookie"]

    status, _, _ = await served.api.send("POST", "/api/v1/sign-out-everywhere", None, there)

    assert status == 204
    for session in (here, there):
        assert (await served.api.send("GET", "/api/v1/proposals", None, {"Cookie": session["Cookie"]}))[0] == 401
