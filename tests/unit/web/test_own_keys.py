"""One's own security keys over the API: another one, another name, one less, and nobody else's."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.simulators.signed_in import COOKIE, PersonalKey
from tests.simulators.software_office import SoftwareOffice

KEYS: Final = "/api/v1/security-keys"


@pytest.fixture
async def citizen(served: SoftwareOffice) -> str:
    """Somebody with an account and one key."""
    return await served.api.enrol_citizen(await served.api.person_with_status())


async def _listed(served: SoftwareOffice, who: str) -> list[dict[str, Any]]:
    """The one in use first."""
    keys = (await served.api.ok("GET", KEYS, who))["keys"]
    return sorted(keys, key=lambda key: not key["is_current"])


async def _begun(served: SoftwareOffice, who: str) -> dict[str, Any]:
    begun = await served.api.ok("POST", f"{KEYS}/options", who)
    response = PersonalKey().create(begun["public_key"], served.api.deployment.url)
    return {"ceremony": begun["ceremony"], "response": response, "key_name": "blue key"}


async def test_another_key(served: SoftwareOffice, citizen: str) -> None:
    """It is confirmed with the one at hand, registered, listed beside it, renamed and removed."""
    await served.api.ok("POST", KEYS, citizen, await _begun(served, citizen))
    first, second = await _listed(served, citizen)

    assert (first["is_current"], second["is_current"]) == (True, False)
    assert (second["key_name"], second["last_used_at"], second["is_suspended"]) == ("blue key", None, False)

    await served.api.ok("POST", f"{KEYS}/{second['key']}/name", citizen, {"key_name": "spare"})
    assert [key["key_name"] for key in await _listed(served, citizen)][1] == "spare"

    await served.api.ok("POST", f"{KEYS}/{second['key']}/removal", citizen)
    assert [key["key"] for key in await _listed(served, citizen)] == [first["key"]]


async def test_removing_the_key_in_use_signs_out(served: SoftwareOffice, citizen: str) -> None:
    """The cookie is taken away with the answer, and what it opened is closed."""
    await served.api.ok("POST", KEYS, citizen, await _begun(served, citizen))
    [current, _] = await _listed(served, citizen)
    path, person = f"{KEYS}/{current['key']}/removal", served.api.deployment.people[citizen]
    headers = person.headers(served.api.deployment.url)
    _, asked, _ = await served.api.send("POST", path, headers=headers)
    confirmed = {**headers, **person.step_up(asked["step_up"], served.api.deployment.url)}
    status, _, received = await served.api.send("POST", path, headers=confirmed)

    assert status == 204
    assert received["Set-Cookie"].startswith(f'{COOKIE}="";')
    assert (await served.api.send("GET", KEYS, headers={"Cookie": person.cookie}))[0] == 401


async def test_a_ceremony_of_another_session(served: SoftwareOffice, citizen: str) -> None:
    """Whoever has seen what somebody else began registers nothing with it."""
    begun = await _begun(served, citizen)
    status, problem = await served.api.call("POST", KEYS, "partner", begun)

    assert (status, problem["type"]) == (401, "/problems/verification-failed")
    assert len(await _listed(served, citizen)) == 1


@pytest.mark.parametrize("act", ["name", "removal"])
async def test_keys_of_others_are_not_found(served: SoftwareOffice, citizen: str, act: str) -> None:
    """Neither renamed nor removed, and nothing is to be confirmed for it."""
    [theirs] = await _listed(served, "partner")
    body = {"key_name": "mine"} if act == "name" else None
    status, problem = await served.api.call("POST", f"{KEYS}/{theirs['key']}/{act}", citizen, body, confirm=False)

    assert (status, problem["type"]) == (404, "/problems/not-found")
