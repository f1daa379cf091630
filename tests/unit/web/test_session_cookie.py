"""The session's cookie is one that has exactly its name: only this host could set it."""

from __future__ import annotations

from typing import Final

from idverify.core.policy import Role
from idverify.services.invite import Invited
from tests.simulators.signed_in import COOKIE, PersonalKey
from tests.simulators.software_office import SoftwareOffice

OTHER: Final = "A" * 43
# What lenient parsers read as the session's cookie, though another host may have set it; {} is a session's token.
LOOK_ALIKES: Final = (
    f"\u2000{COOKIE}={{}}",
    f"\u0085{COOKIE}={{}}",
    f"\u00a0{COOKIE}={{}}",
    f"x=1, {COOKIE}={{}}",
    f"x=1,{COOKIE}={{}}",
    f"x=1\t{COOKIE}={{}}",
    f"x=1 {COOKIE}={{}}",
    f'x="1; {COOKIE}={{}}"',
    f"__host-idverify={{}}; {COOKIE.upper()}={{}}",
    f"{COOKIE} ={{}}",
    f"{COOKIE}= {{}}",
    f'{COOKIE}="{{}}"',
    f"{COOKIE}={{}}.",
    f"{COOKIE}={{}}\u2000",
    f"{COOKIE}={{}}\u2028",
)
TWO: Final = (
    f"{COOKIE}={{}}; {COOKIE}={OTHER}",
    f"{COOKIE}={OTHER}; {COOKIE}={{}}",
    f"{COOKIE}={{}}; {COOKIE}={{}}",
    f"{COOKIE}={{}}; {COOKIE}=",
)
TRUE: Final = (
    f"{COOKIE}={{}}",
    f"x=1; {COOKIE}={{}}; y=2",
    f"x=1;{COOKIE}={{}}",
    f'x="1, 2"; {COOKIE}={{}};',
    f"\u2000{COOKIE}={OTHER}; {COOKIE}={{}}",
)


async def _status(served: SoftwareOffice, cookies: str, token: str) -> int:
    status, _, _ = await served.api.send("GET", "/api/v1/proposals", None, {"Cookie": cookies.replace("{}", token)})
    return status


async def test_only_the_session_s_cookie_is_it(served: SoftwareOffice) -> None:
    """Look-alikes and two of the name open nothing; the true one does, among others and next to a look-alike."""
    await served.api.identity("officer")
    token = served.api.deployment.people["officer"].token

    found = {cookies: await _status(served, cookies, token) for cookies in (*LOOK_ALIKES, *TWO, *TRUE)}

    assert [cookies for cookies in (*LOOK_ALIKES, *TWO) if found[cookies] != 401] == []
    assert [cookies for cookies in TRUE if found[cookies] != 200] == []


async def test_two_headers_are_two_cookies(served: SoftwareOffice) -> None:
    """A second header cannot bring another session along, nor take the place of the first."""
    cookie = (await served.api.identity("officer"))["Cookie"]
    address = f"{served.api.deployment.url}/api/v1/proposals"

    async with served.api.session.get(address, headers=[("Cookie", cookie), ("Cookie", f"{COOKIE}={OTHER}")]) as one:
        assert one.status == 401
    async with served.api.session.get(address, headers=[("Cookie", cookie), ("Cookie", "x=1")]) as other:
        assert other.status == 200


async def test_whoever_enrols_takes_the_browser_over(served: SoftwareOffice) -> None:
    """A session that a browser still had from somebody else is over once a new key is registered in it."""
    before = {"Cookie": (await served.api.identity("officer"))["Cookie"]}
    code = await served.api.deployment.invite(Invited(Role.OFFICER, "Nora Newcomer"))
    begun = await served.api.begun("/api/v1/enrolments/options", {"code": code})
    answer = PersonalKey().create(begun["public_key"], served.api.deployment.url)
    body = {"code": code, "ceremony": begun["ceremony"], "response": answer}

    status, opened, _ = await served.api.send("POST", "/api/v1/enrolments", body, before)

    assert (status, opened["actor"]) == (200, "Nora Newcomer")
    assert (await served.api.send("GET", "/api/v1/proposals", None, before))[0] == 401
