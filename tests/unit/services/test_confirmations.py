"""What was confirmed is listed for whoever may see it, and exported as a file that stands on its own."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from idverify.core.credential_type import Purpose
from idverify.core.policy import Role
from idverify.core.verdict import CheckId, Outcome, Result, Verdict
from idverify.errors import NotAllowed, NotFound
from idverify.services import confirmations, erase, invite, keys, receipts
from idverify.services.confirmations import Listed
from idverify.services.erase import Erasure
from idverify.services.invite import Invited
from idverify.services.people import read
from idverify.services.receipts import NotYetCovered
from idverify.services.reverify import reverify
from idverify.services.step_up import action_place
from idverify.stores import queries, tables
from idverify.stores.open import Location, open_log
from tests.simulators.databases import changed, copied
from tests.simulators.holder import decided_by_two, holding
from tests.simulators.software_office import SoftwareOffice

BANK = Invited(Role.RELYING_PARTY, "Other Bank plc", Purpose.WORK)


@dataclass(frozen=True)
class Revoked:
    """A person whose permission two officers revoked, and how each of them confirmed it (handles)."""

    served: SoftwareOffice
    person: str
    proposed: bytes
    approved: bytes

    async def listed(self, who: str, before: bytes | None = None) -> Listed:
        """What ``who`` sees."""
        return await confirmations.listed(self.served.office, await self.served.principal(who), before)

    async def export(self, who: str, handle: bytes) -> bytes:
        """The file that ``who`` gets."""
        return await self.served.confirmed(
            who, lambda principal, given: confirmations.export(self.served.office, principal, handle, given)
        )

    def verdict(self, file: bytes) -> Verdict:
        """What a third party finds who has the log's keys alone."""
        return reverify(file, self.served.office.log_book.policy)

    async def rows(self, table: Any, **where: Any) -> list[Any]:
        """Rows of a table."""
        matching = [table.c[name] == value for name, value in where.items()]
        return await self.served.office.store.fetch(select(table).where(*matching), {})


@pytest.fixture
async def revoked(served: SoftwareOffice) -> Revoked:
    """Everything is covered by a checkpoint."""
    held = await holding(served.api)
    served.clock.advance(60)
    await decided_by_two(served.api, held.person, "revoke", "fraud-found")
    await served.office.publisher.publish_once()
    rows = await served.office.store.fetch(
        select(tables.authorisation.c.handle)
        .where(tables.authorisation.c.act == "decide")
        .order_by(tables.authorisation.c.ledger_index),
        {},
    )
    return Revoked(served, held.person, *(bytes(row["handle"]) for row in rows[-2:]))


async def test_both_files_stand_on_their_own(revoked: Revoked) -> None:
    """The admin exports how each officer confirmed it: one act, two accounts, two keys, and all of it holds."""
    files = [await revoked.export("admin", handle) for handle in (revoked.proposed, revoked.approved)]
    told = [{check.id: check for check in revoked.verdict(file).checks} for file in files]

    assert [revoked.verdict(file).verdict for file in files] == [Outcome.ACCEPT] * 2
    first, second = (each[CheckId.ACTION].evidence for each in told)
    assert first == second
    assert first is not None
    assert first["action"] == {
        "act": "decide",
        "subject": revoked.person,
        "content": {
            "kind": "revoke",
            "reason": "fraud-found",
            "legal_basis": "Rules, part 9",
            "permissions": None,
            "identity_assurance": None,
        },
    }
    for name in ("account", "security_key", "session", "cose_key_sha256"):
        assert len({(each[CheckId.SIGNATURE].evidence or {})[name] for each in told}) == 2
    assert {(each[CheckId.SIGNATURE].evidence or {})["rp_id"] for each in told} == {"localhost"}


async def test_an_officer_exports_their_own_act(revoked: Revoked) -> None:
    """And nobody else's: that there is one, they do not learn; nor can anybody whose role it is not."""
    assert revoked.verdict(await revoked.export("officer", revoked.proposed)).verdict is Outcome.ACCEPT

    for handle in (revoked.approved, bytes(16)):
        with pytest.raises(NotFound, match="no such confirmation"):
            await revoked.export("officer", handle)
    citizen = await revoked.served.api.enrol_citizen(revoked.person)
    with pytest.raises(NotAllowed, match="needs the role officer or admin"):
        await revoked.listed(citizen)
    for who, status in (("employer", 403), ("register", 403), (None, 401)):  # programs: no API key can confirm
        path = f"/api/v1/authorisations/{revoked.proposed.hex()}/evidence"
        assert (await revoked.served.api.call("POST", path, who))[0] == status


async def test_what_citizens_confirmed_is_theirs(revoked: Revoked) -> None:
    """Admins neither see it nor get it."""
    citizen = await revoked.served.api.enrol_citizen(revoked.person)
    await revoked.served.confirmed(citizen, lambda who, given: keys.begin_adding(revoked.served.office, who, given))
    (own,) = await revoked.rows(tables.authorisation, act="add-security-key")

    assert own["handle"] not in {one.handle for one in (await revoked.listed("admin")).confirmations}
    with pytest.raises(NotFound, match="no such confirmation"):
        await revoked.export("admin", own["handle"])


async def test_the_person_sees_who_exported(revoked: Revoked) -> None:
    """A look, and entries about them; the export is itself a confirmation that can be exported."""
    await revoked.export("admin", revoked.proposed)

    person = await read(revoked.served.office, bytes.fromhex(revoked.person))
    (look,) = await revoked.rows(tables.look, person_id=person.id, channel="evidence")
    (own,) = await revoked.rows(tables.authorisation, act="export-evidence")
    assert (look["actor"], look["role"], look["verdict"]) == ("Ada Admin", "admin", "exported")
    assert own["person_id"] == person.id
    await revoked.served.office.publisher.publish_once()
    verdict = revoked.verdict(await revoked.export("admin", own["handle"]))
    told = next(check.evidence for check in verdict.checks if check.id is CheckId.ACTION)
    assert told is not None
    assert told["action"] == {
        "act": "export-evidence",
        "subject": revoked.proposed.hex(),
        "content": {"act": "decide", "confirmed_by": "Olive Officer"},
    }


async def test_acts_rest_under_the_key_of_whom_they_are_about(revoked: Revoked) -> None:
    """What was decided on a person is sealed, what bears on nobody is plain."""
    await revoked.served.confirmed(
        "admin", lambda who, given: invite.invite_organisation(revoked.served.office, who, BANK, given)
    )
    person = await read(revoked.served.office, bytes.fromhex(revoked.person))
    rows = await revoked.rows(tables.authorisation)

    assert {row["act"]: row["person_id"] for row in rows} == {
        "decide": person.id,
        "offer-credential": person.id,
        "enrol-organisation": None,
    }
    for row in rows:
        sealed = row["person_id"] is not None
        action = person.key.unseal(row["action"], action_place(row["id"])) if sealed else row["action"]
        assert hashlib.sha256(action).digest() == row["action_digest"]
        assert not sealed or b"decide" not in row["action"]


async def test_of_an_erased_person_the_signature_stays(revoked: Revoked) -> None:
    """Neither the act nor an opening is left; who confirmed something, and that the key signed it, still holds."""
    office, wish = revoked.served.office, Erasure(bytes.fromhex(revoked.person), "asked-for", "Retention, part 2")
    invited = await revoked.served.api.deployment.invite(Invited(Role.ADMIN, "Abel Admin"))
    await revoked.served.api.enrol("other-admin", invited)
    proposed = await revoked.served.confirmed("admin", lambda who, given: erase.propose(office, who, wish, given))
    await revoked.served.confirmed("other-admin", lambda who, given: erase.approve(office, who, proposed.handle, given))
    await office.publisher.publish_once()

    verdict = revoked.verdict(await revoked.export("admin", revoked.approved))
    unknown = {check.id for check in verdict.checks if check.result is Result.UNKNOWN}

    assert (verdict.verdict, unknown) == (Outcome.REFER, {CheckId.ACTION, CheckId.RECEIPT})
    assert {(row["action"], row["person_id"]) for row in await revoked.rows(tables.authorisation, act="decide")} == {
        (None, None)
    }
    assert {row["action"] for row in await revoked.rows(tables.authorisation, act="erase-person")} == {None}


async def test_before_a_checkpoint_covers_it(revoked: Revoked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The officer is told to come back, and nothing is asked to be confirmed."""
    monkeypatch.setattr(confirmations, "LONGEST_WAIT", 0)
    monkeypatch.setattr(receipts, "LONGEST_WAIT", 0)
    office = revoked.served.office
    monkeypatch.setattr(office.log_book.publisher, "wait_covered", _never)

    with pytest.raises(NotYetCovered):
        await confirmations.export(office, await revoked.served.principal("officer"), revoked.proposed, None)


async def _never(index: int, seconds: float) -> None:
    raise TimeoutError


async def test_the_list_is_paged(revoked: Revoked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newest first, each once, to the end; an officer's holds their own alone."""
    everything = await revoked.listed("admin")
    monkeypatch.setattr(queries, "CONFIRMATIONS_SHOWN", 2)
    monkeypatch.setattr(queries, "CONFIRMATIONS", queries.CONFIRMATIONS.limit(3))
    monkeypatch.setattr(queries, "CONFIRMATIONS_OF_ACCOUNT", queries.CONFIRMATIONS_OF_ACCOUNT.limit(3))

    for who, expected in (
        ("admin", everything.confirmations),
        ("officer", tuple(one for one in everything.confirmations if one.actor == "Olive Officer")),
    ):
        pages, before = [], None
        while True:
            page = await revoked.listed(who, before)
            pages.append(page.confirmations)
            before = page.before
            if before is None:
                break
        assert [len(page) for page in pages[:-1]] == [2] * (len(pages) - 1)
        assert tuple(one for page in pages for one in page) == expected
    assert {one.handle for one in everything.confirmations[:2]} == {revoked.proposed, revoked.approved}
    assert sorted(one.act for one in everything.confirmations[2:]) == ["decide", "offer-credential"]
    with pytest.raises(NotFound):
        await revoked.listed("officer", revoked.approved)


async def test_by_the_api(revoked: Revoked) -> None:
    """Listed, then exported with a confirmation; the answer is the file itself, and may be kept nowhere else."""
    api = revoked.served.api
    shown = await api.ok("GET", "/api/v1/authorisations", "officer")
    file = await api.ok(
        "POST", f"/api/v1/authorisations/{shown['confirmations'][0]['authorisation']}/evidence", "officer"
    )

    assert shown["before"] is None
    assert {one["confirmed_by"] for one in shown["confirmations"]} == {"Olive Officer"}
    assert revoked.verdict(orjson.dumps(file)).verdict is Outcome.ACCEPT
    for query in ("?before=x", "?after=1", f"?before={revoked.proposed.hex()}&x=1"):
        status, _ = await api.call("GET", "/api/v1/authorisations" + query, "officer")
        assert status == 400
    status, _ = await api.call("POST", f"/api/v1/authorisations/{revoked.approved.hex()}/evidence", "officer")
    assert status == 404


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("UPDATE authorisation SET action = x'7b7d' WHERE act = 'enrol-organisation'",
         "an act that is kept is the one that was confirmed"),
        ("UPDATE authorisation SET person_id = NULL WHERE act = 'offer-credential'",
         "an act that was confirmed is kept under the key of whom its entry is about"),
    ],
)  # fmt: skip
async def test_an_act_that_was_changed_is_found(revoked: Revoked, tmp_path: Path, change: str, rule: str) -> None:
    """By the audit of the rows, where it is plain."""
    office = revoked.served.office
    await revoked.served.confirmed("admin", lambda who, given: invite.invite_organisation(office, who, BANK, given))
    (tmp_path / "copy").mkdir()
    with copied(revoked.served.api.deployment.location, tmp_path / "copy") as copy:
        before = _broken(copy)
        assert changed(copy, change) > 0
        after = _broken(copy)

    assert rule not in before
    assert rule in after


def _broken(location: Location) -> set[str]:
    """The rules of rows that are broken."""
    with closing(open_log(location)) as source:
        return {rule for _, rule in (*source.record_findings(), *source.row_findings())}
