"""Coming back without a key, page by page: a printed code, a counter, a colleague; and what the owner is told."""

from __future__ import annotations

import re

import pytest

from idverify.auth.software_key import SoftwareKey
from idverify.services.invite import TERMS, Kind
from idverify.services.recovery_codes import SET_SIZE
from idverify.web.pages.words import Language, moment_in_words
from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.simulators.signed_in import STAFF
from tests.unit.web.pages.conftest import People
from tests.unit.web.pages.test_account import add_key, handles
from tests.unit.web.pages.test_officer_slips import CODE, handed_out

DELAY = TERMS[Kind.RE_PROOFING].delay
ASKED = "At a counter somebody asked for a code"


async def _citizen(people: People) -> tuple[str, PlainBrowser]:
    person = await people.served.api.person_with_status()
    return person, await people.citizen(person)


async def _printed(browser: PlainBrowser) -> Shown:
    """The page with a fresh set of codes."""
    return await browser.confirm(await browser.fill(await browser.open("/account/codes"), "/account/codes"))


async def test_a_sheet_brings_back_whoever_lost_their_only_key(people: People) -> None:
    """Printed, found again, typed on another computer; the lost key is removed on the page that comes next."""
    _, browser = await _citizen(people)
    sheet = await _printed(browser)
    codes = CODE.findall(sheet.text)
    elsewhere = people.browser()
    people.served.clock.advance(1)  # the new key is the newest then
    page = await elsewhere.fill(await elsewhere.open("/enrol"), "/enrol", code=codes[4].lower())
    back = await elsewhere.confirm(page)
    lost = handles(back)[0]
    await elsewhere.confirm(await elsewhere.fill(await elsewhere.open("/account/lost-key"), f"{lost}/removal"))

    assert len(set(codes)) == SET_SIZE
    assert "They are shown this once." in sheet.text
    assert sheet.headers["Cache-Control"] == "no-store"
    assert CODE.search((await elsewhere.open("/account/codes")).text) is None
    assert f"Unused codes: {SET_SIZE - 1}" in (await elsewhere.open("/account/codes")).text
    assert "If you lost a key, remove it here now" in back.text
    assert len(handles(await elsewhere.open("/account/keys"))) == 1
    assert (await browser.open("/citizen")).path.startswith("/sign-in")


@pytest.mark.parametrize("again", ["used", "replaced", "another's ceremony"])
async def test_codes_that_cannot_be_used(people: People, again: str) -> None:
    """Each says why, at the field, and leads to every other way back."""
    _, browser = await _citizen(people)
    code = CODE.findall((await _printed(browser)).text)[0]
    finder = people.browser()
    if again == "used":
        await people.browser().enrol(code)
    elif again == "replaced":
        await _printed(browser)
    else:
        other = CODE.findall((await _printed((await _citizen(people))[1])).text)[0]
        page = await finder.open(f"/enrol/{other}")
        mixed = await finder.confirm(page, code=code)
        assert mixed.status == 401
        assert "/help/lost-key" in mixed.links
        return
    page = await finder.open(f"/enrol/{code}")

    assert page.status == 409
    assert "This code was used, or replaced by a newer one." in page.text
    assert "/help/lost-key" in page.links


async def test_a_counter_code_says_from_when_it_works(people: People) -> None:
    """On the sheet in both languages, on the page that takes it, and in the letter; then it works."""
    person, _ = await _citizen(people)
    officer = await people.staff("second")
    sheet = await handed_out(officer, person, "enrolment")
    letter = await officer.open(f"/officer/people/{person}/letter")
    code, begins = CODE.findall(sheet.text)[0], people.served.clock.now() + DELAY
    early = await people.browser().open(f"/enrol/{code}")
    typed = await people.browser().fill(await people.browser().open("/enrol"), "/enrol", code=code)
    people.served.clock.advance(DELAY)
    back = await people.browser().enrol(code)

    for language in Language:
        assert moment_in_words(language, begins) in sheet.text
        assert moment_in_words(language, begins) in letter.text
    assert CODE.search(letter.text) is None
    assert "ANNA SPECIMEN" in letter.text
    for page in (early, typed):
        assert (page.status, page.heading) == (409, "This code does not work yet")
        assert moment_in_words(Language.EN, begins) in page.text
        assert "You need do nothing else until then." in page.text
    assert "If you lost a key, remove it here now" in back.text
    assert (await officer.open(f"/officer/people/{person}/letter")).path.startswith("/sign-in")  # a day went by


async def test_there_is_no_letter_without_a_code(people: People) -> None:
    """It leads back to the record."""
    person = await people.served.api.person_with_status()
    officer = await people.staff("second")

    assert (await officer.open(f"/officer/people/{person}/letter")).path == f"/officer/people/{person}"


async def test_what_the_officer_confirms_says_that_it_waits(people: People) -> None:
    """For somebody with an account, and not for a first key."""
    officer = await people.staff("second")
    person, _ = await _citizen(people)
    newcomer = await people.served.api.person_with_status()

    async def asked(whom: str) -> str:
        record = await officer.open(f"/officer/people/{whom}")
        return (await officer.fill(record, f"{record.path}/enrolment")).text

    assert "It works from tomorrow" in await asked(person)
    assert "It works at once" in await asked(newcomer)


async def test_the_owner_cancels_what_an_impostor_asked_for(people: People) -> None:
    """With one button, on the desk; the record says so, and the impostor's code opens nothing the day after."""
    person, browser = await _citizen(people)
    officer = await people.staff("second")
    code = CODE.findall((await handed_out(officer, person, "enrolment")).text)[0]
    desk = await browser.open("/citizen")
    cancellation = next(form.action for form in desk.forms if form.action.endswith("/cancellation"))
    done = await browser.fill(desk, cancellation)
    again = await browser.fill(desk, cancellation)
    record = await officer.open(f"/officer/people/{person}")
    people.served.clock.advance(DELAY)
    impostor = await people.browser().open(f"/enrol/{code}")

    assert ASKED in desk.text
    assert "The code is cancelled." in done.text
    assert ASKED not in (await people.browser().open("/sign-in")).text
    assert again.status == 404
    assert "Cancelled a code to register a security key" in record.text
    assert impostor.status == 409
    assert "The account's owner cancelled this code, so it opens nothing." in impostor.text


async def test_a_pending_code_stays_on_the_desk(people: People) -> None:
    """It has no button that puts it away; one that was written by hand does nothing."""
    person, browser = await _citizen(people)
    await handed_out(await people.staff("second"), person, "enrolment")
    desk = await browser.open("/citizen")
    cancellation = next(form for form in desk.forms if form.action.endswith("/cancellation"))
    refused = await browser.send(cancellation.action.replace("cancellation", "seen"), cancellation.fields)
    await browser.send("/account/notices/seen", cancellation.fields)

    assert not [form for form in desk.forms if form.action.endswith("/seen")]
    assert refused.status == 409
    assert ASKED in (await browser.open("/account/keys")).text


@pytest.mark.parametrize(("who", "desk"), [("officer", "/officer"), ("admin", "/admin"), ("partner", "/relying-party")])
async def test_every_desk_shows_what_happened(people: People, who: str, desk: str) -> None:
    """Not where it was done; elsewhere until it was seen, one by one or all at once."""
    browser, spare = await people.staff(who), SoftwareKey()
    await add_key(people, browser, spare)
    await add_key(people, browser, SoftwareKey(), "third")
    elsewhere = people.browser()
    elsewhere.key = spare
    shown = await elsewhere.sign_in()
    actions = [form.action for form in shown.forms if form.action.startswith("/account/notices/")]
    once = await elsewhere.fill(shown, actions[0])
    actions_then = [form.action for form in once.forms if form.action.startswith("/account/notices/")]
    await elsewhere.fill(shown, "/account/notices/seen")

    said = "A security key was added to your account."
    assert said not in (await browser.open(desk)).text
    assert (shown.path, shown.text.count(said)) == (
        desk,
        4,
    )  # each twice: in its line, and for whoever hears its button
    assert len(actions) == 3
    assert len(actions_then) == 1
    assert said not in (await elsewhere.open(desk)).text


async def test_one_key_and_no_codes_is_said_on_the_desk(people: People) -> None:
    """Until there is a second key or a sheet."""
    nudge = "You have one security key and no recovery codes."
    _, with_codes = await _citizen(people)
    _, with_two = await _citizen(people)
    before = [await one.open("/citizen") for one in (with_codes, with_two)]
    await _printed(with_codes)
    await add_key(people, with_two, SoftwareKey())

    assert all(nudge in page.text and "/account/codes" in page.links for page in before)
    for one in (with_codes, with_two):
        assert nudge not in (await one.open("/citizen")).text


async def test_the_only_key_goes_with_a_warning(people: People) -> None:
    """Not without codes, and the page says what to do; with them it says what that means."""
    _, browser = await _citizen(people)
    key = handles(await browser.open("/account/keys"))[0]
    before = await browser.open(key)
    refused = await browser.confirm(await browser.send(f"{key}/removal", before.form("/sign-out").fields))
    code = CODE.findall((await _printed(browser)).text)[0]
    warned = await browser.open(key)
    gone = await browser.confirm(await browser.fill(warned, f"{key}/removal"))
    back = await people.browser().enrol(code)

    assert "so it cannot be removed yet" in before.text
    assert {"/account/keys/new", "/account/codes"} <= set(before.links)
    assert refused.status == 409
    assert re.search(rf"only a printed recovery code \({SET_SIZE} unused\)", warned.text)
    assert gone.path.startswith("/sign-in")
    assert back.path == "/account/keys?done=first"


async def test_staff_have_no_codes(people: People) -> None:
    """Neither a page nor a word of it; their only key stays."""
    browser = await people.staff("officer")
    keys = await browser.open("/account/keys")

    assert (await browser.open("/account/codes")).status == 403
    assert "/account/codes" not in keys.links
    assert "/account/codes" not in (await browser.open(handles(keys)[0])).links


@pytest.mark.parametrize("language", Language)
async def test_every_way_back_is_on_a_page_for_everybody(people: People, language: Language) -> None:
    """Without an account, led to from wherever somebody may be stuck."""
    browser = people.browser(language)
    help_page = await browser.open("/help/lost-key")
    stuck = [await browser.open(path) for path in ("/", "/sign-in", "/enrol", "/enrol/0000-0000-0000-0000-0000", "/no")]
    form = (await browser.open("/sign-in")).form("/sign-in").fields
    failed = await browser.send("/sign-in", {**form, "browser_error": "NotAllowedError"})

    assert help_page.status == 200
    assert {"/sign-in?next=/account/lost-key", "/enrol"} <= set(help_page.links)
    for page in (*stuck, failed):
        assert "/help/lost-key" in page.links, page.path
    assert "24" in help_page.text


async def test_a_colleague_makes_a_link(people: People) -> None:
    """For the account that there is, shown once; it adds a key there, and its owner reads that it was made."""
    partner = await people.staff("partner")
    alone = await partner.open("/relying-party/people")
    colleague = people.browser()
    await colleague.enrol(await people.served.api.deployment.invite(STAFF["partner"]))
    listed = await partner.open("/relying-party/people")
    (form,) = [form.action for form in listed.forms if form.action.endswith("/link")]
    page = await partner.confirm(await partner.fill(listed, form))
    code = page.text.rpartition("/enrol/")[2].split()[0]
    told = await colleague.open("/relying-party")
    back = await people.browser().enrol(code)

    assert "Nobody else of your organisation has an account here." in alone.text
    assert "Somebody made a one-time code to add a security key to your account." in told.text
    assert len(handles(back)) == 2
    assert (await people.browser().open(f"/enrol/{code}")).status == 409
