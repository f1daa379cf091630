"""The page of trusted issuers: what is in force, what a file would change, and the change by two administrators."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pytest

from idverify.core.policy import Role
from idverify.formats import x509
from idverify.services.invite import Invited
from idverify.services.trusted_issuers import Change, change_json, register
from tests.simulators import vical_world as vicals
from tests.simulators.foreign_issuer import NORTH, SOUTH, VCT
from tests.simulators.makers import in_pem
from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.unit.web.pages.conftest import People

PATH = "/admin/trusted-issuers"
PROPOSAL = re.compile(r"/admin/proposals/[0-9a-f]{32}")
TYPED = {
    "name": "Northland Authority",
    "country": "XA",
    "iss": NORTH.iss,
    "status_base": f"{NORTH.iss}/status",
    "types": f"dc+sd-jwt {VCT}",
    "origin": "Embassy's letter",
}


@dataclass
class Desk:
    """Two administrators at their browsers."""

    people: People
    ada: PlainBrowser
    abel: PlainBrowser

    async def agreed(self, tried: Shown) -> None:
        """What one proposes from the page of a change, and the other approves."""
        asked = await self.ada.fill(tried, f"{PATH}/proposal")
        assert "Do you confirm that these issuers are relied on" in asked.text
        path = PROPOSAL.search((await self.ada.confirm(asked)).html)
        assert path is not None
        read = await self.abel.open(path[0])
        assert "Compare each SHA-256 with the issuer first." in read.text
        done = await self.abel.confirm(await self.abel.fill(read, path[0]))
        assert "documents are checked by it" in done.text


@pytest.fixture
async def desk(people: People) -> Desk:
    """Ada and Abel."""
    ada, abel = await people.staff("admin"), people.browser()
    await abel.enrol(await people.served.api.deployment.invite(Invited(Role.ADMIN, "Abel Admin")))
    return Desk(people, ada, abel)


async def test_an_issuer_is_added_and_withdrawn(desk: Desk) -> None:
    """Both read the certificate's SHA-256 and its origin; afterwards the page says until when it was relied on."""
    page = await desk.ada.open(PATH)
    assert "This service itself." in page.text
    tried = await desk.ada.fill(page, f"{PATH}/addition", **TYPED, root=in_pem(NORTH.root()))
    for said in (x509.fingerprint(NORTH.root()).hex(), "Embassy's letter", VCT, NORTH.iss):
        assert said in tried.text
    await desk.agreed(tried)

    page = await desk.abel.open(PATH)
    assert "Northland Authority" in page.text
    assert "It is not relied on now." not in page.text
    tried = await desk.ada.fill(await desk.ada.open(PATH), f"{PATH}/withdrawal", what=NORTH.iss)
    assert "Not any more from" in tried.text
    await desk.agreed(tried)
    assert "It is not relied on now." in (await desk.abel.open(PATH)).text


async def test_one_root_of_two_is_withdrawn(desk: Desk) -> None:
    """From an earlier day, because somebody had copied it since."""
    page = await desk.ada.open(PATH)
    both = in_pem(NORTH.root()) + in_pem(SOUTH.root())
    await desk.agreed(await desk.ada.fill(page, f"{PATH}/addition", **TYPED, root=both))
    gone = x509.fingerprint(SOUTH.root()).hex()
    day = {"day__day": "1", "day__month": "1", "day__year": "2030"}
    tried = await desk.ada.fill(await desk.ada.open(PATH), f"{PATH}/withdrawal", what=gone, **day)
    await desk.agreed(tried)

    known = (await register(desk.people.served.office.store)).issuers[NORTH.iss]
    assert [root.until for root in known.root_terms] == [None, 1893456000]


async def test_a_list_is_taken(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is on it, which of its certificates are not taken, and whose list it is."""
    served = desk.people.served
    monkeypatch.setattr(type(served.clock), "now", lambda _clock: vicals.world.NOW + 100)
    said = vicals.listed(vicals.entry(SOUTH), vicals.entry(NORTH, ski=bytes(20)))
    page = await desk.ada.open(PATH)
    tried = await desk.ada.fill(page, f"{PATH}/list", vical=vicals.signed(said), provider_root=in_pem(vicals.root()))
    for text in ("Example Provider 7", "Southland Authority", "Northland Authority The list names another key"):
        assert text in tried.text
    refused = await desk.ada.fill(page, f"{PATH}/list", vical=vicals.signed(), provider_root=in_pem(NORTH.root()))
    assert "must lead to a root" in refused.text


async def test_a_change_from_a_file(desk: Desk) -> None:
    """As the command line writes it."""
    now = desk.people.served.clock.now()
    content = json.dumps(change_json(Change((NORTH.trusted(now),)))).encode()
    page = await desk.ada.open(PATH)
    await desk.agreed(await desk.ada.fill(page, f"{PATH}/change", change=content))

    again = await desk.ada.fill(page, f"{PATH}/change", change=b'{"source": null, "issuers": [1]}')
    assert again.status == 400
    assert "An issuer must have the members" in again.text
    assert "It is not relied on now." not in (await desk.ada.open(PATH)).text


async def test_a_document_that_was_swapped(desk: Desk) -> None:
    """What was signed was another change."""
    page = await desk.ada.open(PATH)
    tried = await desk.ada.fill(page, f"{PATH}/addition", **TYPED, root=in_pem(NORTH.root()))
    asked = await desk.ada.fill(tried, f"{PATH}/proposal")
    other = json.dumps(change_json(Change((SOUTH.trusted(),))))

    assert (await desk.ada.confirm(asked, document=other)).status == 409
    assert not PROPOSAL.search((await desk.ada.open("/admin/proposals")).html)


@pytest.mark.parametrize(
    ("form", "typed", "sentence"),
    [
        ("addition", {**TYPED, "name": "", "root": in_pem(NORTH.root())}, "Enter the name by which people know"),
        ("addition", {**TYPED, "country": "xa", "root": in_pem(NORTH.root())}, "two capital letters"),
        ("addition", {**TYPED, "types": "", "root": in_pem(NORTH.root())}, "Enter each type on a line"),
        ("addition", {**TYPED, "types": "visa", "root": in_pem(NORTH.root())}, "format must be a printable text"),
        (
            "addition",
            {**TYPED, "iss": "http://north.example", "root": in_pem(NORTH.root())},
            "must be an https address",
        ),
        ("addition", TYPED, "Choose the file with the certificate"),
        ("addition", {**TYPED, "root": b"-----BEGIN CERTIFICATE-----\nx"}, "Choose the file with the certificate"),
        ("addition", {**TYPED, "root": b"\x30\x00"}, "A certificate must be X.509"),
        ("addition", {**TYPED, "root": in_pem(NORTH.leaf())}, "must be the certificate of an authority"),
        ("list", {"vical": vicals.signed()}, "Choose the file"),
        ("list", {"vical": b"x", "provider_root": in_pem(vicals.root())}, "A VICAL"),
        ("change", {}, "Choose the file that idverify trust import wrote"),
        ("change", {"change": b"x"}, "A change of trusted issuers must be JSON"),
    ],
)
async def test_what_is_wrong_is_said(desk: Desk, form: str, typed: dict[str, str | bytes], sentence: str) -> None:
    """Beside the field that it is about, before anybody is asked to confirm anything."""
    page = await desk.ada.fill(await desk.ada.open(PATH), f"{PATH}/{form}", **typed)

    assert (page.status, page.ceremony) == (400, None)
    assert sentence in page.text


async def test_nobody_else_sees_it(people: People) -> None:
    """The page is administrators'."""
    olive = await people.staff("officer")
    assert (await olive.open(PATH)).status == 403
