"""The random audit holds an honest office's entries, and finds each lie that a database can be made to tell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
import pytest
import pytest_asyncio
from sqlalchemy import Table, select

from idverify.core import assurance
from idverify.core.decision import DecisionKind
from idverify.core.types import immigration_status
from idverify.formats.carriers import FORMATS
from idverify.ledger.commitment import Record
from idverify.ledger.errors import ReceiptError
from idverify.ledger.proof import TlogProof
from idverify.ledger.receipt import Opening
from idverify.ledger.sample import sample
from idverify.services.audit_checks import CHECKS
from idverify.services.audit_report import Asked, contradictions, proofs, report
from idverify.services.audit_sample import Judged, draw, judge
from idverify.services.decide import Ruling, decide
from idverify.services.issue import answer_place
from idverify.services.people import Person, read
from idverify.services.policy_record import record_policy
from idverify.services.records import ENTRY_TYPES, PUBLIC_TYPES, opening_place, split_opening
from idverify.services.sealed import DecisionContent, read_content, seal_content
from idverify.services.step_up import action_place
from idverify.stores import tables
from idverify.stores.writes import Change, WriteSet
from tests.simulators.acts import every_act
from tests.simulators.holder import Holding, decided_by_two, holding
from tests.simulators.service import DETAILS, PERMISSION
from tests.simulators.software_office import SoftwareOffice, software_office

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Town:
    """An office that did every act, and a person who was suspended, reinstated and holds a document."""

    served: SoftwareOffice
    held: Holding

    async def person(self) -> Person:
        """Whose document it is."""
        return await read(self.served.office, bytes.fromhex(self.held.person))

    async def rows(self, table: Table, **where: Any) -> list[Any]:
        """Rows in the order of their keys."""
        matching = [table.c[name] == value for name, value in where.items()]
        query = select(table).where(*matching).order_by(*table.primary_key.columns)
        return await self.served.office.store.fetch(query, {})

    async def audited(self) -> dict[int, Judged]:
        """Every entry, judged."""
        drawn = await draw(self.served.office, 10_000)
        assert len(drawn.indices) == drawn.checkpoint.size
        return {judged.index: judged async for judged in judge(self.served.office, drawn)}

    async def failing(self, change: WriteSet) -> dict[int, set[str]]:
        """What fails at which entry once the rows were changed."""
        await self.served.office.store.commit(change)
        return {
            index: {name for name, holds in judged.checks.items() if holds is False}
            for index, judged in (await self.audited()).items()
            if not judged.holds
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One office for all; whoever changes its rows puts them back."""
    folder: Path = tmp_path_factory.mktemp("office")
    async with software_office(folder) as served:
        await served.api.identity("second")
        held = await holding(served.api)
        await decided_by_two(served.api, held.person, "suspend", "under-review")
        await decided_by_two(served.api, held.person, "reinstate", "review-closed")
        await every_act(served, erase_another=True)
        await _as_before_types_were_several(served)
        await record_policy(served.office)  # the last act recorded other rules
        await served.office.publisher.publish_once()
        yield Town(served, held)


async def _as_before_types_were_several(served: SoftwareOffice) -> None:
    """Somebody whose decision has the form of then, and a copy of theirs that says nothing of how they were checked."""
    who = bytes.fromhex((await served.api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS}))["person"])
    content = read_content({"legal_basis": "Rules, part 1", "permission": PERMISSION})
    ruling = Ruling(who, DecisionKind.GRANT, "application-granted", content)
    await served.confirmed("officer", lambda officer, given: decide(served.office, officer, ruling, given))
    with patch.object(immigration_status, "assurance_claims", lambda _: {}):
        held = await holding(served.api, who.hex())
    assert assurance.CLAIM not in FORMATS["dc+sd-jwt"].read(held.credential.encode()).claims


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def as_it_was(town: Town) -> AsyncIterator[None]:
    """Every row of every table is put back after a test."""
    before = {table: await town.rows(table) for table in CHANGED}
    yield
    for table, rows in before.items():
        keys = [column.name for column in table.primary_key.columns]
        for row in rows:
            where = {name: row[name] for name in keys}
            values = {name: row[name] for name in row.keys() if name not in keys}  # noqa: SIM118  a row is no mapping
            await town.served.office.store.commit(WriteSet((Change(table, where, values),)))


CHANGED = (
    tables.account,
    tables.decision,
    tables.authorisation,
    tables.credential,
    tables.issuance,
    tables.letter,
    tables.status_entry,
    tables.security_key,
    tables.api_key,
    tables.enrolment,
    tables.authenticator_list,
    tables.issuer_change,
    tables.metadata_blob,
    tables.ledger_record,
)


async def test_an_honest_office(town: Town) -> None:
    """Every entry of every true type holds; what cannot be told is said to be so, and is little."""
    audited = await town.audited()

    assert {index: judged.checks for index, judged in audited.items() if not judged.holds} == {}
    assert {judged.type for judged in audited.values()} >= ENTRY_TYPES.keys() - {"shard.close"}
    untold = {name for judged in audited.values() for name, holds in judged.checks.items() if holds is None}
    assert untold <= {
        "these rules are in force",
        "it is of what is published",
        "the status list says so",
        "there is such a row",
        "the act that is kept is the one confirmed",
        "it is suspended",
    }


async def test_every_true_type_has_its_check() -> None:
    """A type that is added without one is found here, and not by whoever draws such an entry."""
    assert CHECKS.keys() == {name for name, public in ENTRY_TYPES.items() if public not in PUBLIC_TYPES}


async def test_the_root_draws(town: Town) -> None:
    """Which entries are opened follows from the signed checkpoint; another number of them begins with the same."""
    few, more = await draw(town.served.office, 5), await draw(town.served.office, 20)

    assert few.indices == tuple(sample(few.checkpoint.root, few.checkpoint.size, 5))
    assert more.indices[:5] == few.indices


async def test_what_may_be_shown(town: Town) -> None:
    """Openings come out of entries about ourselves alone, with proofs that anybody can check."""
    audited = await town.audited()
    people = {row["ledger_index"] for row in await town.rows(tables.ledger_record) if row["person_id"] is not None}

    for index, judged in audited.items():
        proof = TlogProof.decode(judged.proof)
        assert (proof.extra is not None) is (judged.about_ourselves and judged.type not in PUBLIC), judged.type
        if proof.extra is not None:
            assert index not in people
            assert Opening.decode(proof.extra).record.type == judged.type


PUBLIC = {"log.start", "status-list.published"}


async def test_a_forged_decision(town: Town) -> None:
    """A decision that was given another basis after two people signed it: its digest and their signatures differ."""
    person = await town.person()
    row = next(one for one in await town.rows(tables.decision, person_id=person.id) if one["kind"] == "suspend")
    forged = seal_content(person.key, "decision", row["id"], DecisionContent(legal_basis="Rules, part 10"))

    failing = await town.failing(WriteSet((Change(tables.decision, {"id": row["id"]}, {"sealed": forged}),)))

    assert failing == {row["ledger_index"]: {"it says what was recorded", "each confirmed exactly this"}}


async def test_a_decision_that_was_taken_back(town: Town) -> None:
    """Everything that belongs together is changed at once, type and decision and copies: the commitment is not."""
    person = await town.person()
    row = next(one for one in await town.rows(tables.decision, person_id=person.id) if one["kind"] == "suspend")
    changes = (
        Change(tables.decision, {"id": row["id"]}, {"kind": "revoke", "reason": "fraud-found"}),
        Change(tables.ledger_record, {"ledger_index": row["ledger_index"]}, {"type": "decision.revoke"}),
    )

    failing = await town.failing(WriteSet(changes))

    assert {"it opens", "its row is as recorded"} & failing[row["ledger_index"]]


async def test_swapped_evidence(town: Town) -> None:
    """How one act was confirmed does not confirm another."""
    person = await town.person()
    about = await town.rows(tables.authorisation, person_id=person.id)
    first, second = [row for row in about if row["act"] == "decide"][-2:]
    swap = (
        Change(tables.authorisation, {"id": first["id"]}, {"evidence": second["evidence"]}),
        Change(tables.authorisation, {"id": first["id"]}, {"action_digest": second["action_digest"]}),
    )

    failing = await town.failing(WriteSet(swap))

    assert failing[first["ledger_index"]] >= {"its evidence is as recorded"}


@pytest.mark.parametrize("moved", [False, True])
async def test_another_act_is_kept(town: Town, *, moved: bool) -> None:
    """Beside the evidence rests an act that nobody confirmed, or one that rested elsewhere."""
    person = await town.person()
    *_, first, second = await town.rows(tables.authorisation, person_id=person.id)
    other = second["action"] if moved else person.key.seal(b"{}", action_place(first["id"]))

    failing = await town.failing(WriteSet((Change(tables.authorisation, {"id": first["id"]}, {"action": other}),)))

    assert failing == {first["ledger_index"]: {"the act that is kept is the one confirmed"}}


async def test_somebody_else_decided(town: Town) -> None:
    """A decision under the name of one who did not confirm it."""
    person = await town.person()
    row = next(one for one in await town.rows(tables.decision, person_id=person.id) if one["kind"] == "suspend")

    failing = await town.failing(WriteSet((Change(tables.decision, {"id": row["id"]}, {"decided_by": "Nina Nobody"}),)))

    assert failing[row["ledger_index"]] == {"it says what was recorded", "whoever confirmed is named"}


async def test_one_person_decided(town: Town) -> None:
    """A decision that takes two, on whose second person there is nothing."""
    person = await town.person()
    row = next(one for one in await town.rows(tables.decision, person_id=person.id) if one["kind"] == "suspend")
    alone = Change(tables.decision, {"id": row["id"]}, {"approval_id": None, "approved_by": None})

    failing = await town.failing(WriteSet((alone,)))

    assert "two people took it" in failing[row["ledger_index"]]


@pytest.mark.parametrize("spoilt", ["signature", "claims"])
async def test_a_credential_that_we_did_not_sign(town: Town, spoilt: str) -> None:
    """What was handed out bears no signature of ours, or is not what was recorded."""
    person, handle = await town.person(), bytes.fromhex(town.held.answer["handle"])
    (issuance,) = await town.rows(tables.issuance, handle=handle)
    (credential,) = await town.rows(tables.credential, handle=handle)
    place = answer_place(issuance["id"])
    answer = orjson.loads(person.key.unseal(issuance["sealed_answer"], place))
    signed, *rest = answer["credential"].split("~")
    head, payload, signature = signed.split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    forged = [f"{head}.{payload}.{flipped}", *rest] if spoilt == "signature" else [signed, *rest[1:]]
    sealed = person.key.seal(orjson.dumps({**answer, "credential": "~".join(forged)}), place)

    failing = await town.failing(
        WriteSet((Change(tables.issuance, {"id": issuance["id"]}, {"sealed_answer": sealed}),))
    )

    expected = "our key signed it" if spoilt == "signature" else "it says what was decided"
    assert failing == {credential["ledger_index"]: {expected}}


async def test_a_wrong_opening(town: Town) -> None:
    """An opening that says something else than what was committed to, sealed as it should be."""
    person = await town.person()
    row = next(one for one in await town.rows(tables.ledger_record, person_id=person.id) if one["type"] != "cover")
    salt, record = split_opening(person.key.unseal(row["opening"], opening_place(row["handle"])))
    other = Record(record.type, bytes(32), record.kid, record.status, record.reason, record.decision)
    sealed = person.key.seal(salt + other.encode(), opening_place(row["handle"]))
    where = {"shard": row["shard"], "ledger_index": row["ledger_index"]}

    failing = await town.failing(WriteSet((Change(tables.ledger_record, where, {"opening": sealed}),)))

    assert "it opens" in failing[row["ledger_index"]]


async def test_an_opening_under_another_key(town: Town) -> None:
    """An opening that nobody's key opens any more."""
    person = await town.person()
    row = (await town.rows(tables.ledger_record, person_id=person.id))[0]
    where = {"shard": row["shard"], "ledger_index": row["ledger_index"]}

    failing = await town.failing(WriteSet((Change(tables.ledger_record, where, {"opening": bytes(60)}),)))

    assert failing == {row["ledger_index"]: {"it opens"}}


async def test_a_status_that_is_not_shown(town: Town) -> None:
    """A revoked copy whose index on the list was set back to valid."""
    revoked = next(row for row in await town.rows(tables.credential) if row["status"] == "invalid")
    place = {"status_list": revoked["status_list"], "status_index": revoked["status_index"]}

    failing = await town.failing(WriteSet((Change(tables.status_entry, place, {"value": 0}),)))

    assert failing[revoked["ledger_index"]] == {"the status list says what its row says"}
    assert {"the status list says so"} in failing.values()


@pytest.mark.parametrize(
    ("table", "column", "value", "check"),
    [
        (tables.security_key, "removed_at", None, "it is removed"),
        (tables.api_key, "actor", "Example Homes Ltd", "there is such a row"),
        (tables.api_key, "revoked_at", None, "it is over"),
    ],
)
async def test_rights_that_were_changed(town: Town, table: Table, column: str, value: Any, check: str) -> None:
    """A removed key that is back, an API key in other hands, one that was revoked and works again."""
    rows = [row for row in await town.rows(table) if row[column] is not None]
    changes = [Change(table, {"id": row["id"]}, {column: value}) for row in rows]

    failing = await town.failing(WriteSet(tuple(changes)))

    assert {check} in failing.values()


@pytest.mark.parametrize(
    ("table", "column", "value", "check"),
    [
        (tables.enrolment, "not_before", None, "there is such a row"),
        (tables.security_key, "suspended_at", 1, "it is in use again"),
        (tables.account, "role", "admin", "it is of this account"),
        (tables.authenticator_list, "document", b"{}", "there is such a row"),
        (tables.issuer_change, "document", b"{}", "there is such a row"),
        (tables.issuer_change, "decided_at", 1, "there is such a row"),
        (tables.metadata_blob, "blob", b"{}", "these metadata are there"),
    ],
)
async def test_what_rights_rest_on(town: Town, table: Table, column: str, value: Any, check: str) -> None:
    """A code from a counter that works at once, a key that two admins did not stop, a list that nobody decided."""
    rows = [row for row in await town.rows(table) if row[column] != value]
    keys = [column.name for column in table.primary_key.columns]
    changes = [Change(table, {name: row[name] for name in keys}, {column: value}) for row in rows]

    failing = await town.failing(WriteSet(tuple(changes)))

    assert any(check in checks for checks in failing.values())


async def test_a_row_that_is_gone(town: Town) -> None:
    """An entry without its row opens to nothing."""
    row = (await town.rows(tables.ledger_record))[-1]
    where = {"shard": row["shard"], "ledger_index": row["ledger_index"]}

    failing = await town.failing(WriteSet((Change(tables.ledger_record, where, {"handle": bytes(16)}),)))

    assert failing == {row["ledger_index"]: {"it has its row"}}


async def test_the_reader_is_not_the_writer(town: Town) -> None:
    """Nothing that an audit does leaves a mark."""
    before = len(await town.rows(tables.ledger_record)), len(await town.rows(tables.look))
    await town.audited()

    assert (len(await town.rows(tables.ledger_record)), len(await town.rows(tables.look))) == before


async def _published(town: Town) -> tuple[dict[str, Any], dict[str, bytes]]:
    drawn = await draw(town.served.office, 60)
    judged = [one async for one in judge(town.served.office, drawn)]
    return report(drawn, judged), proofs(judged)


async def test_a_report_can_be_published(town: Town) -> None:
    """It is checked with the log's keys alone; of entries about people it has neither type nor opening nor checks."""
    said, files = await _published(town)
    people = {row["ledger_index"] for row in await town.rows(tables.ledger_record) if row["person_id"] is not None}
    person, policy = await town.person(), town.served.office.log_book.policy

    assert list(contradictions(orjson.loads(orjson.dumps(said)), files, policy)) == []
    assert said["holds"]
    of_people = [one for one in said["entries"] if one["index"] in people]
    assert of_people
    assert {(one["type"], one["opened"], one["checks"]) for one in of_people} == {(None, False, None)}
    assert len(files) > 5
    published = b"".join([orjson.dumps(said), *files.values()])
    assert person.handle not in published
    assert person.handle.hex().encode() not in published


@pytest.mark.parametrize(
    "lie",
    [
        "another draw",
        "one left out",
        "an opening left out",
        "another's opening",
        "an opening of nothing",
        "nothing drawn",
        "a verdict",
    ],
)
async def test_a_report_that_lies(town: Town, lie: str) -> None:
    """Whoever chooses entries, leaves openings out or exchanges them is contradicted."""
    said, files = await _published(town)
    opened = [one for one in said["entries"] if one["opened"]]
    first, second = (f"{one['index']}.tlog-proof" for one in opened[:2])
    match lie:
        case "another draw":
            said["entries"].reverse()
        case "one left out":
            del said["entries"][3]
        case "an opening left out":
            del files[first]
        case "another's opening":
            files[first] = files[second]
        case "an opening of nothing":
            proof = TlogProof.decode(files[first])
            opening = replace(Opening.decode(proof.extra or b""), entry=b"no entry")
            files[first] = replace(proof, extra=opening.encode()).encode()
        case "nothing drawn":
            said["entries"] = []
        case "a verdict":
            said["entries"][0]["holds"] = False

    assert len(list(contradictions(said, files, town.served.office.log_book.policy))) == 1


async def test_a_report_of_what_was_not_asked_for(town: Town) -> None:
    """Another seed than the auditor's, and the beginning of a draw that had to be longer, are refused."""
    policy, seed = town.served.office.log_book.policy, b"\xa5" * 32
    drawn = await draw(town.served.office, 10, seed)
    judged = [one async for one in judge(town.served.office, drawn)]
    said, files = report(drawn, judged), proofs(judged)
    seedless, its_files = await _published(town)

    assert drawn.indices == tuple(sample(drawn.checkpoint.root, drawn.checkpoint.size, 10, seed))
    assert list(contradictions(said, files, policy, Asked(seed, 10))) == []
    assert list(contradictions(said, files, policy)) == []
    assert len(list(contradictions(said, files, policy, Asked(b"o" * 32, 10)))) == 1
    assert len(list(contradictions(said, files, policy, Asked(seed, 11)))) == 1
    assert len(list(contradictions(seedless, its_files, policy, Asked(seed)))) == 1
    assert len(list(contradictions({**said, "seed": "00" * 32}, files, policy))) == 1
    for spelt in (said["seed"].upper(), said["seed"][:-2], None):
        with pytest.raises(ReceiptError):
            list(contradictions({**said, "seed": spelt}, files, policy))


async def test_a_report_under_no_checkpoint(town: Town) -> None:
    """What is no report of this log is no report."""
    said, files = await _published(town)
    for wrong in ({**said, "version": "2"}, {**said, "checkpoint": "AAAA"}, {"version": said["version"]}):
        with pytest.raises(ReceiptError):
            list(contradictions(wrong, files, town.served.office.log_book.policy))
