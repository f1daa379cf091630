"""The demo: a few synthetic people with decisions, and programs' API keys in files that only their owner can read.

Nothing of this exists outside demo mode. The people are invented; Utopia is the specimen country of ICAO 9303.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from idverify.app.private import write_private
from idverify.app.software_officer import SoftwareOfficer, software_officer
from idverify.core.credential_type import Purpose
from idverify.core.decision import DecisionKind, PersonStatus
from idverify.core.person import PersonDetails
from idverify.core.policy import Role
from idverify.core.types.immigration_status import IMMIGRATION_STATUS, ImmigrationPermission
from idverify.errors import Conflict
from idverify.services import access, decide, people
from idverify.services.decide import Ruling
from idverify.services.office import Office
from idverify.services.sealed import DecisionContent

FOLDER: Final = "demo"
REFERENCES: Final = "people.txt"

SET_UP: Final = "Demo set-up"
"""How the names of accounts begin that nobody can sign in to: one for every time the demo was begun."""

KEYS: Final[tuple[tuple[str, str, Role, Purpose | None], ...]] = (
    ("employer", "Example Employer Ltd", Role.RELYING_PARTY, Purpose.WORK),
    ("metrics", "Monitoring", Role.ADMIN, None),
)

_EVERYTHING: Final = {
    "status_type": {"code": "SETTLED", "text": "Settled status"},
    "permission_start": "2024-01-15",
    "permission_end": None,
    "work": {"allowed": "yes"},
    "study": {"allowed": "yes"},
    "rent": {"allowed": "yes"},
    "travel": {"allowed": "yes"},
    "public_funds": {"recourse": True},
}
_WORKER: Final = _EVERYTHING | {
    "status_type": {"code": "SKILLED-WORKER", "text": "Skilled worker"},
    "permission_end": "2031-06-30",
    "conditions": ["NO-PUBLIC-FUNDS"],
    "work": {"allowed": "limited", "occupations_text": "Sponsored occupation only", "self_employed": False},
    "public_funds": {"recourse": False},
}
_STUDENT: Final = _WORKER | {
    "status_type": {"code": "STUDENT", "text": "Student"},
    "permission_end": "2029-09-30",
    "work": {"allowed": "limited", "hours_per_week": 20, "self_employed": False},
}


def _passport(number: str) -> dict[str, str]:
    return {"type": "P", "number": number, "issuing_state": "UTO", "expiry": "2034-05-31"}


PEOPLE: Final = (
    (
        {
            "family_name": "SPECIMEN",
            "given_name": "ANNA MARIA",
            "birthdate": "1974-08-12",
            "nationalities": ["QU"],
            "travel_document": _passport("X0000001"),
        },
        _WORKER,
    ),
    (
        {
            "family_name": "MUSTER",
            "given_name": "ERIK",
            "birthdate": "2001-02-28",
            "nationalities": ["QU"],
            "travel_document": _passport("X0000002"),
        },
        _STUDENT,
    ),
    # Stateless and without a travel document: found by the reference alone
    ({"family_name": "EXEMPLAR", "given_name": "NIA", "birthdate": "1959-11-03", "nationalities": ["QS"]}, _EVERYTHING),
)


async def furnish(office: Office, data: Path) -> list[str]:
    """The demo's people and keys, made unless they are there; references of the people who hold a status now."""
    folder = data / FOLDER
    listed = folder / REFERENCES
    if listed.exists():
        known = listed.read_text().split()
        held = [await people.read(office, bytes.fromhex(reference)) for reference in known]
        return [person.handle.hex() for person in held if person.status is PersonStatus.ACTIVE]
    folder.mkdir(mode=0o700, exist_ok=True)
    for file, actor, role, purpose in KEYS:
        token = await access.create_key(office.store, office.clock, office.entropy, actor, role, purpose)
        write_private(folder / f"{file}.key", f"{token}\n")
    async with software_officer(office, f"{SET_UP} {office.entropy(4).hex()}") as officer:
        references = [await _person(officer, *described) for described in PEOPLE]
    write_private(listed, "\n".join([*references, ""]))
    return references


async def _person(officer: SoftwareOfficer, details: Mapping[str, Any], permission: Mapping[str, Any]) -> str:
    """The reference of a person with a status; a set-up that was cut off has left some of them."""
    office, who = officer.office, PersonDetails.model_validate(details)
    try:
        handle = await people.create(office, officer.principal, who)
    except Conflict:
        assert who.travel_document is not None
        handle = await people.find(office, officer.principal, who.travel_document)
    if (await people.read(office, handle)).status is not PersonStatus.NONE:
        return handle.hex()
    granted = ImmigrationPermission.model_validate(permission).model_dump(mode="json")
    content = DecisionContent(legal_basis="Demo rules, part 1", permissions={IMMIGRATION_STATUS.id: granted})
    ruling = Ruling(handle, DecisionKind.GRANT, "application-granted", content)
    await officer.confirm(lambda principal, given: decide.decide(office, principal, ruling, given))
    return handle.hex()
