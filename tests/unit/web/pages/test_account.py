"""One's own security keys."""

from __future__ import annotations

import datetime as dt

import pytest

from idverify.auth.software_key import SoftwareKey
from idverify.web.session_cookie import NAME
from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.unit.web.pages.conftest import People

KEYS = "/account/keys"


async def add_key(people: People, browser: PlainBrowser, key: SoftwareKey, name: str = "spare") -> Shown:
    """The way of adding a key: its name, the confirmation with the old one, the new one. It is the newest then."""
    people.served.clock.advance(1)
    asked = await browser.fill(await browser.open(f"{KEYS}/new"), f"{KEYS}/new", key_name=name)
    return await browser.confirm(await browser.confirm(asked), key)


def handles(page: Shown) -> list[str]:
    """The keys on the list, by the paths of their own pages."""
    return [link for link in page.links if link.startswith(f"{KEYS}/") and not link.endswith("/new")]


async def test_another_key_is_added_once_the_first_confirmed_it(people: People) -> None:
    """Both open the account from then on."""
    browser, spare = await people.staff("officer"), SoftwareKey()
    asked = await browser.fill(await browser.open(f"{KEYS}/new"), f"{KEYS}/new", key_name="spare")
    registering = await browser.confirm(asked)
    done = await browser.confirm(registering, spare)
    browser.cookies.clear()
    browser.key = spare

    assert asked.heading == "Do you confirm that you want to add another security key?"
    assert registering.heading == "Register the new key"
    assert (done.path, len(handles(done))) == (f"{KEYS}?done=added", 2)
    assert (await browser.sign_in()).path == "/officer"


async def test_the_same_key_is_not_added_twice(people: People) -> None:
    """The authenticator refuses by itself, and the page says what that means."""
    browser = await people.staff("officer")
    asked = await browser.fill(await browser.open(f"{KEYS}/new"), f"{KEYS}/new", key_name="again")
    registering = await browser.confirm(asked)
    form = registering.form(KEYS).fields
    shown = await browser.send(KEYS, {**form, "browser_error": "InvalidStateError"})

    assert "This security key is registered already" in shown.text
    assert shown.heading == "Add another key"


@pytest.mark.parametrize("name", ["", "x" * 61])
async def test_a_key_needs_a_name(people: People, name: str) -> None:
    """Adding and renaming say so at the field."""
    browser = await people.staff("officer")
    key = handles(await browser.open(KEYS))[0]
    adding = await browser.fill(await browser.open(f"{KEYS}/new"), f"{KEYS}/new", key_name=name)
    renaming = await browser.fill(await browser.open(key), f"{key}/name", key_name=name)

    assert (adding.status, renaming.status) == (400, 400)
    assert 'href="#key_name"' in adding.html
    assert 'href="#key_name"' in renaming.html


async def test_a_key_is_renamed(people: People) -> None:
    """What somebody calls it is text, whatever it looks like."""
    browser = await people.staff("officer")
    key = handles(await browser.open(KEYS))[0]
    done = await browser.fill(await browser.open(key), f"{key}/name", key_name="<b>blue</b>")

    assert "The key has its new name." in done.text
    assert "<b>blue</b>" in done.text
    assert "<b>blue</b>" not in done.html


async def test_a_key_is_removed_once_another_confirmed_it(people: People) -> None:
    """The lost key opens nothing any more; the confirmation names it."""
    browser, lost = await people.staff("officer"), SoftwareKey()
    removed = handles(await add_key(people, browser, lost))[1]
    asked = await browser.fill(await browser.open(removed), f"{removed}/removal")
    done = await browser.confirm(asked)
    finder = people.browser()
    finder.key = lost

    assert asked.heading == "Do you confirm that this security key opens nothing here any more?"
    assert removed.rpartition("/")[2] in asked.text
    assert len(handles(done)) == 1
    assert (await finder.sign_in()).status == 401


async def test_a_confirmation_is_good_for_its_own_act_alone(people: People) -> None:
    """A form sent elsewhere with the same answer does nothing, and nothing is removed."""
    browser = await people.staff("officer")
    spare, third = SoftwareKey(), SoftwareKey()
    await add_key(people, browser, spare)
    first, second, last = handles(await add_key(people, browser, third))
    asked = await browser.fill(await browser.open(second), f"{second}/removal")
    fields = {**asked.form(f"{second}/removal").fields, **browser.answered(asked)}
    swapped = await browser.send(f"{last}/removal", fields)

    assert swapped.status == 409
    assert "Nothing was done" in swapped.text
    assert handles(await browser.open(KEYS)) == [first, second, last]


async def test_the_only_key_stays(people: People) -> None:
    """Nobody locks themselves out."""
    browser = await people.staff("officer")
    key = handles(await browser.open(KEYS))[0]
    page = await browser.open(key)
    refused = await browser.confirm(await browser.send(f"{key}/removal", page.form("/sign-out").fields))

    assert f"{key}/removal" not in {form.action for form in page.forms}
    assert (refused.status, refused.heading) == (409, "This is your only key, so it stays")
    assert "This is your only key. Add another one before you remove it." in refused.text
    assert "add another key first" in refused.text
    assert (await browser.open(KEYS)).status == 200


async def test_what_is_confirmed_names_the_key(people: People) -> None:
    """Its name and when it was registered; keys that would be called alike are told apart."""
    browser = await people.staff("officer")
    for _ in range(2):
        listed = await add_key(people, browser, SoftwareKey(), "My security key")
    last = handles(listed)[-1]
    asked = await browser.fill(await browser.open(last), f"{last}/removal")
    registered = dt.datetime.fromtimestamp(people.served.clock.now(), dt.UTC)

    assert asked.ceremony is not None
    assert "Security key My security key 3" in asked.text
    assert f"Registered on {registered.day} {registered:%B %Y}" in asked.text


async def test_who_removes_the_key_in_use_is_signed_out(people: People) -> None:
    """The page says so beforehand."""
    browser = await people.staff("officer")
    in_use = handles(await add_key(people, browser, SoftwareKey()))[0]
    page = await browser.open(in_use)
    left = await browser.confirm(await browser.fill(page, f"{in_use}/removal"))

    assert "so you will be signed out" in page.text
    assert left.path.startswith("/sign-in")
    assert NAME not in browser.cookies


async def test_nobody_reaches_another_persons_key(people: People) -> None:
    """Neither to see, nor to rename, nor to remove."""
    one, other = await people.staff("officer"), await people.staff("second")
    theirs = handles(await other.open(KEYS))[0]
    csrf = (await one.open(KEYS)).form("/sign-out").fields

    assert (await one.open(theirs)).status == 404
    assert (await one.send(f"{theirs}/name", {**csrf, "key_name": "mine"})).status == 404
    assert (await one.send(f"{theirs}/removal", csrf)).status == 404
