"""Registering the first key with a one-time code."""

from __future__ import annotations

import json

import pytest

from idverify.core.policy import Role
from idverify.services.invite import TERMS, Invited, Kind
from idverify.web.session_cookie import NAME
from tests.simulators.signed_in import STAFF
from tests.unit.web.pages.conftest import People
from tests.unit.web.pages.test_sign_in import signals_of


async def invited(people: People, who: Invited = STAFF["officer"]) -> str:
    """A fresh one-time code."""
    return await people.served.api.deployment.invite(who)


async def test_a_link_registers_a_key_and_opens_the_desk(people: People) -> None:
    """Signed in at once, and again with the key alone."""
    browser = people.browser()
    page = await browser.open(f"/enrol/{await invited(people)}")
    desk = await browser.confirm(page, key_name="blue key")
    keys = await browser.open("/account/keys")
    browser.cookies.clear()

    assert (page.heading, desk.path) == ("Register your security key", "/officer")
    assert "blue key" in keys.text
    assert (await browser.sign_in()).path == "/officer"


async def test_a_code_can_be_typed_as_people_type(people: People) -> None:
    """Small letters, spaces and no hyphens are the same code."""
    browser = people.browser()
    typed = (await invited(people)).lower().replace("-", " ")
    page = await browser.fill(await browser.open("/enrol"), "/enrol", code=typed)

    assert page.heading == "Register your security key"
    assert (await browser.confirm(page)).path == "/officer"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("", "Enter the code from your slip or sheet"),
        ("1234", "Enter the code as you got it"),
        ("U" * 20, "Enter the code as you got it"),
        ("x" * 5000, "Enter the code as you got it"),
        ("0000-0000-0000-0000-0000", "There is no such code."),
    ],
)
async def test_a_code_that_cannot_be_used_says_why_at_its_field(people: People, code: str, sentence: str) -> None:
    """What was typed stays there to be mended."""
    browser = people.browser()
    page = await browser.fill(await browser.open("/enrol"), "/enrol", code=code)

    assert page.status in {400, 404}
    assert sentence in page.text
    assert 'href="#code"' in page.html


async def test_a_code_works_once_and_for_a_while(people: People) -> None:
    """The link of a used or expired one leads to the same page, with what to do."""
    browser, code, late = people.browser(), await invited(people), await invited(people, STAFF["second"])
    await browser.enrol(code)
    used = await people.browser().open(f"/enrol/{code}")
    people.served.clock.advance(15 * 60 + 1)
    expired = await people.browser().open(f"/enrol/{late}")

    assert (used.status, expired.status) == (409, 410)
    assert "This code was used, or replaced by a newer one." in used.text
    assert "This code has expired." in expired.text


async def test_who_has_no_name_on_the_link_gives_one(people: People) -> None:
    """It is asked for first, and carried through the ceremony."""
    browser, code = people.browser(), await invited(people, Invited(Role.OFFICER))
    asked = await browser.open(f"/enrol/{code}")
    empty = await browser.fill(asked, "/enrol/key")
    page = await browser.fill(asked, "/enrol/key", name="Nora Newcomer")
    desk = await browser.confirm(page)

    assert (asked.heading, empty.status) == ("Who are you?", 400)
    assert "Enter your name" in empty.text
    assert desk.path == "/officer"


async def test_nobody_takes_somebody_elses_name(people: People) -> None:
    """However it is spelt: two people decide, not two accounts of one."""
    await people.browser().enrol(await invited(people))
    browser, code = people.browser(), await invited(people, Invited(Role.OFFICER))
    page = await browser.fill(await browser.open(f"/enrol/{code}"), "/enrol/key", name="olive  OFFICER")

    assert page.status == 400
    assert 'href="#name"' in page.html
    assert "Somebody with this name is enrolled already." in page.text


async def test_a_refused_key_may_try_again_with_the_same_code(people: People) -> None:
    """A ceremony that failed does not use up the code."""
    browser, code = people.browser(), await invited(people)
    page = await browser.open(f"/enrol/{code}")
    failed = await browser.confirm(page, browser_error="NotAllowedError")
    refused = await browser.confirm(failed, response='{"id": "AA"}')

    assert (failed.status, refused.status) == (200, 400)
    assert "The security key did not answer" in failed.text
    assert (await browser.confirm(refused)).path == "/officer"


async def test_no_address_holds_a_code_that_was_typed(people: People) -> None:
    """Nor does any link or form lead to one: a library's computer keeps its addresses. Opened by itself, it asks."""
    browser, code = people.browser(), await invited(people, Invited(Role.OFFICER))
    named = await browser.fill(await browser.open("/enrol"), "/enrol", code=code)
    page = await browser.fill(named, "/enrol/key", name="Nora Newcomer")
    shared = await browser.fill(page, "/enrol/key", shared_computer="yes")
    failed = await browser.confirm(shared, browser_error="NotAllowedError", response="")

    for shown in (named, page, shared, failed):
        assert shown.path in {"/enrol", "/enrol/key"}
        assert all(code not in address for address in (*shown.links, *(form.action for form in shown.forms)))
    assert (await browser.open("/enrol/key")).path == "/enrol"
    assert (await browser.confirm(failed)).path == "/officer"


async def test_a_form_without_its_code_asks_for_it(people: People) -> None:
    """Also where the key answered."""
    browser = people.browser()
    page = await browser.confirm(await browser.open(f"/enrol/{await invited(people)}"), code="")

    assert (page.status, page.heading) == (400, "Use a code")
    assert "Enter the code from your slip or sheet" in page.text


async def test_a_key_that_was_refused_is_forgotten(people: People) -> None:
    """The browser is told of the very key that it just made, and of none that was not looked at."""
    browser, code = people.browser(), await invited(people)
    page = await browser.open(f"/enrol/{code}")
    made = json.loads(browser.answered(page)["response"])
    made["response"]["clientDataJSON"] = made["response"]["clientDataJSON"][:-4] + "AAAA"
    refused = await browser.confirm(page, response=json.dumps(made))
    people.served.clock.advance(601)
    late = await browser.confirm(refused)

    told = {"signalUnknownCredential": {"rpId": "localhost", "credentialId": made["id"]}}
    assert (refused.status, signals_of(refused)) == (400, told)
    assert late.status == 410
    for shown in (page, late, await browser.confirm(late, response='{"id": "AA"}')):
        assert 'id="signals"' not in shown.html


async def test_a_ceremony_of_one_code_registers_nothing_for_another(people: People) -> None:
    """Codes cannot be mixed."""
    browser, other = people.browser(), await invited(people, STAFF["admin"])
    page = await browser.open(f"/enrol/{await invited(people)}")
    shown = await browser.confirm(page, code=other)

    assert shown.status == 401
    assert NAME not in browser.cookies


async def test_a_citizen_enrols_from_a_slip_and_signs_in_again(people: People) -> None:
    """In Welsh, and without being asked for a name."""
    browser = await people.citizen(await people.person(), "cy")
    browser.cookies.pop(NAME)

    assert (await browser.sign_in()).path == "/citizen"


async def test_another_slip_leads_to_the_keys(people: People) -> None:
    """Whoever comes back with a new key is told at once to remove one that was lost."""
    api = people.served.api
    person = await api.person_with_status()
    await people.citizen(person)
    code = (await api.ok("POST", f"/api/v1/people/{person}/enrolments", "officer"))["code"]
    people.served.clock.advance(TERMS[Kind.RE_PROOFING].delay)
    page = await people.browser().enrol(code)
    assert "If you lost a key, remove it here now" in page.text
    assert len({link for link in page.links if link.startswith("/account/keys/") and link != "/account/keys/new"}) == 2


async def test_the_code_of_a_link_goes_nowhere_else(people: People) -> None:
    """The switch of languages leads back to the form for codes, and what a page loads is not told its address."""
    code = await invited(people)
    browser = people.browser()
    pages = [await browser.open(f"/enrol/{code}"), await browser.open("/enrol/0000-0000-0000-0000-0000")]

    for page in pages:
        assert '?back=/enrol"' in page.html
        assert page.headers["Referrer-Policy"] == "strict-origin"
