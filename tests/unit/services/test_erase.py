"""Erasing a person: what goes, what stays, who may, and that nothing in the files brings it back."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Table, select

from idverify.core.policy import Role
from idverify.errors import Conflict, NotAllowed, NotFound, Unprocessable
from idverify.ledger.audit import Report, fsck
from idverify.ledger.identity import LogIdentity
from idverify.ledger.receipt import verify_receipt
from idverify.services import erase, staff
from idverify.services.erase import Erased, Erasure
from idverify.services.invite import Invited
from idverify.services.log_keys import log_keys
from idverify.services.people import read
from idverify.services.receipts import receipt
from idverify.services.records import opening_place, split_opening
from idverify.stores import scrub, tables
from idverify.stores.open import Location, open_log
from idverify.stores.writes import Change, WriteSet
from tests.simulators.databases import changed, copied
from tests.simulators.holder import Holding, decided_by_two, holding, holding_with_receipt
from tests.simulators.postgres import files
from tests.simulators.service import DETAILS
from tests.simulators.software_office import SoftwareOffice

RULES = "Retention schedule, part 2"
ANOTHERS_OPENING = """
    UPDATE ledger_record SET opening = (SELECT opening FROM ledger_record WHERE type = 'key.active' LIMIT 1)
    WHERE type = 'cover' AND person_id IS NULL"""


@dataclass(frozen=True)
class Life:
    """Somebody who enrolled, collected, was looked at and revoked; and what opened their entries."""

    held: Holding
    salts: list[bytes]
    sealed: list[bytes]
    wrapped: bytes
    receipt: bytes


@pytest.fixture
async def life(served: SoftwareOffice) -> Life:
    """A person whose documents are all withdrawn, and another admin to erase them with."""
    await served.api.enrol("other-admin", await served.api.deployment.invite(Invited(Role.ADMIN, "Abel Admin")))
    held = await holding_with_receipt(served)
    citizen = await served.api.enrol_citizen(held.person)
    await served.api.ok("POST", "/api/v1/recovery-codes", citizen)
    await served.api.ok("POST", f"/api/v1/people/{held.person}/enrolments", "officer")
    await decided_by_two(served.api, held.person, "suspend", "under-review")
    await decided_by_two(served.api, held.person, "revoke", "fraud-found")
    person = await read(served.office, bytes.fromhex(held.person))
    rows = await _rows(served, tables.ledger_record, person_id=person.id)
    (key,) = await _rows(served, tables.person_key, person_id=person.id)
    opened = [person.key.unseal(row["opening"], opening_place(row["handle"])) for row in rows]
    salts = [split_opening(opening)[0] for opening in opened]
    proof = await receipt(served.office, bytes.fromhex(held.answer["handle"]), held.answer["receipt_token"], wait=4)
    return Life(held, salts, [row["opening"] for row in rows], key["wrapped"], proof)


async def _rows(served: SoftwareOffice, table: Table, **where: Any) -> list[Any]:
    matching = [table.c[name] == value for name, value in where.items()]
    return await served.office.store.fetch(select(table).where(*matching), {})


async def _proposed(served: SoftwareOffice, person: str, who: str = "admin", reason: str = "asked-for") -> bytes:
    wish = Erasure(bytes.fromhex(person), reason, RULES)
    made = await served.confirmed(who, lambda admin, given: erase.propose(served.office, admin, wish, given))
    return made.handle


async def _approved(served: SoftwareOffice, proposal: bytes, who: str = "other-admin") -> Erased:
    return await served.confirmed(who, lambda admin, given: erase.approve(served.office, admin, proposal, given))


def _audit(location: Location) -> tuple[Report, list[tuple[int | None, str]]]:
    with closing(open_log(location)) as source:
        ours = source.deployment()
        identity = LogIdentity(ours["log_origin"], ours["iss"], ours["rp_id"], ours["status_base"])
        verifier = log_keys(source.signing_keys())[0].verifier(ours["log_origin"])
        *_, report = fsck(source, verifier, ours["log_origin"], identity=identity)
        assert isinstance(report, Report)
        return report, [*source.record_findings(), *source.row_findings()]


async def test_nothing_in_the_files_brings_it_back(served: SoftwareOffice, life: Life, tmp_path: Path) -> None:
    """Neither key, sealed openings nor salts are in any byte of the database's files; before, the sealed ones were."""
    path = served.api.deployment.location
    if isinstance(path, str):
        await _gone_from_the_table(served, path, life, tmp_path)
        return
    details = (await read(served.office, bytes.fromhex(life.held.person))).details
    assert details.family_name == DETAILS["family_name"]
    assert scrub.lies_in_files(path, [life.wrapped])
    assert all(scrub.lies_in_files(path, [sealed[:40]]) for sealed in life.sealed)

    done = await _approved(served, await _proposed(served, life.held.person))

    assert done.scrubbed
    assert done.entries == len(life.sealed) + 2  # and the proposal's own two
    assert not scrub.lies_in_files(path, [life.wrapped, *life.salts, *(sealed[:40] for sealed in life.sealed)])
    assert not scrub.lies_in_files(path, [bytes.fromhex(life.held.person)])


async def _gone_from_the_table(served: SoftwareOffice, url: str, life: Life, folder: Path) -> None:
    """Of a server's files nobody says that they were searched; but the key is gone from those of its table."""
    done = await _approved(served, await _proposed(served, life.held.person))

    assert not done.scrubbed
    (folder / "server").mkdir()
    of_tables = [path for path in files(url, folder / "server") if path.parent.name.isdecimal()]
    assert len(of_tables) > 10
    assert [path for path in of_tables if life.wrapped in path.read_bytes()] == []


async def test_nothing_about_the_person_is_left(served: SoftwareOffice, life: Life) -> None:
    """Of the tables that name people no row of theirs stays; that staff looked and confirmed stays, not at whom."""
    person = await read(served.office, bytes.fromhex(life.held.person))
    (account,) = await _rows(served, tables.account, person_id=person.id)
    looks = len(await _rows(served, tables.look))
    confirmed = await _rows(served, tables.authorisation)
    for table in (tables.notice, tables.enrolment):
        assert len(await _rows(served, table, account_id=account["id"])) > 1

    await _approved(served, await _proposed(served, life.held.person))

    for table in tables.metadata.sorted_tables:
        if "person_id" in table.c:
            assert await _rows(served, table, person_id=person.id) == [], table.name
        if "account_id" in table.c:
            assert await _rows(served, table, account_id=account["id"]) == [], table.name
    assert await _rows(served, tables.person, id=person.id) == []
    assert await _rows(served, tables.account, id=account["id"]) == []
    after = await _rows(served, tables.look)
    assert len(after) == looks + 1
    assert {(row["person_id"], row["status_list"], row["status_index"]) for row in after} == {(None, None, None)}
    by_staff = {row["id"] for row in confirmed if row["account_id"] != account["id"]}
    assert by_staff < {row["id"] for row in await _rows(served, tables.authorisation)}
    with pytest.raises(NotFound):
        await read(served.office, bytes.fromhex(life.held.person))


async def test_receipts_stop_and_proofs_stay(served: SoftwareOffice, life: Life) -> None:
    """The service hands out no receipt any more; one that was handed out still holds; the audit is clean."""
    proof, handle = life.receipt, bytes.fromhex(life.held.answer["handle"])
    digest = (await _rows(served, tables.credential, handle=handle))[0]["issuer_signed_digest"]
    await _approved(served, await _proposed(served, life.held.person))
    await served.office.publisher.publish_once()

    with pytest.raises(NotFound):
        await receipt(served.office, handle, life.held.answer["receipt_token"], 0)
    held = verify_receipt(proof, digest, served.office.log_book.policy, record_type="credential.issued")
    assert held.record.object_digest == digest
    report, rows = _audit(served.api.deployment.location)
    assert (report.findings, rows) == ((), [])
    assert report.signed_size == report.size


async def test_what_the_ledger_says(served: SoftwareOffice, life: Life) -> None:
    """Its entry says how many and how it was confirmed; no entry of the person has a true type or an opening."""
    person = await read(served.office, bytes.fromhex(life.held.person))
    theirs = {row["ledger_index"] for row in await _rows(served, tables.ledger_record, person_id=person.id)}
    proposal = await _proposed(served, life.held.person)

    done = await _approved(served, proposal)

    (row,) = await _rows(served, tables.ledger_record, type="erasure")
    _, record = split_opening(row["opening"])
    assert row["ledger_index"] == done.ledger_index
    assert record.reason == f"people 1, entries {done.entries}"
    assert (record.kid, record.status) == (None, None)
    erased = await _rows(served, tables.ledger_record, type="erased")
    assert theirs < {one["ledger_index"] for one in erased}
    assert {(one["person_id"], one["opening"]) for one in erased} == {(None, b"")}


async def test_an_index_is_never_used_again(served: SoftwareOffice, life: Life) -> None:
    """Status indices of whoever was erased stay taken, also after a restart; the published list stays as it was."""
    (copy,) = await _rows(served, tables.credential, handle=bytes.fromhex(life.held.answer["handle"]))
    before = await _rows(served, tables.status_publication)
    await _approved(served, await _proposed(served, life.held.person))

    await served.office.board.load()

    after = await _rows(served, tables.status_publication)
    listed = served.office.board.list_at(copy["status_list"])
    assert listed is not None
    assert listed.is_taken(copy["status_index"])
    assert [row["content_digest"] for row in after] == [row["content_digest"] for row in before]


async def test_an_expired_copy_keeps_its_index(served: SoftwareOffice) -> None:
    """A copy that merely expired was never on the list; its index is kept all the same."""
    held = await holding(served.api)
    await served.api.enrol("other-admin", await served.api.deployment.invite(Invited(Role.ADMIN, "Abel Admin")))
    (copy,) = await _rows(served, tables.credential, handle=bytes.fromhex(held.answer["handle"]))
    served.clock.advance(copy["expires_at"] - served.clock.now())

    await _approved(served, await _proposed(served, held.person))

    (kept,) = await _rows(served, tables.status_entry, status_index=copy["status_index"])
    assert kept["value"] == 0


@pytest.mark.parametrize("decided", [None, ("suspend", "under-review")])
async def test_not_while_a_document_is_valid(served: SoftwareOffice, decided: tuple[str, str] | None) -> None:
    """Valid and suspended copies must be revoked or expire first; the refusal says so, and nothing is erased."""
    held = await holding(served.api)
    if decided is not None:
        await decided_by_two(served.api, held.person, *decided)
    wish = Erasure(bytes.fromhex(held.person), "asked-for", RULES)

    with pytest.raises(Unprocessable, match="Have the permission revoked, or wait"):
        await erase.propose(served.office, await served.principal("admin"), wish, None)


async def test_not_if_a_document_was_issued_meanwhile(served: SoftwareOffice, life: Life) -> None:
    """What holds is what holds when it is carried out: a grant and a copy in between stop it."""
    proposal = await _proposed(served, life.held.person)
    permission = (await read(served.office, bytes.fromhex(life.held.person))).permission_decision_id
    assert permission is not None
    (decision,) = await _rows(served, tables.decision, id=permission)
    await _revived(served, decision["person_id"])

    with pytest.raises(Unprocessable, match="valid or suspended"):
        await _approved(served, proposal)
    assert (await read(served.office, bytes.fromhex(life.held.person))).details


async def _revived(served: SoftwareOffice, person_id: bytes) -> None:
    """Their copy is valid again, whoever did that."""
    of_person = {"person_id": person_id}
    await served.office.store.commit(WriteSet((Change(tables.credential, of_person, {"status": "valid"}),)))


async def test_two_admins(served: SoftwareOffice, life: Life) -> None:
    """Whoever proposed it cannot carry it out, nobody but an admin can do either, and it is done once."""
    proposal = await _proposed(served, life.held.person)

    for who, refusal in (("admin", "Another administrator must"), ("officer", "needs the role admin")):
        with pytest.raises(NotAllowed, match=refusal):
            await erase.approve(served.office, await served.principal(who), proposal, None)
    wish = Erasure(bytes.fromhex(life.held.person), "asked-for", RULES)
    with pytest.raises(NotAllowed, match="needs the role admin"):
        await erase.propose(served.office, await served.principal("officer"), wish, None)
    await _approved(served, proposal)
    with pytest.raises(NotFound):
        await erase.approve(served.office, await served.principal("other-admin"), proposal, None)


async def test_a_reason_from_the_list(served: SoftwareOffice, life: Life) -> None:
    """A reason that nobody can look up is refused."""
    wish = Erasure(bytes.fromhex(life.held.person), "because", RULES)

    with pytest.raises(Unprocessable, match="must be one of: no-longer-needed, asked-for, unlawful"):
        await erase.propose(served.office, await served.principal("admin"), wish, None)


async def test_each_has_its_own_list(served: SoftwareOffice, life: Life) -> None:
    """An erasure is no decision: officers neither see nor approve it, and admins no decisions."""
    erasure = await _proposed(served, life.held.person)
    other = await holding(served.api)
    ruling = {"kind": "suspend", "reason": "under-review", "legal_basis": "Rules, part 9"}
    decision = await served.api.ok("POST", f"/api/v1/people/{other.person}/decisions", "officer", ruling)

    by_officers = await served.api.ok("GET", "/api/v1/proposals", "officer")
    by_admins = await served.api.ok("GET", "/api/v1/erasures", "admin")

    assert [one["proposal"] for one in by_officers["proposals"]] == [decision["proposal"]]
    assert [(one["proposal"], one["person"]) for one in by_admins["erasures"]] == [(erasure.hex(), life.held.person)]
    status, _ = await served.api.call("POST", f"/api/v1/proposals/{erasure.hex()}/approval", "officer")
    assert status == 404
    status, _ = await served.api.call("POST", f"/api/v1/erasures/{decision['proposal']}/approval", "admin")
    assert status == 404


async def test_by_the_api(served: SoftwareOffice, life: Life) -> None:
    """Proposed by one admin (202), carried out by another, who learns how many entries it was."""
    wish = {"reason": "no-longer-needed", "legal_basis": RULES}
    made = await served.api.ok("POST", f"/api/v1/people/{life.held.person}/erasure", "admin", wish)

    done = await served.api.ok("POST", f"/api/v1/erasures/{made['proposal']}/approval", "other-admin")

    assert done == {
        "ledger_index": done["ledger_index"],
        "entries": len(life.sealed) + 2,
        "scrubbed": isinstance(served.api.deployment.location, Path),
    }
    status, _ = await served.api.call("GET", f"/api/v1/people/{life.held.person}", "officer")
    assert status == 404


ONE_ACCOUNT: Final = """
    UPDATE authorisation SET account_id = (SELECT id FROM account ORDER BY id LIMIT 1) WHERE act = 'erase-person'"""


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (
            "UPDATE ledger_record SET type = 'erased', opening = x'' WHERE type = 'security.enrolment-made'",
            "entries are erased by erasures alone",
        ),
        (
            "UPDATE ledger_record SET opening = x'00' WHERE type = 'erasure'",
            "an erasure says how many people and entries it erased",
        ),
        (
            ONE_ACCOUNT,
            "two people confirm an erasure",
        ),
        (
            "DELETE FROM authorisation WHERE ledger_index = (SELECT max(ledger_index) FROM authorisation)",
            "two people confirm an erasure",
        ),
        (
            ANOTHERS_OPENING,
            "an opening that is kept unsealed opens its entry",
        ),
    ],
)
async def test_a_feigned_erasure_is_found(
    served: SoftwareOffice, life: Life, tmp_path: Path, change: str, rule: str
) -> None:
    """Making entries unreadable without an erasure, or an erasure of one person's making: the audit names it."""
    await _approved(served, await _proposed(served, life.held.person))
    (tmp_path / "copy").mkdir()
    with copied(served.api.deployment.location, tmp_path / "copy") as copy:
        assert changed(copy, change) > 0
        _, rows = _audit(copy)

    assert rule in {broken for _, broken in rows}


def test_a_secret_in_free_space_is_found_and_scrubbed(tmp_path: Path) -> None:
    """With ``secure_delete`` off, deleted bytes stay in the file; scrubbing writes it anew without them."""
    path, secret = tmp_path / "db.sqlite", hashlib.sha256(b"secret").digest()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (a)")
        database.executemany("INSERT INTO t VALUES (?)", [(secret,), (b"other",)])
        database.commit()
        database.execute("DELETE FROM t WHERE a = ?", (secret,))
        database.commit()
        assert scrub.lies_in_files(path, [secret])
        scrubbed = scrub._scrub(path, [secret])

    assert scrubbed
    assert not scrub.lies_in_files(path, [secret])


def test_an_old_state_that_is_held_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who still reads an older state keeps it in the write-ahead log: it is said, not passed over."""
    monkeypatch.setattr(scrub, "PATIENCE_SECONDS", 0.05)
    path, secret = tmp_path / "db.sqlite", hashlib.sha256(b"secret").digest()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (a)")
        database.execute("INSERT INTO t VALUES (?)", (secret,))
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM t").fetchall()
            database.execute("DELETE FROM t")
            held = scrub._scrub(path, [secret])
        scrubbed = scrub._scrub(path, [secret])

    assert (held, scrubbed) == (False, True)


async def test_whoever_proposed_it_has_left(served: SoftwareOffice, life: Life) -> None:
    """Nobody is erased by one person who is still here."""
    proposal = await _proposed(served, life.held.person)
    (ada,) = await _rows(served, tables.account, actor="Ada Admin")
    await served.confirmed("other-admin", lambda who, given: staff.end(served.office, who, ada["handle"], given))

    with pytest.raises(Conflict, match="has left since"):
        await _approved(served, proposal)

    assert (await read(served.office, bytes.fromhex(life.held.person))).details.family_name == DETAILS["family_name"]
