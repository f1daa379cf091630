"""Adding a credential type is one file and one line: then it is granted, issued, checked, filtered and shown."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from hsm import HsmModuleMissing
from hsm.softhsm import find_module
from idverify.core.policy import Role
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.formats.carriers import FORMATS
from idverify.services.invite import Invited
from tests.simulators.holder import collection
from tests.simulators.library_card import LIBRARY_CARD
from tests.simulators.plain_browser import PlainBrowser
from tests.simulators.service import DETAILS, PERMISSION, Api, Deployment, client, deploy, start, stop
from tests.simulators.soft_wallet import SoftWallet

pytestmark = pytest.mark.drivers_alike

CARD: dict[str, Any] = {
    "number": "123456",
    "reader": "adult",
    "first_day": "2026-01-01",
    "last_day": None,
    "may_reserve": True,
    "branches": ["Central", "Harbour"],
}
ISSUED = [name for name in LIBRARY_CARD.forms if name in FORMATS]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment that was made before the type was there, and a service that has it."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    deployment = asyncio.run(deploy(tmp_path_factory.mktemp("library") / "data"))
    process = start(deployment, ("-m", "tests.simulators.library"))
    try:
        yield deployment
    finally:
        stop(process)


@pytest.fixture
async def api(library: Deployment) -> AsyncIterator[Api]:
    """Callers of it."""
    async with client() as session:
        yield Api(session, library)


async def _person(api: Api) -> str:
    person = (await api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS}))["person"]
    given = {
        "kind": "grant",
        "reason": "application-granted",
        "legal_basis": "Library rules, part 1",
        "permissions": {IMMIGRATION_STATUS.id: PERMISSION, LIBRARY_CARD.id: CARD},
        "identity_assurance": {"checked_on": "2026-05-03", "confidence": "medium", "profile": "M1B"},
    }
    await api.ok("POST", f"/api/v1/people/{person}/decisions", "officer", given)
    return str(person)


async def _collected(api: Api, person: str, format_name: str) -> str:
    asked = {"type": LIBRARY_CARD.id, "format": format_name}
    offer = await api.ok("POST", f"/api/v1/people/{person}/offers", "officer", asked)
    body, key = collection(SoftWallet(), offer), secrets.token_hex(8)
    answer = await api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key=key)
    assert answer["format"] == format_name
    return str(answer["credential"])


@pytest.mark.softhsm
@pytest.mark.parametrize("format_name", ISSUED)
async def test_it_is_granted_issued_and_checked(api: Api, format_name: str) -> None:
    """In each format that it declares and the service writes; an employer sees the view of work and nothing else."""
    document = await _collected(api, await _person(api), format_name)
    seen = {}
    for who in ("second", "employer"):
        answer = await api.ok("POST", "/api/v1/verify", who, {"document": document})
        assert answer["verdict"] == "refer", answer  # nobody presented it
        assert [check["id"] for check in answer["checks"] if check["result"] == "fail"] == []
        claims = answer["claims"]
        seen[who] = claims.get("org.example.library.1", claims)

    assert seen["employer"] == {"family_name": "SPECIMEN", "reader": "adult"}
    assert (seen["second"]["number"], seen["second"]["branches"]) == ("123456", ["Central", "Harbour"])


@pytest.mark.softhsm
async def test_it_is_signed_by_its_own_key(api: Api) -> None:
    """The signer was made and certified by the ``up`` that came with the type."""
    document = await _collected(api, await _person(api), ISSUED[0])
    metrics = (await api.ok("GET", "/metrics", "monitor")).decode()

    assert 'idverify_certificate_seconds_left{role="document-signer/library-card"}' in metrics
    assert document


@pytest.mark.softhsm
async def test_what_does_not_fit_is_said_at_its_place(api: Api) -> None:
    """By the API, as for the types that ship."""
    person = (await api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS}))["person"]
    given = {
        "kind": "grant",
        "reason": "application-granted",
        "legal_basis": "Library rules, part 1",
        "permissions": {LIBRARY_CARD.id: CARD | {"number": "12"}},
    }
    status, problem = await api.call("POST", f"/api/v1/people/{person}/decisions", "officer", given)

    assert status == 400
    assert [error["at"] for error in problem["errors"]] == [f"/permissions/{LIBRARY_CARD.id}/number"]


@pytest.mark.softhsm
async def test_officers_have_its_form_and_its_holder_reads_it(api: Api) -> None:
    """The fields have the titles of the model; a change starts from what is in force; the desk says what is held."""
    person = await _person(api)
    officer = PlainBrowser(api.session, api.deployment.url)
    await officer.enrol(await api.deployment.invite(Invited(Role.OFFICER, "Lena Librarian")))
    path = f"/officer/people/{person}/decide/vary/library-card"
    page = await officer.open(path)
    for said in ("Library card", "Number of the card", "Kind of reader", "Adult", "May reserve", "Branches"):
        assert said in page.text
    typed = page.form(path).fields
    assert (typed["part_number"], typed["part_reader"], typed["part_first_day-year"]) == ("123456", "adult", "2026")

    why = {"reason": "extended", "legal_basis": "Library rules, part 2", "part_branches": "Central\nHill"}
    why["confidence"] = "medium"  # as it is chosen on the page already, which this browser does not see of a list
    wrong = await officer.fill(page, path, **{**why, "part_number": "12"})
    assert (wrong.status, "This does not fit here" in wrong.text) == (400, True)
    asked = await officer.fill(page, path, **why)
    assert "Central, Hill" in asked.text
    assert (await officer.confirm(asked)).heading == "It waits for a second officer"

    record = await officer.open(f"/officer/people/{person}")
    assert "Hand out: Library card. Websites and apps that check documents (SD-JWT)" in record.text
    citizen = PlainBrowser(api.session, api.deployment.url)
    code = (await api.ok("POST", f"/api/v1/people/{person}/enrolments", "officer"))["code"]
    await citizen.enrol(code)
    desk = await citizen.open("/citizen")
    for said in ("Library card", "It holds without an end date", "Number of the card", "Central, Harbour"):
        assert said in desk.text
