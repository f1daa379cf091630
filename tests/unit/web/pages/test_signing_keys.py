"""Signing keys on the administrator's desk: the list, the form, and the order by two administrators."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from idverify.core.certificate_alarm import DAY
from idverify.core.policy import Role
from idverify.core.types import CREDENTIAL_TYPES
from idverify.ports import EndingCertificate, TokenStanding
from idverify.services.establish import CERTIFIED_ROLES
from idverify.services.invite import Invited
from idverify.services.key_ceremony import open_orders
from idverify.web.pages.act_words import REPLACEMENTS
from tests.simulators.plain_browser import PlainBrowser
from tests.unit.web.pages.conftest import People

PAGE = re.compile(r"/admin/signing-keys/[0-9a-f]{16}")
PROPOSAL = re.compile(r"/admin/proposals/[0-9a-f]{32}")
REJECTED = "Every document that it signed, and all else, is rejected from then on."


async def _agnes(people: People) -> PlainBrowser:
    browser = people.browser()
    await browser.enrol(await people.served.api.deployment.invite(Invited(Role.ADMIN, "Agnes Admin")))
    return browser


async def test_two_administrators_order_another_key(people: People) -> None:
    """Both read what it does, and what becomes of documents; then the desk says that it is ordered."""
    ada, agnes = await people.staff("admin"), await _agnes(people)
    desk = await ada.open("/admin")
    (path, *others) = PAGE.findall(desk.html)
    assert len(others) == len(CERTIFIED_ROLES) - 1
    for kind in CREDENTIAL_TYPES.values():
        assert f"Signs documents: {kind.name}" in desk.text
    assert desk.text.count("ML-DSA-44") == desk.text.count("In software, sealed by a token") == 1
    form = await ada.open(path)
    assert "Signs documents: Immigration status" in form.text
    asked = await ada.fill(form, path, reason="compromised")
    what = "another signing key takes the place of this one"
    for said in (what, "Signs documents", "Immigration status", path[-16:], REJECTED):
        assert said in asked.text
    proposed = await ada.confirm(asked)
    proposal = PROPOSAL.search(proposed.html)
    assert proposal is not None
    assert "You proposed this, so you cannot approve it" in (await ada.open(proposal[0])).text

    read = await agnes.open(proposal[0])
    assert REJECTED in read.text
    assert "If you approve it, the replacement is ordered." in read.text
    done = await agnes.confirm(await agnes.fill(read, proposal[0]))
    assert "It is ordered. The operator starts the service again with the root's token at hand." in done.text

    desk = await ada.open("/admin")
    assert PAGE.findall(desk.html) == others
    assert "It waits for the next start." in desk.text
    (order,) = await open_orders(people.served.office.store)
    assert (order.old_key_id.hex(), order.reason) == (path[-16:], "compromised")


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [({}, "Choose why this key is replaced"), ({"reason": "boredom"}, "Choose one of the answers")],
)
async def test_a_reason_is_chosen(people: People, typed: dict[str, str], sentence: str) -> None:
    """Before anybody is asked to confirm anything."""
    ada = await people.staff("admin")
    path = PAGE.findall((await ada.open("/admin")).html)[0]
    page = await ada.fill(await ada.open(path), path, **typed)
    assert (page.status, page.ceremony) == (400, None)
    assert sentence in page.text
    assert all(reason in page.text for reason in REPLACEMENTS.values())


async def test_certificates_that_end_are_told_of(people: People) -> None:
    """Of each signing key on its row; of any other key, by its token's word, above them. In Welsh, too."""
    served = people.served
    role, ends = min(served.office.keys.ends().items(), key=lambda each: each[1])
    known = served.office.keys.issuer(role).key_id
    alarms = tuple(
        EndingCertificate(key, label, ends, 7) for key, label in ((known, "mine#1"), (b"another.", "lamps#2"))
    )
    standing = TokenStanding("north", "ready", 1, 0, 0, False, False, None, None)
    assert "Ends within" not in (await (await people.staff("admin")).open("/admin")).text
    served.clock.advance(ends - 6 * DAY - served.clock.now())
    served.token.standing = (replace(standing, certificates=alarms),)

    for name, language, row, above in (
        ("Agnes Admin", "en", "Ends within a week", "Token north: the certificate of its key lamps#2 ends on"),
        ("Alun Admin", "cy", "Yn dod i ben o fewn wythnos", "Tocyn north: daw tystysgrif ei allwedd lamps#2 i ben ar"),
    ):
        browser = people.browser(language)
        await browser.enrol(await served.api.deployment.invite(Invited(Role.ADMIN, name)))
        desk = await browser.open("/admin")
        assert row in desk.text
        assert above in desk.text
        assert "mine#1" not in desk.text


async def test_a_key_that_is_not_in_use(people: People) -> None:
    """It has no page; and nobody but administrators has one."""
    ada, olive = await people.staff("admin"), await people.staff("officer")
    path = PAGE.findall((await ada.open("/admin")).html)[0]
    assert (await ada.open(f"/admin/signing-keys/{'0' * 16}")).status == 404
    assert (await olive.open(path)).status == 403
