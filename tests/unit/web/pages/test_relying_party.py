"""The desk of an organisation that checks documents."""

from __future__ import annotations

import json
from html import unescape

from tests.simulators.service import VCT
from tests.simulators.soft_wallet import SoftWallet
from tests.unit.web.pages.conftest import People

VERIFY = "/relying-party/verify"


async def test_the_desk_names_the_purpose_and_the_ways_to_check(people: People) -> None:
    """What one may learn, where to check, and a command for programs at this service's own address."""
    bank = await people.staff("partner")
    desk = await bank.open("/relying-party")
    assert "You check for: Right to work." in desk.text
    assert f"curl {people.served.api.deployment.url}/api/v1/verify" in desk.text
    assert {VERIFY, "/relying-party/keys", "/relying-party/usage", "/docs"} <= set(desk.links)


async def test_a_check_shows_the_purposes_fields_and_its_subject_sees_it(people: People) -> None:
    """The holder shows more than work needs; the page does not. The list of checks has it, and so has the citizen."""
    bank, api = await people.staff("partner"), people.served.api
    person = await api.person_with_status()
    page = await bank.fill(await bank.open(VERIFY), f"{VERIFY}/request")
    verdict = await bank.fill(page, VERIFY, document=await _answer(people, person, unescape(page.html)))
    assert verdict.heading == "Accepted"
    assert "Sponsored occupation only" in verdict.text
    assert "1974" not in verdict.text
    assert "Renting a home" not in verdict.text
    assert "Checked a document shown by a wallet" in (await bank.open("/relying-party/usage")).text
    assert "Example Bank plc" in (await (await people.citizen(person)).open("/citizen")).text


async def test_the_request_says_what_it_is_for(people: People) -> None:
    """A wallet can tick what the purpose needs; an officer's request names none."""
    bank, olive = await people.staff("partner"), await people.staff("officer")
    asked = await bank.fill(await bank.open(VERIFY), f"{VERIFY}/request")
    assert _request(unescape(asked.html))["purpose"] == "work"
    asked = await olive.fill(await olive.open("/officer/verify"), "/officer/verify/request")
    assert "purpose" not in _request(unescape(asked.html))


async def test_the_list_of_checks_is_ones_own(people: People) -> None:
    """What a program of another organisation checked is not on it."""
    await people.served.api.call("POST", "/api/v1/verify", "employer", {"document": "nonsense"})
    bank = await people.staff("partner")
    assert "There were none." in (await bank.open("/relying-party/usage")).text


async def test_each_desk_is_for_its_own_role(people: People) -> None:
    """Others are told so; strangers are sent to sign in."""
    desks = {"partner": "/relying-party", "admin": "/admin", "officer": "/officer"}
    for who, own in desks.items():
        browser = await people.staff(who)
        for path in (*desks.values(), "/citizen", "/citizen/wallet", "/admin/keys", "/relying-party/usage"):
            assert (await browser.open(path)).status == (200 if path.startswith(own) else 403), (who, path)
    assert (await people.browser().open("/relying-party/keys")).heading == "Sign in with your security key"


async def _answer(people: People, person: str, page: str) -> str:
    """What a wallet answers that shows everything."""
    api, wallet = people.served.api, SoftWallet()
    offer = await api.offer(person)
    body = {"code": offer["code"], "proof": wallet.proof(offer["issuer"], offer["nonce"])}
    collected = await api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key="an-attempt")
    asked = _request(page)
    assert asked["type"] == VCT
    every = ("family_name", "birthdate", "work", "rent", "permission_end")
    document = wallet.present(collected["credential"], every, asked["audience"], asked["nonce"])
    return json.dumps({"document": document, "verification_request": asked["verification_request"]})


def _request(page: str) -> dict[str, str]:
    """The request that the page shows."""
    text = page.partition('id="request"')[2].partition(">")[2].partition("</pre>")[0]
    found: dict[str, str] = json.loads(text)
    return found
