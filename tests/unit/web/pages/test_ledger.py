"""The administrator's desk: how the ledger stands, and a new log by two of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.stores import tables
from idverify.stores.writes import Change, WriteSet
from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.unit.web.pages.conftest import People

DESK, PROPOSE = "/admin", "/admin/ledger"
PATH = re.compile(r"/admin/ledger/[0-9a-f]{32}")


@dataclass(frozen=True)
class Admins:
    """Two of them, and an officer."""

    people: People
    ada: PlainBrowser
    agnes: PlainBrowser
    olive: PlainBrowser

    async def halt(self) -> None:
        """The log is found to be halted."""
        halted = Change(tables.ledger_state, {"shard": 1}, {"halted": "size 9 was signed, storage has 7"})
        await self.people.served.office.store.commit(WriteSet((halted,)))


@pytest.fixture
async def admins(people: People) -> Admins:
    """Everybody signed in, and what they were enrolled with published."""
    ada, olive, agnes = await people.staff("admin"), await people.staff("officer"), people.browser()
    code = await people.served.api.deployment.invite(Invited(Role.ADMIN, "Agnes Admin"))
    await agnes.enrol(code)
    await people.served.office.log_book.publish()
    return Admins(people, ada, agnes, olive)


async def _proposed(admin: PlainBrowser) -> Shown:
    """A new log is proposed from the desk; the desk afterwards."""
    return await admin.confirm(await admin.fill(await admin.open(DESK), PROPOSE))


async def test_two_administrators_open_a_new_log(admins: Admins) -> None:
    """One proposes what the desk shows, the other reads it and approves; the desk then shows the new log."""
    desk = await _proposed(admins.ada)
    path = PATH.search(desk.html)
    assert path is not None
    assert "A new log is proposed" in desk.text
    read = await admins.agnes.open(path[0])
    for said in ("Proposed by", "Ada Admin", "/log/1", "/log/2", "Its last entry names the new log".lower()):
        assert said.lower() in read.text.lower()
    done = await admins.agnes.confirm(await admins.agnes.fill(read, path[0]))
    assert "A new log is open" in done.text
    assert "/log/2" in done.text
    assert not PATH.search(done.html)
    again = await admins.agnes.open(path[0])
    assert "It was approved, and is done." in again.text
    assert path[0] not in [form.action for form in again.forms]


async def test_a_halted_ledger_is_said_to_be(admins: Admins) -> None:
    """What happened, why, and what to do; the proposal says that nothing is added to the old log."""
    await admins.halt()
    desk = await admins.ada.open(DESK)
    assert "The ledger is halted. Nothing is issued, decided or recorded" in desk.text
    assert "size 9 was signed, storage has 7" in desk.text
    asked = await admins.ada.fill(desk, PROPOSE)
    assert "It is halted: nothing is added to it." in asked.text
    assert "Do you confirm that the ledger goes on in a new log?" in asked.text


async def test_whoever_proposed_it_cannot_approve_it(admins: Admins) -> None:
    """Their page has no button, and the form by itself does nothing."""
    path = PATH.search((await _proposed(admins.ada)).html)
    assert path is not None
    own = await admins.ada.open(path[0])
    assert "You proposed this, so you cannot approve it. Another administrator must" in own.text
    csrf = own.form("/sign-out").fields
    assert (await admins.ada.send(path[0], csrf)).status == 403


async def test_it_is_for_administrators(admins: Admins) -> None:
    """Nobody else reads or does any of it."""
    path = PATH.search((await _proposed(admins.ada)).html)
    assert path is not None
    assert (await admins.olive.open(path[0])).status == 403
    csrf = (await admins.olive.open("/officer")).form("/sign-out").fields
    for target in (PROPOSE, path[0]):
        assert (await admins.olive.send(target, csrf)).status == 403


async def test_an_expired_proposal_says_so(admins: Admins) -> None:
    """The page stays, without the button."""
    path = PATH.search((await _proposed(admins.ada)).html)
    assert path is not None
    admins.people.served.clock.advance(72 * 3600)
    await admins.agnes.sign_in()
    assert "It has expired" in (await admins.agnes.open(path[0])).text


@pytest.mark.parametrize(
    ("swapped", "status"),
    [
        ({"size": "1"}, 409),
        ({"size": "x"}, 400),
        ({"size": str(2**63)}, 400),
        ({"root": "AAAA"}, 400),
        ({"root": "A" * 43 + "="}, 409),
        ({"origin": "elsewhere/log/1"}, 409),
        ({"origin": "two\nlines"}, 400),
    ],
)
async def test_another_checkpoint_is_refused(admins: Admins, swapped: dict[str, str], status: int) -> None:
    """What the desk filled in comes back as it was, or nothing is done."""
    desk = await admins.ada.open(DESK)
    fields = {**desk.form(PROPOSE).fields, **swapped}
    assert (await admins.ada.send(PROPOSE, fields)).status == status


async def test_the_ledger_in_welsh(people: People) -> None:
    """The section, the question and the proposal."""
    ada = await people.staff("admin", "cy")
    await people.served.office.log_book.publish()
    desk = await ada.open(DESK)
    assert "Cynnig log newydd" in desk.text
    asked = await ada.fill(desk, PROPOSE)
    assert "A ydych yn cadarnhau bod y cyfriflyfr yn parhau mewn log newydd?" in asked.text
    path = PATH.search((await ada.confirm(asked)).html)
    assert path is not None
    assert "Log newydd o'r cyfriflyfr" in (await ada.open(path[0])).text
