"""API keys on pages: made once confirmed, shown once, revoked by whoever keeps them."""

from __future__ import annotations

import re

from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.unit.web.pages.conftest import People

TOKEN = re.compile(r"idv_[a-z2-7]{16}_[a-z2-7]{32}")
ADMIN, PARTNER = "/admin/keys", "/relying-party/keys"


async def test_an_organisation_makes_a_key_for_itself_and_its_purpose(people: People) -> None:
    """The key works, is shown once, and the program that has it learns what the organisation's purpose allows."""
    bank = await people.staff("partner")
    made = await bank.confirm(await bank.fill(await bank.open(PARTNER), PARTNER))
    assert "Example Bank plc" in made.text
    assert "Right to work" in made.text
    token = _token(made)
    assert await _status_with(people, token) == 200
    listed = await bank.open(PARTNER)
    assert token not in listed.html
    assert token.split("_")[1] in listed.text


async def test_nobody_is_given_a_key_for_another_by_asking(people: People) -> None:
    """An organisation's form has no fields; whatever is sent with it is refused."""
    bank = await people.staff("partner")
    page = await bank.open(PARTNER)
    refused = await bank.send(PARTNER, {**page.form(PARTNER).fields, "actor": "Another plc", "purpose": "chosen"})
    assert refused.status == 400
    assert TOKEN.search(refused.html) is None


async def test_an_admin_makes_a_key_for_an_organisation(people: People) -> None:
    """What the admin is asked to confirm names the organisation and the purpose."""
    ada = await people.staff("admin")
    asked = await ada.fill(await ada.open(ADMIN), ADMIN, actor="Example Homes Ltd", purpose="rent")
    assert "Example Homes Ltd" in asked.text
    assert "Right to rent" in asked.text
    assert await _status_with(people, _token(await ada.confirm(asked))) == 200


async def test_a_swapped_purpose_is_refused(people: People) -> None:
    """The signature was for rent; the form that comes back says something else."""
    ada = await people.staff("admin")
    asked = await ada.fill(await ada.open(ADMIN), ADMIN, actor="Example Homes Ltd", purpose="rent")
    refused = await ada.confirm(asked, purpose="chosen")
    assert refused.status == 409
    assert TOKEN.search(refused.html) is None


async def test_a_form_that_is_wrong_says_what(people: People) -> None:
    """Each field has its sentence, and nothing is confirmed."""
    ada = await people.staff("admin")
    page = await ada.fill(await ada.open(ADMIN), ADMIN, actor="")
    assert (page.status, page.ceremony) == (400, None)
    assert "Give the organisation's name" in page.text
    assert "Choose what they check for" in page.text
    nameless = await ada.fill(page, ADMIN, actor="\u200b", purpose="rent")
    assert (nameless.status, nameless.ceremony) == (400, None)


async def test_a_revoked_key_opens_nothing(people: People) -> None:
    """Revoking is confirmed too, and a key in use stops working at once."""
    bank = await people.staff("partner")
    token = _token(await bank.confirm(await bank.fill(await bank.open(PARTNER), PARTNER)))
    assert await _status_with(people, token) == 200
    page = await _revoked(bank, PARTNER, token)
    assert "The API key is revoked." in page.text
    assert await _status_with(people, token) == 401
    assert f"{PARTNER}/{token.split('_')[1]}/revocation" not in [form.action for form in page.forms]


async def test_an_organisation_cannot_revoke_anothers_key(people: People) -> None:
    """A key that is not its own is a key that it does not know."""
    ada, bank = await people.staff("admin"), await people.staff("partner")
    asked = await ada.fill(await ada.open(ADMIN), ADMIN, actor="Example Homes Ltd", purpose="rent")
    key_id = _token(await ada.confirm(asked)).split("_")[1]
    fields = (await bank.open(PARTNER)).form(PARTNER).fields
    refused = await bank.send(f"{PARTNER}/{key_id}/revocation", fields)
    assert (refused.status, refused.ceremony) == (404, None)


def _token(page: Shown) -> str:
    found = TOKEN.search(page.html)
    assert found is not None, page.text
    return found[0]


async def _revoked(browser: PlainBrowser, path: str, token: str) -> Shown:
    action = f"{path}/{token.split('_')[1]}/revocation"
    return await browser.confirm(await browser.fill(await browser.open(path), action))


async def _status_with(people: People, token: str) -> int:
    """What a program with this key is answered when it has nonsense checked."""
    headers = {"Authorization": f"Bearer {token}"}
    status, _, _ = await people.served.api.send("POST", "/api/v1/verify", {"document": "nonsense"}, headers)
    return status
