"""The demo wallet in a real browser: its keys, its proofs and its presentations before the real service."""

from __future__ import annotations

import json
from typing import Any

import pytest_asyncio
from playwright.async_api import Route

from idverify.core.policy import Role
from idverify.core.types.pid import PID
from idverify.formats.sdjwt_vc import SdJwtVc
from idverify.services.invite import Invited
from tests.browser.conftest import Newcomer
from tests.browser.desks import COLLECT, status_in_words
from tests.browser.examination import Examiner
from tests.browser.people import confirm
from tests.browser.security_key import SecurityKey
from tests.browser.visitor import Visitor
from tests.simulators.service import DETAILS, PERMISSION, VCT, Api, Deployment, client

COLLECTED = "Download its receipt"
LIVES = {
    "place_of_birth": {"locality": "Little Utopia", "country": "QU"},
    "address": {"street_address": "High Street", "locality": "Utopia City"},
}
GRANT = {
    "kind": "grant",
    "reason": "application-granted",
    "legal_basis": "Rules, part 1",
    "permissions": {VCT: PERMISSION, PID.id: {"date_of_issuance": "2026-01-15", "date_of_expiry": "2036-01-14"}},
    "identity_assurance": {"checked_on": "2026-01-12", "eidas": "high"},
}
STORED_KEY = """holder => new Promise(resolve => {
  const asked = indexedDB.open(`idverify-wallet-${holder}`);
  asked.onsuccess = () => {
    const all = asked.result.transaction("copies").objectStore("copies").getAll();
    all.onsuccess = () => resolve(all.result.map(({key}) => [key.privateKey.extractable, key.privateKey.type]));
  };
})"""


class Holder:
    """A person with a status, signed in at a browser, and callers of the API around them."""

    def __init__(self, visitor: Visitor, api: Api, person: str) -> None:
        self.visitor, self.page, self.api, self.person = visitor, visitor.page, api, person

    async def ask_to_collect(self, document: str | None = None) -> None:
        """Up to the page with the offer, of the immigration status unless another document is named."""
        named = status_in_words(self.visitor)
        await self.visitor.go("/citizen")
        await self.visitor.press(COLLECT, **(named if document is None else named | {"document": document}))
        await confirm(self.visitor)

    async def collect(self, document: str | None = None) -> None:
        """Into this browser."""
        await self.ask_to_collect(document)
        await self.click("Collect into this browser")
        await self.page.wait_for_url("**/citizen/wallet")
        await self.page.get_by_role("button", name=COLLECTED).first.wait_for()

    async def read_request(self, request: dict[str, Any] | str) -> None:
        """Paste a verification request."""
        text = request if isinstance(request, str) else json.dumps(request)
        await self.visitor.fill("The request", text)
        await self.click("Read the request")

    async def click(self, name: str) -> None:
        """Press a button that leads to no other page."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def told(self, sentence: str) -> None:
        """Wait until the page says so."""
        await self.page.get_by_text(sentence, exact=True).wait_for()

    async def ticked(self) -> set[str]:
        """What would be shown."""
        await self.page.locator("#wallet-choice").wait_for()
        boxes = await self.page.locator("#wallet-claims :checked").all()
        return {await box.input_value() for box in boxes}

    async def faults(self) -> list[str]:
        """What an examiner finds on the page as it stands, with what the script put there."""
        return await Examiner(()).examine(self.page, self.visitor.language)

    async def answer(self) -> dict[str, Any]:
        """The answer to whoever asked."""
        await self.click("Make the answer")
        await self.page.locator("#wallet-answer").wait_for()
        made: dict[str, Any] = json.loads(await self.page.locator("#wallet-answer-text").input_value())
        return made

    async def request(self, who: str, type_id: str = VCT, **more: str) -> dict[str, Any]:
        """What a checker's page gives out."""
        made = await self.api.ok("POST", "/api/v1/verification-requests", who, {"type": type_id})
        return {**made, **more}


@pytest_asyncio.fixture(loop_scope="session")
async def holder(newcomer: Newcomer, deployment: Deployment) -> Any:
    """Somebody with a status and a PID at a browser of their own."""
    async with client() as session:
        api = Api(session, deployment)
        if "officer" not in deployment.people:
            await api.enrol("officer", await deployment.invite(Invited(Role.OFFICER, "Otto Officer")))
        person = (await api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS | LIVES}))["person"]
        await api.ok("POST", f"/api/v1/people/{person}/decisions", "officer", GRANT)
        code = (await api.ok("POST", f"/api/v1/people/{person}/enrolments", "officer"))["code"]
        visitor = await newcomer()
        await visitor.plug_in(SecurityKey())
        await visitor.go(f"/enrol/{code}")
        await visitor.press("Register this key")
        yield Holder(visitor, api, person)


async def test_what_the_wallet_collects_and_shows_is_accepted(holder: Holder) -> None:
    """A purpose ticks what it needs and no more; the answer holds, with its receipt. Without one the holder chooses."""
    await holder.collect()
    await holder.read_request(await holder.request("employer", purpose="work"))
    needed = {
        "family_name",
        "given_name",
        "work",
        "permission_end",
        "identity_assurance",
    }  # and a photo, which is not on record here
    assert await holder.ticked() == needed
    assert await holder.faults() == []
    verdict = await holder.api.ok("POST", "/api/v1/verify", "employer", await holder.answer())
    assert (verdict["verdict"], verdict["claims"].keys()) == ("accept", needed)
    assert {check["id"] for check in verdict["checks"] if check["result"] == "pass"} >= {"audience", "receipt"}
    await holder.read_request(await holder.request("employer"))
    assert await holder.ticked() == set()
    await holder.page.get_by_label("Over 18", exact=True).check()
    shown = SdJwtVc().read((await holder.answer())["document"].encode()).claims
    assert (shown["age_over_18"], "family_name" in shown) == (True, False)


async def test_a_claim_with_parts_of_its_own_is_shown_whole(holder: Holder) -> None:
    """A PID hides parts inside parts: whoever ticks the address shows all of it, and no other town."""
    await holder.collect("Person identification data")
    await holder.read_request(await holder.request("employer", PID.id))
    await holder.page.get_by_label("Address", exact=True).check()
    await holder.page.get_by_label("Nationalities", exact=True).check()
    assert "Utopia City" in await holder.page.locator("#wallet-claims").inner_text()
    document = (await holder.answer())["document"].encode()
    shown = SdJwtVc().read(document).claims
    assert (shown["address"], shown["nationalities"]) == (LIVES["address"], DETAILS["nationalities"])
    assert {"place_of_birth", "family_name", "birthdate"}.isdisjoint(shown)
    verdict = await holder.api.ok("POST", "/api/v1/verify", "register", {"document": document.decode()})
    assert [check["id"] for check in verdict["checks"] if check["result"] == "fail"] == []


async def test_a_receipt_that_comes_later(holder: Holder) -> None:
    """A receipt that was not there yet is fetched when the wallet is opened, and goes with the next answer."""
    await holder.page.route("**/api/v1/credentials", _without_receipt)
    await holder.collect()
    await holder.read_request(await holder.request("employer", purpose="work"))
    answer = await holder.answer()
    assert answer["receipt"].startswith("c2sp.org/tlog-proof@v1\n")
    verdict = await holder.api.ok("POST", "/api/v1/verify", "employer", answer)
    assert {check["id"] for check in verdict["checks"] if check["result"] == "pass"} >= {"receipt"}


async def test_keys_stay_documents_can_go_and_nonsense_is_not_answered(holder: Holder) -> None:
    """No key is extractable, document and receipt are files, and what cannot be answered is said to be so."""
    await holder.collect()
    words = json.loads(await holder.page.locator("#wallet-words").text_content() or "")
    assert await holder.page.evaluate(STORED_KEY, words["holder"]) == [[False, "private"]]
    document = await holder.visitor.save("Download the document", "button")
    assert SdJwtVc().read(document).type == VCT
    assert (await holder.visitor.save(COLLECTED, "button")).startswith(b"c2sp.org/tlog-proof@v1\n")
    request = await holder.request("employer")
    unreadable = "This is not a verification request. Paste all of the text that you were given."
    for wrong, sentence in (
        ("hello", unreadable),
        ("null", unreadable),
        ({**request, "nonce": 1}, unreadable),
        (
            {**request, "expires_at": "2020-01-01T00:00:00Z"},
            "This request has expired. Ask whoever checks for a new one.",
        ),
        ({**request, "type": "constructor"}, "You hold no document of the kind that was asked for. Collect one first."),
    ):
        await holder.read_request(wrong)
        await holder.told(sentence)
        assert not await holder.page.locator("#wallet-choice").is_visible()


async def test_a_connection_that_breaks_makes_no_second_document(holder: Holder) -> None:
    """The answer is lost twice; whoever opens the wallet later finds the one document that was issued."""
    await holder.ask_to_collect()
    await holder.page.route("**/api/v1/credentials", _lose_the_answer, times=2)
    for _ in range(2):
        await holder.click("Collect into this browser")
        await holder.told("The service could not be reached or was busy. Try again: nothing is made twice.")
    holder.visitor.faults.clear()  # Chromium reports the lost answers
    await holder.visitor.go("/citizen/wallet")
    await holder.page.get_by_role("button", name=COLLECTED).wait_for()
    held = await holder.api.ok("GET", f"/api/v1/people/{holder.person}", "officer")
    assert len(held["credentials"]) == 1


async def test_a_shared_computer_keeps_nothing(holder: Holder) -> None:
    """One document goes alone; the button takes all, and a fresh visit finds nothing."""
    await holder.collect()
    await holder.collect()
    await holder.page.get_by_role("button", name="Remove from this browser").first.click()
    await holder.told("The document is gone from this browser.")
    assert await holder.page.get_by_role("button", name=COLLECTED).count() == 1
    await holder.click("Remove everything from this computer")
    await holder.told("Nothing of yours is left in this browser. Now sign out.")
    assert await holder.page.evaluate("async () => (await indexedDB.databases()).length") == 0
    await holder.visitor.go("/citizen/wallet")
    await holder.page.get_by_text("Nothing yet.").wait_for()


async def _without_receipt(route: Route) -> None:
    answer = await route.fetch()
    await route.fulfill(response=answer, json={**await answer.json(), "receipt": None})


async def _lose_the_answer(route: Route) -> None:
    await route.fetch()
    await route.abort()
