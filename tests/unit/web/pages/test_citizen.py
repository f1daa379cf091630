"""A citizen's desk: their status in plain words, what was decided, who looked, and an offer to collect."""

from __future__ import annotations

import base64

import orjson

from tests.simulators.holder import holding
from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.simulators.service import DETAILS, VCT
from tests.simulators.soft_wallet import SoftWallet
from tests.unit.web.pages.conftest import People


async def test_the_desk_says_what_one_may_do_why_and_who_looked(people: People) -> None:
    """Status, decision with its reason, and the officer's look stand on one page, and what is held besides."""
    api = people.served.api
    person = await api.person_with_status()
    await api.ok("GET", f"/api/v1/people/{person}", "second")
    page = await (await people.citizen(person)).open("/citizen")
    assert page.heading == "You have permission to be here, without an end date"
    for said in (
        "You may work, with limits.",
        "Occupations: Sponsored occupation only",
        "You may not claim public funds.",
        "The application was granted.",
        "Rules, part 1",
        "Oscar Officer",
        "Opened the record",
        DETAILS["family_name"],
    ):
        assert said in page.text


async def test_looking_at_oneself_is_no_look(people: People) -> None:
    """A citizen's own visits leave the list as it was."""
    citizen = await people.citizen(await people.served.api.person_with_status())
    before = await citizen.open("/citizen")
    after = await citizen.open("/citizen")
    assert before.text == after.text
    assert after.text.count("Account holder") == 1  # the registration of their key
    own = after.text.partition("Account holder")[2]
    assert own.startswith(" Citizen Registered a security key Done")


async def test_without_a_permission_nothing_can_be_collected(people: People) -> None:
    """Somebody of whom only the details are on record is told so, and gets no button."""
    api = people.served.api
    person = (await api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS}))["person"]
    page = await (await people.citizen(person)).open("/citizen")
    assert page.heading == "You have no permission on record"
    assert "/citizen/collect" not in [form.action for form in page.forms]


async def test_the_desk_speaks_welsh(people: People) -> None:
    """Every sentence of a citizen's desk has its Welsh."""
    person = await people.served.api.person_with_status()
    page = await (await people.citizen(person, "cy")).open("/citizen")
    assert page.heading == "Mae gennych ganiatâd i fod yma, heb ddyddiad gorffen"
    assert "Cewch weithio, gyda chyfyngiadau." in page.text


async def test_collecting_is_confirmed_and_the_offer_works_once(people: People) -> None:
    """The confirmed offer is a file without JavaScript, and a wallet collects with it once."""
    api = people.served.api
    citizen = await people.citizen(await api.person_with_status())
    offer = _downloaded(await _confirmed_offer(citizen))
    body = {"code": offer["code"], "proof": SoftWallet().proof(offer["issuer"], offer["nonce"])}
    collected = await api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key="first-attempt")
    assert offer["type"] == VCT
    assert "Collected on" in (await citizen.open("/citizen")).text
    status, _ = await api.call("POST", "/api/v1/credentials", None, body, {"Idempotency-Key": "second-attempt"})
    assert (status, collected["format"]) == (409, "dc+sd-jwt")


async def test_no_offer_without_the_security_key(people: People) -> None:
    """Whoever presses the button is asked for their key before anything is made."""
    citizen = await people.citizen(await people.served.api.person_with_status())
    page = await citizen.fill(await citizen.open("/citizen"), "/citizen/collect")
    assert page.ceremony is not None
    assert "offer.json" not in page.html


async def test_only_the_wallet_pages_may_talk_to_the_service(people: People) -> None:
    """``connect-src`` is granted where the wallet's script runs, and nowhere else."""
    citizen = await people.citizen(await people.served.api.person_with_status())
    policies = {path: (await citizen.open(path)).headers["Content-Security-Policy"] for path in PATHS}
    assert [path for path in PATHS if "connect-src 'self'" in policies[path]] == ["/citizen/wallet"]
    assert all("unsafe" not in policy for policy in policies.values())


async def test_the_wallet_of_another_person_is_another_wallet(people: People) -> None:
    """Two people at one browser open different stores, told apart by a reference and by no name."""
    api = people.served.api
    pages = [await (await people.citizen(await api.person_with_status())).open("/citizen/wallet") for _ in range(2)]
    first, second = (_script(page, "wallet-words")["holder"] for page in pages)
    assert first != second
    assert DETAILS["family_name"] not in pages[0].html


PATHS = ("/citizen", "/citizen/wallet", "/account/keys")


async def _confirmed_offer(citizen: PlainBrowser) -> Shown:
    asked = await citizen.fill(await citizen.open("/citizen"), "/citizen/collect")
    return await citizen.confirm(asked)


def _downloaded(page: Shown) -> dict[str, str]:
    """The file behind the download link, and that it says what the page's script is given."""
    prefix = "data:application/json;base64,"
    (link,) = (link for link in page.links if link.startswith(prefix))
    offer: dict[str, str] = orjson.loads(base64.b64decode(link.removeprefix(prefix)))
    assert offer == _script(page, "offer")
    return offer


def _script(page: Shown, name: str) -> dict[str, str]:
    text = page.html.partition(f'id="{name}">')[2].partition("</script>")[0]
    found: dict[str, str] = orjson.loads(text)
    return found


async def test_a_lost_copy_is_withdrawn(people: People) -> None:
    """From the desk to the copy, why, the security key, and back to a desk that says so."""
    api = people.served.api
    held = await holding(api)
    citizen = await people.citizen(held.person)
    path = f"/citizen/copies/{held.answer['handle']}"
    assert path in (await citizen.open("/citizen")).links
    page = await citizen.open(path)
    assert "Websites and apps that check documents" in page.text

    refused = await citizen.fill(page, path)
    assert "Choose why you withdraw this copy" in refused.text
    asked = await citizen.fill(refused, path, reason="lost")
    assert "Do you confirm that nobody may accept this copy any more?" in asked.text
    assert "The device that it was on is lost" in asked.text
    desk = await citizen.confirm(asked)

    assert "The copy is withdrawn." in desk.text
    assert "Withdrawn by its holder: lost" in desk.text
    assert path not in desk.links
    assert "Nobody accepts this copy any more" in (await citizen.open(path)).text
    verdict = await api.ok("POST", "/api/v1/verify", "officer", {"document": held.credential})
    assert verdict["verdict"] == "reject"


async def test_a_copy_is_replaced(people: People) -> None:
    """The holder confirms which copy the new one takes the place of, by its day; the offer is like any other."""
    held = await holding(people.served.api)
    citizen = await people.citizen(held.person, "cy")
    page = await citizen.open(f"/citizen/copies/{held.answer['handle']}")
    asked = await citizen.fill(page, "/citizen/collect")

    assert "Yn lle'r copi a gasglwyd ar" in asked.text
    assert _downloaded(await citizen.confirm(asked))["code"]


async def test_another_s_copy_has_no_page(people: People) -> None:
    """A reference of somebody else's copy leads nowhere."""
    held = await holding(people.served.api)
    citizen = await people.citizen(await people.served.api.person_with_status())
    assert (await citizen.open(f"/citizen/copies/{held.answer['handle']}")).status == 404
