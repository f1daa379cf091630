"""The page of authenticators: what is in force, what a change would refuse, and the change by two administrators."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from idverify.auth.key_policy import KEY_POLICIES
from idverify.core.policy import Role
from idverify.core.suspension import Suspension
from idverify.errors import KeyNotAllowed
from idverify.services import authenticators, suspension
from idverify.services.invite import Invited
from idverify.stores import queries
from idverify.web.pages.explanation import of_error
from idverify.web.pages.page import ANOTHER_KEY
from tests.simulators import makers
from tests.simulators.attested_key import OTHER_MODEL, AttestedKey, list_of
from tests.simulators.authenticator import AAGUID
from tests.simulators.plain_browser import PlainBrowser
from tests.simulators.software_office import premises
from tests.unit.web.pages.conftest import People
from tests.vectors.make_attestation_vectors import blob

PATH = "/admin/authenticators"
PROPOSAL = re.compile(r"/admin/proposals/[0-9a-f]{32}")
ROOT_PEM = makers.in_pem(makers.ROOT.certificate).decode()
ODD_PEM = makers.in_pem(makers.of_version(makers.ROOT.certificate, 5)).decode()


@dataclass
class Desk:
    """Two administrators at their browsers, each with a key of each model."""

    people: People
    ada: PlainBrowser
    abel: PlainBrowser


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A strict office whose list has both models."""
    async with premises(tmp_path) as made:
        made.clock.advance(makers.AT_TIME - made.clock.now())
        ours = replace(made, key_policies=KEY_POLICIES, metadata_roots=(makers.ROOT.certificate,))
        async with ours.open() as served:
            office = served.office
            listed = list_of(AAGUID, OTHER_MODEL)
            await authenticators.set_by_operator(office.store, office.clock, office.entropy, listed)
            people = People(served)
            yield Desk(people, await _admin(people, "Ada Admin"), await _admin(people, "Abel Admin"))


async def _admin(people: People, name: str) -> PlainBrowser:
    browser, first, second = people.browser(), AttestedKey(), AttestedKey(OTHER_MODEL)
    browser.key = first  # type: ignore[assignment]
    await browser.enrol(await people.served.api.deployment.invite(Invited(Role.ADMIN, name)))
    asked = await browser.fill(await browser.open(ANOTHER_KEY), ANOTHER_KEY, key_name="Spare key")
    added = await browser.confirm(await browser.confirm(asked), second)  # type: ignore[arg-type]
    assert "The key is registered." in added.text
    return browser


async def test_two_administrators_change_the_list(desk: Desk) -> None:
    """Both see whom it stops before they confirm it; then the page shows the new version and the stopped keys."""
    page = await desk.ada.open(PATH)
    for said in ("Version of the list 1", "Model 0102", f"Model {OTHER_MODEL.hex()[:4]}", "None are loaded."):
        assert said in page.text
    removal = [form for form in page.forms if form.action == f"{PATH}/removal"][1]
    tried = await desk.ada.send(removal.action, removal.fields)
    assert tried.text.count("This model of security key is not on the list for your role.") == 2
    asked = await desk.ada.fill(tried, f"{PATH}/proposal")
    assert "Do you confirm that staff may use these security keys and no others?" in asked.text
    path = PROPOSAL.search((await desk.ada.confirm(asked)).html)
    assert path is not None

    read = await desk.abel.open(path[0])
    assert read.text.count("This model of security key is not on the list for your role.") == 2
    await desk.abel.confirm(await desk.abel.fill(read, path[0]))

    page = await desk.abel.open(PATH)
    for said in ("Version of the list 2", "Decided by Ada Admin", "Approved by Abel Admin", "Suspended keys"):
        assert said in page.text
    assert page.text.count("Spare key") >= 2


async def test_a_document_that_was_swapped(desk: Desk) -> None:
    """What was signed was another list."""
    page = await desk.ada.open(PATH)
    removal = [form for form in page.forms if form.action == f"{PATH}/removal"][1]
    asked = await desk.ada.fill(await desk.ada.send(removal.action, removal.fields), f"{PATH}/proposal")

    refused = await desk.ada.confirm(asked, document=list_of(AAGUID, b"\x07" * 16).document().decode())

    assert refused.status == 409
    assert not PROPOSAL.search((await desk.ada.open("/admin/proposals")).html)


async def test_a_certification_that_nothing_tells_of(desk: Desk) -> None:
    """Whoever asks for one without metadata reads that no key would be taken; with them nothing is said."""
    page, wanted = (
        await desk.ada.open(PATH),
        list_of(AAGUID, OTHER_MODEL, least="FIDO_CERTIFIED_L1").document().decode(),
    )
    warning = "no metadata are loaded that tell of one: it would take no key."
    assert warning in (await desk.ada.fill(page, f"{PATH}/trial", document=wanted)).text
    await desk.ada.fill(page, f"{PATH}/metadata", metadata=blob().encode())
    assert warning not in (await desk.ada.fill(page, f"{PATH}/trial", document=wanted)).text


def test_where_there_is_no_list_another_key_is_no_help() -> None:
    """The next step is the operator's."""
    no_list, no_model = (of_error(KeyNotAllowed(rule, "A sentence.")).next_step for rule in ("no-list", "aaguid"))
    assert "Whoever runs this service sets the list" in no_list
    assert "Use another security key" in no_model


async def test_a_model_that_nothing_vouches_for(desk: Desk) -> None:
    """It is named, whether the list leaves its root to the metadata or names one that nobody has."""
    page, model = await desk.ada.open(PATH), "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
    tried = await desk.ada.fill(page, f"{PATH}/addition", model=model, name="Green key")
    assert "so none would be taken: Green key." in tried.text
    listed = list_of(AAGUID, OTHER_MODEL)
    rootless = replace(listed, anchors=()).document().decode()
    tried = await desk.ada.fill(page, f"{PATH}/trial", document=rootless)
    assert f"so none would be taken: {', '.join(one.name for one in listed.entries)}." in tried.text
    assert (
        "so none would be taken"
        not in (await desk.ada.fill(page, f"{PATH}/trial", document=listed.document().decode())).text
    )


async def test_a_name_that_nobody_knows_is_asked_for(desk: Desk) -> None:
    """At the field for the name, which was left out."""
    page = await desk.ada.open(PATH)
    refused = await desk.ada.fill(page, f"{PATH}/addition", model="aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
    assert 'href="#name">The metadata have no name for this model.' in refused.html


async def test_a_removal_of_nothing(desk: Desk) -> None:
    """A form without its model is no form of ours; a model that is on no list is not there."""
    page = await desk.ada.open(PATH)
    fields = {"csrf": next(form for form in page.forms if form.action == f"{PATH}/removal").fields["csrf"]}
    assert (await desk.ada.send(f"{PATH}/removal", fields)).status == 400
    model = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
    assert (await desk.ada.send(f"{PATH}/removal", fields | {"model": model})).status == 404


async def test_a_model_is_added(desk: Desk) -> None:
    """By its AAGUID and its maker's root, or by what the metadata know of it."""
    model = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
    page = await desk.ada.open(PATH)
    tried = await desk.ada.fill(page, f"{PATH}/addition", model=model, name="Green key", root=ROOT_PEM)
    assert f"Green key: {model}" in tried.text
    assert "Registered keys that it refuses None." in tried.text

    loaded = await desk.ada.fill(page, f"{PATH}/metadata", metadata=blob().encode())
    assert "The metadata are loaded." in loaded.text
    assert "Number 7" in loaded.text
    known = await desk.ada.fill(page, f"{PATH}/addition", model="01020304-0506-0708-0102-030405060708")
    assert "Maker's key: 01020304-0506-0708-0102-030405060708" in known.text
    assert "The roots that FIDO's metadata name" in known.text


@pytest.mark.parametrize(
    ("action", "typed", "sentence"),
    [
        ("addition", {}, "Enter the model's AAGUID"),
        ("addition", {"model": "x"}, "A model must be an AAGUID"),
        ("addition", {"model": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"}, "The metadata have no name for this model."),
        (
            "addition",
            {"model": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "name": "x", "root": "x"},
            "Paste the maker's root certificate as PEM",
        ),
        ("addition", {"model": "1" * 40, "name": "x", "root": ODD_PEM}, "Paste the maker's root certificate as PEM"),
        ("trial", {}, "Paste the list as JSON"),
        ("trial", {"document": "{}"}, "must have the members anchors, entries and metadata"),
        ("trial", {"document": '{"a": 1, "a": 2}'}, "must be one JSON object, without a name twice"),
        ("metadata", {"metadata": b""}, "Choose the file with the metadata"),
        ("metadata", {"metadata": b"a.b.c"}, "A BLOB must be metadata of FIDO"),
    ],
)
async def test_a_form_that_is_wrong_says_what(
    desk: Desk, action: str, typed: dict[str, str | bytes], sentence: str
) -> None:
    """Nothing is proposed, nothing is loaded, and nothing is a fault of ours."""
    page = await desk.ada.open(PATH)
    refused = await desk.ada.fill(page, f"{PATH}/{action}", **typed)
    assert refused.status == 400
    assert sentence in refused.text


async def test_a_suspended_key_is_proposed_to_be_put_back(desk: Desk) -> None:
    """From the page, with the reason that it was suspended for in what is signed."""
    office = desk.people.served.office
    key = next(row for row in await office.store.fetch(queries.STAFF_KEYS, {}) if row["name"] == "Spare key")
    await suspension.suspend(office, key, Suspension.CLONE)
    page = await desk.ada.open(PATH)
    form = next(form for form in page.forms if form.action.startswith(f"{PATH}/suspended/"))

    asked = await desk.ada.send(form.action, form.fields)

    assert "there may be a copy of it" in asked.text
    path = PROPOSAL.search((await desk.ada.confirm(asked)).html)
    assert path is not None
    done = await desk.abel.confirm(await desk.abel.fill(await desk.abel.open(path[0]), path[0]))
    assert "It was approved, and the security key was put back in use." in done.text
    assert await office.store.fetch(queries.SUSPENDED_KEYS, {}) == []
    again = await desk.abel.open(path[0])
    assert "It was approved, and the security key was put back in use." in again.text
    assert path[0] not in [form.action for form in again.forms]
