"""All that is published of a demo in which people lived through everything: nothing in it tells of anybody."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from sqlalchemy import select

from idverify.app.demo import PEOPLE, furnish
from idverify.core.decision import REASONS, DecisionKind
from idverify.core.person import PersonDetails
from idverify.ledger.commitment import Record, opens
from idverify.ledger.entry import Entry
from idverify.ledger.sequencer import decode_bundle
from idverify.services.people import read_by_id
from idverify.services.records import ENTRY_TYPES, PUBLIC_TYPES, opening_place, split_opening
from idverify.stores import tables
from idverify.web.endpoint import Caller
from idverify.web.routes import ROUTES
from tests.simulators.acts import every_act
from tests.simulators.holder import decided_by_two, holding
from tests.simulators.scanner import SHORT, encodings, hashes, leaks
from tests.simulators.software_office import SoftwareOffice, software_office

pytestmark = pytest.mark.asyncio(loop_scope="module")

STAFF = ("Olive Officer", "Oscar Officer", "Ada Admin", "Abel Admin", "Otto Officer", "Demo set-up")


@dataclass(frozen=True)
class Town:
    """Files by their paths: ``log`` is the ledger, ``other`` everything else that anybody can fetch."""

    log: dict[str, bytes]
    other: dict[str, bytes]
    rows: dict[str, list[Any]]
    records: dict[int, Record]

    @property
    def entries(self) -> list[bytes]:
        """Every entry in order."""
        return [entry for path, file in self.log.items() if path.startswith("bundle") for entry in decode_bundle(file)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """The demo's people, collecting, shown, suspended and revoked; every act of the office; all of it published."""
    folder: Path = tmp_path_factory.mktemp("office")
    async with software_office(folder) as served:
        people = await furnish(served.office, folder)
        assert len(people) == len(PEOPLE)
        for reference in people:
            await holding(served.api, reference)
            await served.api.enrol_citizen(reference)
        await decided_by_two(served.api, people[0], "suspend", "under-review")
        await decided_by_two(served.api, people[1], "revoke", "fraud-found")
        records = await _records(served)
        await every_act(served)
        records |= await _records(served)
        await served.office.board.publish()
        await served.office.publisher.publish_once()
        yield Town(await _log(served), await _fetched(served), await _rows(served), records)


async def _rows(served: SoftwareOffice) -> dict[str, list[Any]]:
    return {table.name: await served.office.store.fetch(select(table), {}) for table in tables.metadata.sorted_tables}


async def _log(served: SoftwareOffice) -> dict[str, bytes]:
    """What the log's public files are made of."""
    rows = await _rows(served)
    return {
        **{f"bundle {row['shard']}/{row['first_index']}": row["entries"] for row in rows["ledger_bundle"]},
        **{f"leaves {row['shard']}/{row['first_index']}": row["leaf_hashes"] for row in rows["ledger_bundle"]},
        **{f"tile {row['shard']}/{row['level']}/{row['tile_index']}": row["hashes"] for row in rows["ledger_tile"]},
        **{f"checkpoint {row['shard']}/{row['size']}": row["note"] or b"" for row in rows["ledger_checkpoint"]},
    }


async def _fetched(served: SoftwareOffice) -> dict[str, bytes]:
    """Whatever anybody gets from the API without giving anything."""
    plain = [route.path for route in ROUTES if (route.method, route.caller) == ("GET", Caller.ANYBODY)]
    paths = [path for path in plain if "{" not in path] + ["/status/1"]
    files = {}
    for path in paths:
        status, body, _ = await served.api.send("GET", path)
        assert status == 200, path
        files[path] = body if isinstance(body, bytes) else orjson.dumps(body)
    assert len(files) >= 7
    return files


async def _records(served: SoftwareOffice) -> dict[int, Record]:
    """What the entries say, as whoever holds the keys reads it."""
    found = {}
    for row in (await _rows(served))["ledger_record"]:
        opening = row["opening"]
        if row["person_id"] is not None:
            person = await read_by_id(served.office, row["person_id"])
            opening = person.key.unseal(opening, opening_place(row["handle"]))
        if opening:
            found[row["ledger_index"]] = split_opening(opening)[1]
    return found


def of_people() -> dict[str, str]:
    """Everything about the demo's people that somebody might look for, alone and put together as lists have it."""
    found = {}
    for number, (described, _) in enumerate(PEOPLE):
        details = PersonDetails.model_validate(described)
        names, born = (details.family_name, details.given_name), details.birthdate
        found |= {
            f"{number} family name": names[0],
            f"{number} given names": names[1],
            f"{number} birth date": born.isoformat(),
            f"{number} birth date as in an MRZ": f"{born:%y%m%d}",
            f"{number} birth date as people write it": f"{born:%d/%m/%Y}",
            f"{number} nationality": details.nationalities[0],
            f"{number} whole name": " ".join(reversed(names)),
            f"{number} name and birth date": f"{names[0]}|{names[1]}|{born.isoformat()}",
            f"{number} details": details.model_dump_json(),
        }
        if details.travel_document is not None:
            document = details.travel_document
            found[f"{number} document number"] = document.number
            found[f"{number} look-up"] = f"travel-document|{document.issuing_state}|{document.type}|{document.number}"
    return found


def of_rows(town: Town) -> dict[str, bytes]:
    """References and keys that stand for people, of which the public must not see the same one twice."""
    named = {
        "person": ("id", "handle"),
        "account": ("id", "handle", "user_handle"),
        "security_key": ("handle", "credential_id", "cose_key"),
        "decision": ("handle",),
        "person_key": ("wrapped",),
    }
    return {
        f"{table}.{column} {number}": row[column]
        for table, columns in named.items()
        for number, row in enumerate(town.rows[table])
        for column in columns
    }


def of_types(town: Town) -> dict[str, str | bytes]:
    """What the coarse type hides: true types, reasons, keys, acts."""
    reasons = {f"reason {reason}": reason for kind in DecisionKind for reason in REASONS[kind]}
    kids = {f"kid {row['role']}": row["key_id"] for row in town.rows["signing_key"]}
    acts = {f"act {row['act']}": row["act"] for row in town.rows["authorisation"]}
    return {**{f"type {kind}": kind for kind in ENTRY_TYPES}, **reasons, **kids, **acts}


async def test_nobody_is_in_what_is_published(town: Town) -> None:
    """No detail of a person or of staff, plain, encoded or hashed, in any public file."""
    secrets = {**of_people(), **{f"staff {name}": name for name in STAFF}}
    assert len(town.entries) > 100

    found = leaks(town.log | town.other, secrets)

    # The API's description explains the code "QU"; it is the same for every deployment.
    assert [one for one in found if "nationality in /openapi.json as a word" not in one] == []


async def test_no_reference_is_in_what_is_published(town: Town) -> None:
    """Nothing that stands for somebody elsewhere stands for them in public: not even a hash of it."""
    assert leaks(town.log | town.other, of_rows(town)) == []


async def test_no_true_type_is_in_the_log(town: Town) -> None:
    """Neither true types nor reasons, acts and keys are in the log, plain, encoded or hashed."""
    assert leaks(town.log, of_types(town)) == []


async def test_no_dictionary_opens_a_commitment(town: Town) -> None:
    """Who knows all of a record but the salt cannot tell that an entry is of it, whatever they take for the salt."""
    opened = 0
    for index, record in town.records.items():
        entry, encoded = Entry.decode(town.entries[index]), record.encode()
        guesses = (b"", bytes(32), entry.handle, entry.handle * 2, entry.prev, hashlib.sha256(entry.handle).digest())
        found = {hashlib.sha256(encoded).digest(), hashlib.sha256(entry.handle + encoded).digest()}
        found |= {hmac.digest(guess, encoded, "sha256") for guess in guesses}
        found |= {record.object_digest, hashlib.sha256(record.object_digest).digest()}
        assert entry.digest not in found, record.type
        assert not opens(entry.prev, record, entry.digest)
        opened += 1

    assert {record.type for record in town.records.values()} >= {"credential.issued", "decision.revoke", "cover"}
    assert opened >= 90


async def test_an_entry_has_no_room(town: Town) -> None:
    """Every byte of an entry is fixed, counted, chained, or random: handles and digests occur once each."""
    entries = [Entry.decode(entry) for entry in town.entries]
    hidden = [entry for entry in entries if entry.type not in PUBLIC_TYPES]

    assert {len(entry) for entry in town.entries} == {102}
    assert all(entry.encode() == raw for entry, raw in zip(entries, town.entries, strict=True))
    assert len({entry.handle for entry in entries}) == len(entries)
    assert len({entry.digest for entry in hidden}) == len(hidden)
    assert all(entry.time % 60 == 0 for entry in entries)


async def test_the_scanner_would_find_it(town: Town) -> None:
    """What is planted in a public file is found in every form, also between random bytes."""
    victim = max(town.log, key=lambda path: len(town.log[path]))
    for what, secret in (of_people() | {"type": "decision.revoke"}).items():
        forms = hashes(secret) if len(secret) <= SHORT else encodings(secret) | hashes(secret)
        for form, hidden in forms.items():
            if len(hidden) <= SHORT:
                continue
            spoilt = {victim: town.log[victim][:50] + hidden + town.log[victim][50:]}
            assert any(found.endswith(f"as {form}") for found in leaks(spoilt, {what: secret})), (what, form)
    assert leaks({"text": b'{"nationality":"QU"}'}, {"nationality": "QU"}) == ["nationality in text as a word"]
