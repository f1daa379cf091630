"""Keeping people: an officer records who somebody is, finds them again, and sees what is held on them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idverify.core.decision import PersonStatus
from idverify.core.person import PersonDetails, TravelDocumentNumber
from idverify.core.policy import Act, Principal, require_may, require_person
from idverify.errors import Conflict, NotAllowed, NotFound, Unprocessable
from idverify.ports import Custodian
from idverify.services.office import Office
from idverify.services.records import About
from idverify.services.sealed import DecisionContent, seal_details, unseal_content, unseal_details
from idverify.stores import queries, tables
from idverify.stores.vault import PersonKey
from idverify.stores.writes import Insert, WriteSet


@dataclass(frozen=True, slots=True)
class Person:
    """A person as read: plain columns, and the key that opens the rest."""

    id: bytes
    handle: bytes
    status: PersonStatus
    permission_decision_id: bytes | None
    version: int
    details: PersonDetails
    key: PersonKey


class _Known(Conflict):
    """The travel document is that of a person on record."""


async def create(office: Office, officer: Principal, details: PersonDetails) -> bytes:
    """Record a person; their handle. A travel document that is known already is a ``Conflict``.

    While the log is halted nobody is recorded: the database may be an older one, and a newer one may take its place.
    """
    require_may(officer, Act.KEEP_PEOPLE)
    office.log_book.require_open()
    person_id, handle = office.new_id(), office.new_handle()
    key, key_rows = await office.vault.new_key(person_id)
    row = {
        "id": person_id,
        "issuer_id": office.deployment.issuer_id,
        "handle": handle,
        "status": PersonStatus.NONE.value,
        "permission_decision_id": None,
        "version": 0,
        "sealed": seal_details(key, person_id, details),
        "created_by": officer.actor,
        "created_at": office.clock.now(),
    }
    writes = [Insert(tables.person, row), *key_rows]
    if details.travel_document is not None:
        known = _Known("A person with this travel document is on record already. Search for them instead.")
        writes += await lookups(office.custodian, person_id, details.travel_document, known)
    try:
        await office.store.commit(WriteSet(tuple(writes)))
    except _Known:  # which tells the officer that this person is on record: a look like a search
        if details.travel_document is not None:
            await find(office, officer, details.travel_document)
        raise
    return handle


async def find(office: Office, officer: Principal, document: TravelDocumentNumber) -> bytes:
    """The handle of the person with this travel document. Raises ``NotFound``."""
    require_may(officer, Act.KEEP_PEOPLE)
    row = await _found(office, document)
    if row is None:
        raise NotFound("No person with this travel document is on record.")
    await record_view(office, officer, row["id"])
    return bytes(row["handle"])


async def read(office: Office, handle: bytes) -> Person:
    """The person with this handle. Raises ``NotFound``."""
    row = await office.store.fetch_one(queries.PERSON_BY_HANDLE, {"handle": handle})
    if row is None:
        raise NotFound("No person with this reference is on record.")
    return await _opened(office, row)


async def read_by_id(office: Office, person_id: bytes) -> Person:
    """A person by row id, which only rows of ours hold."""
    row = await office.store.fetch_one(queries.PERSON_BY_ID, {"id": person_id})
    if row is None:
        raise NotFound("This person's record was erased.")
    return await _opened(office, row)


async def about(office: Office, person_id: bytes | None) -> About | None:
    """Whom an act on somebody's account is about: a citizen's is about the person whose account it is."""
    if person_id is None:
        return None
    person = await read_by_id(office, person_id)
    return person.id, person.key


async def _opened(office: Office, row: Any) -> Person:
    key = await office.person_key(row, row["id"])
    return Person(
        row["id"],
        row["handle"],
        PersonStatus(row["status"]),
        row["permission_decision_id"],
        row["version"],
        unseal_details(key, row["id"], row["sealed"]),
        key,
    )


async def overview(office: Office, officer: Principal, handle: bytes) -> Mapping[str, Any]:
    """What is held on a person: details, decisions, copies, and who looked."""
    require_may(officer, Act.KEEP_PEOPLE)
    person = await read(office, handle)
    await record_view(office, officer, person.id)
    return await held(office, person)


async def identify(office: Office, officer: Principal, handle: bytes) -> PersonDetails:
    """Who a reference stands for. Raises ``NotFound``; whoever is found can see who asked."""
    require_may(officer, Act.KEEP_PEOPLE)
    person = await read(office, handle)
    await record_view(office, officer, person.id)
    return person.details


async def own_record(office: Office, citizen: Principal) -> Mapping[str, Any]:
    """The same for the person it is about; looking at oneself leaves no look."""
    require_may(citizen, Act.SEE_OWN_RECORD)
    return await held(office, await own_person(office, citizen))


async def own_person(office: Office, citizen: Principal) -> Person:
    """The person that a citizen's account belongs to."""
    person_id = require_person(citizen).person
    if person_id is None:
        raise NotAllowed("This account belongs to no person's record.")
    return await read_by_id(office, person_id)


async def held(office: Office, person: Person) -> Mapping[str, Any]:
    """Everything held on a person. ``permissions`` and ``assurance`` are of the last decision that gave any."""
    of_person = {"person_id": person.id}
    decisions: list[tuple[Any, DecisionContent]] = [
        (row, unseal_content(person.key, "decision", row["id"], row["sealed"]))
        for row in await office.store.fetch(queries.DECISIONS_OF_PERSON, of_person)
    ]
    given = next((content for row, content in decisions if row["id"] == person.permission_decision_id), None)
    return {
        "reference": person.handle,
        "status": person.status.value,
        "details": person.details,
        "permissions": {} if given is None else given.permissions or {},
        "assurance": None if given is None else given.identity_assurance,
        "decisions": [(row, content.legal_basis) for row, content in decisions],
        "credentials": await office.store.fetch(queries.CREDENTIALS_OF_PERSON, of_person),
        "looks": await office.store.fetch(queries.LOOKS_AT_PERSON, of_person),
    }


async def decision_in_force(office: Office, person: Person) -> DecisionContent:
    """What the decision says that gave the person what they hold. Raises ``Unprocessable`` if there is none."""
    row: Any = await office.store.fetch_one(queries.DECISION, {"id": person.permission_decision_id})
    if row is None:
        raise Unprocessable("No decision has granted this person a status yet.")
    return unseal_content(person.key, "decision", row["id"], row["sealed"])


async def record_view(office: Office, officer: Principal, person_id: bytes) -> None:
    """Whoever reads a record leaves a look that its subject can see, durable before the answer."""
    await office.store.commit(WriteSet((look(office, officer, person_id, "record", "viewed"),)))


def look(office: Office, who: Principal, person_id: bytes, channel: str, verdict: str) -> Insert:
    """The row that tells a person who did what with their record."""
    row = {
        "id": office.new_id(),
        "person_id": person_id,
        "looked_at": office.clock.now(),
        "actor": who.actor,
        "role": who.role.value,
        "purpose": None,
        "channel": channel,
        "verdict": verdict,
        "status_list": None,
        "status_index": None,
    }
    return Insert(tables.look, row)


async def lookups(
    custodian: Custodian, person_id: bytes, document: TravelDocumentNumber, known: Conflict
) -> list[Insert]:
    """What a person is found by, on every token that is there; ``known`` is raised where somebody has it already."""
    blinded = (await _blind(custodian, document)).items()
    rows = ({"lookup_key_id": key, "mac": mac, "person_id": person_id} for key, mac in blinded)
    return [Insert(tables.person_lookup, row, known) for row in rows]


async def _found(office: Office, document: TravelDocumentNumber) -> Any:
    """By whichever token: somebody recorded while one was away is not known to that one yet."""
    for key, mac in (await _blind(office.custodian, document)).items():
        row = await office.store.fetch_one(queries.PERSON_BY_LOOKUP, {"lookup_key_id": key, "mac": mac})
        if row is not None:
            return row
    return None


async def _blind(custodian: Custodian, document: TravelDocumentNumber) -> Mapping[bytes, bytes]:
    name = f"travel-document|{document.issuing_state}|{document.type}|{document.number}"
    return await custodian.blind(hashlib.sha256(name.encode()).digest())
