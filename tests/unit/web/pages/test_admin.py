"""Administration: who is enrolled, and one-time links."""

from __future__ import annotations

import re

import pytest

from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.stores import queries
from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.unit.web.pages.conftest import People

FORM = "/admin/enrolment"
ERASURE = re.compile(r"/admin/erasures/[0-9a-f]{32}")
PROPOSAL = re.compile(r"/admin/proposals/[0-9a-f]{32}")
FIRST_PART = re.compile(r'id="part">([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})<')
SECOND_PART = re.compile(r'id="part">([0-9A-Z]{4}(?:-[0-9A-Z]{4}){2})<')
LINK = re.compile(r"/enrol/([0-9A-Z]{4}(?:-[0-9A-Z]{4}){4})")


async def test_an_officer_enrols_with_the_code_of_two_admins(people: People) -> None:
    """Each hands over a part of a code; both open the registration once, and whoever used it is on the list."""
    ada, olive = await people.staff("admin"), people.browser()
    agnes = people.browser()
    await agnes.enrol(await people.served.api.deployment.invite(Invited(Role.ADMIN, "Agnes Admin")))
    proposed = await _link(ada, role="officer", name="Otto Officer")
    assert "Another administrator must approve it by" in proposed.text
    first = FIRST_PART.search(proposed.html)
    waiting = await ada.open("/admin/proposals")
    assert first is not None
    assert first[1] not in waiting.html
    path = PROPOSAL.search(waiting.html)
    assert path is not None
    assert "You proposed this, so you cannot approve it" in (await ada.open(path[0])).text
    read = await agnes.open(path[0])
    for said in ("Proposed by Ada Admin", "Role Officer", "Name Otto Officer"):
        assert said in read.text
    assert first[1] not in read.html
    second = SECOND_PART.search((await agnes.confirm(await agnes.fill(read, path[0]))).html)
    assert second is not None
    for alone in (first[1], second[1]):
        assert (await people.browser().open(f"/enrol/{alone}")).status in (400, 404)
    code = f"{first[1]}-{second[1]}"
    desk = await olive.enrol(code)
    assert desk.heading == "Officer's desk"
    assert "Otto Officer" in (await ada.open("/admin")).text
    assert (await people.browser().open(f"/enrol/{code}")).status == 409
    told = (await ada.open("/admin")).text
    assert "Otto Officer registered a security key with a code that you proposed." in told
    assert "If it was not you" not in told  # nothing happened to her own account


async def test_spaces_more_than_one_are_tidied(people: People) -> None:
    """What is proposed is the name as it will stand; an organisation's has one space between words, too."""
    ada = await people.staff("admin")
    assert "Officer: Otto Officer" in (await _link(ada, role="officer", name=" Otto  Officer ")).text
    assert "Example Homes" in (await _link(ada, role="relying-party", name="Example  Homes", purpose="rent")).text


WAY_BACK = re.compile(r'(\w+ \w+)</th>(?:(?!</tr>).)*?action="(/admin/accounts/[0-9a-f]{32}/way-back)"', re.DOTALL)


async def _way_back(admin: PlainBrowser, name: str) -> Shown:
    """Proposed by an admin, for somebody who lost every key."""
    desk = await admin.open("/admin")
    return await admin.confirm(await admin.fill(desk, dict(WAY_BACK.findall(desk.html))[name]))


async def test_staff_come_back_with_the_code_of_two_admins(people: People) -> None:
    """Whoever approves it reads that a code follows; whoever uses it reads that their other keys go."""
    ada, agnes = await people.staff("admin"), people.browser()
    await people.staff("officer")
    await agnes.enrol(await people.served.api.deployment.invite(Invited(Role.ADMIN, "Agnes Admin")))
    proposed = await _way_back(ada, "Olive Officer")
    first = FIRST_PART.search(proposed.html)
    path = PROPOSAL.search((await ada.open("/admin/proposals")).html)
    assert first is not None
    assert path is not None
    assert "Nobody is left who can approve this" not in proposed.text
    read = await agnes.open(path[0])
    assert "If you approve it, you are shown the second part of a code." in read.text
    second = SECOND_PART.search((await agnes.confirm(await agnes.fill(read, path[0]))).html)
    assert second is not None
    assert "the code was made. Its two parts work together" in (await agnes.open(path[0])).text
    olive = people.browser()
    page = await olive.open(f"/enrol/{first[1]}-{second[1]}")
    assert "Your other keys are removed with this" in page.text
    assert (await olive.confirm(page)).heading == "Officer's desk"


async def test_one_of_two_admins_lost_every_key(people: People) -> None:
    """The other one reads that nobody can approve it, and what leads on; with a third one it is as for everybody."""
    ada = await people.staff("admin")
    for name in ("Agnes Admin", "Alba Admin"):
        await people.browser().enrol(await people.served.api.deployment.invite(Invited(Role.ADMIN, name)))
        said = "Nobody is left who can approve this" in (await _way_back(ada, "Agnes Admin")).text
        assert said is (name == "Agnes Admin")


async def _admin(people: People, name: str) -> PlainBrowser:
    browser = people.browser()
    await browser.enrol(await people.served.api.deployment.invite(Invited(Role.ADMIN, name)))
    return browser


async def _to_be_erased(people: People) -> str:
    """Somebody on record whose erasure is proposed: their handle, as hex."""
    person = await people.person()
    asked = {"reason": "asked-for", "legal_basis": "Retention schedule, part 2"}
    await people.served.api.ok("POST", f"/api/v1/people/{person}/erasure", "admin", asked)
    return person


async def test_what_waits_is_all_that_waits(people: People) -> None:
    """Acts, new logs and erasures, in one list that the desk counts; an erasure is read and approved there."""
    alba, agnes, api = await _admin(people, "Alba Admin"), await _admin(people, "Agnes Admin"), people.served.api
    person = await _to_be_erased(people)
    await _link(alba, role="officer", name="Otto Officer")
    await people.served.office.log_book.publish()
    await alba.confirm(await alba.fill(await alba.open("/admin"), "/admin/ledger"))
    assert "</a>: 3</li>" in (await agnes.open("/admin")).html
    listed = await agnes.open("/admin/proposals")
    for title in ("Erasure of a person", "New log of the ledger", "Code for an officer or an administrator"):
        assert title in listed.text
    path = ERASURE.search(listed.html)
    assert path is not None
    read = await agnes.open(path[0])
    for said in ("Proposed by Ada Admin", person, "Retention schedule, part 2", "Nothing and nobody brings it back."):
        assert said in read.text
    done = await agnes.confirm(await agnes.fill(read, path[0]))
    assert "Everything that was held on the person is erased." in done.text
    assert "</a>: 2</li>" in done.html
    assert (await agnes.open(path[0])).status == 404
    assert (await api.call("GET", f"/api/v1/people/{person}", "officer"))[0] == 404


async def test_whoever_is_to_be_erased_sees_who_read_of_it(people: People) -> None:
    """Reading the proposal is a look at their record; no officer reads it."""
    agnes, otto, api = await _admin(people, "Agnes Admin"), people.browser(), people.served.api
    await otto.enrol(await people.invite_officer("Otto Officer"))
    person = await _to_be_erased(people)
    path = ERASURE.search((await agnes.open("/admin/proposals")).html)
    assert path is not None
    assert (await otto.open(path[0])).status == 403
    await agnes.open(path[0])
    looks = (await api.ok("GET", f"/api/v1/people/{person}", "officer"))["looks"]
    assert [look["actor"] for look in looks].count("Agnes Admin") == 1


async def test_every_page_says_who_is_signed_in(people: People) -> None:
    """By name, also where something is confirmed; a citizen's name is not in a frame."""
    ada = await people.staff("admin")
    desk = await ada.open("/admin")
    assert '<li class="idv-header__who">Ada Admin</li>' in desk.html
    asked = await ada.fill(await ada.open(FORM), FORM, role="officer", name="Otto Officer")
    assert "You confirm this as Ada Admin." in asked.text
    anna = await people.citizen(await people.served.api.person_with_status())
    assert '<li class="idv-header__who">You are signed in</li>' in (await anna.open("/citizen")).html
    assert "idv-header__who" not in (await people.browser().open("/")).html


async def test_a_link_is_shown_once(people: People) -> None:
    """No page that is opened later has it."""
    ada = await people.staff("admin")
    asked = {"role": "relying-party", "name": "Example Homes Ltd", "purpose": "rent"}
    found = LINK.search((await _link(ada, **asked)).text)
    assert found is not None
    for path in ("/admin", FORM):
        assert found[1] not in (await ada.open(path)).html


async def test_an_organisation_has_the_purpose_that_was_confirmed(people: People) -> None:
    """Name and purpose are in what the admin signs, and on the desk of whoever registers."""
    ada, homes = await people.staff("admin"), people.browser()
    asked = await ada.fill(await ada.open(FORM), FORM, role="relying-party", name="Example Homes Ltd", purpose="rent")
    assert "Example Homes Ltd" in asked.text
    found = LINK.search((await ada.confirm(asked)).text)
    assert found is not None
    assert "You check for: Right to rent." in (await homes.enrol(found[1])).text


async def test_a_swapped_role_is_refused(people: People) -> None:
    """The signature was for an officer; nobody becomes an admin by it."""
    ada = await people.staff("admin")
    asked = await ada.fill(await ada.open(FORM), FORM, role="officer", name="Otto Officer")
    refused = await ada.confirm(asked, role="admin")
    assert (refused.status, LINK.search(refused.text)) == (409, None)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({}, "Choose what they do here"),
        ({"role": "citizen"}, "Choose one of the answers"),
        ({"role": "officer"}, "Give the name"),
        ({"role": "officer", "purpose": "work"}, "Choose a purpose for a checking organisation"),
        ({"role": "relying-party"}, "Choose a purpose for a checking organisation"),
        ({"role": "officer", "name": "x" * 101}, "Use a name of at most 100 characters"),
        ({"role": "officer", "name": "a\u202eb"}, "A name must be 1 to 100 printable characters."),
        ({"role": "officer", "name": "ada  ADMIN"}, "Somebody with this name is enrolled already."),
    ],
)
async def test_a_form_that_is_wrong_says_what(people: People, typed: dict[str, str], sentence: str) -> None:
    """Nothing is asked to be confirmed before the form is right."""
    ada = await people.staff("admin")
    page = await ada.fill(await ada.open(FORM), FORM, **typed)
    assert (page.status, page.ceremony) == (400, None)
    assert sentence in page.text


async def _link(admin: PlainBrowser, **typed: str) -> Shown:
    return await admin.confirm(await admin.fill(await admin.open(FORM), FORM, **typed))


async def test_an_account_ends_at_once(people: People) -> None:
    """Whoever left is signed out everywhere and cannot come back with their key; the list says since when."""
    ada, olive = await people.staff("admin"), await people.staff("officer")
    desk = await ada.open("/admin")
    path = re.search(r'Olive Officer.*?action="(/admin/accounts/[0-9a-f]{32}/end)"', desk.html, re.DOTALL)
    assert path is not None
    ended = await ada.confirm(await ada.fill(desk, path[1]))
    assert "The account has ended" in ended.text
    assert path[1] not in ended.html
    assert (await olive.open("/officer")).heading == "Sign in with your security key"
    assert (await olive.sign_in()).status == 401


async def test_nobody_ends_their_own_account(people: People) -> None:
    """An office keeps an admin."""
    ada = await people.staff("admin")
    desk = await ada.open("/admin")
    own = (await people.served.office.store.fetch_one(queries.ACCOUNT_NAMED, {"name_as_read": "ada admin"}))["id"]
    handle = (await people.served.office.store.fetch_one(queries.ACCOUNT, {"id": own}))["handle"].hex()
    assert handle not in desk.html
    csrf = desk.form("/sign-out").fields
    assert (await ada.send(f"/admin/accounts/{handle}/end", csrf)).status == 403
