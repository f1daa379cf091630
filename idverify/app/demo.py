"""The demo: a few synthetic people with decisions, and programs' API keys in files that only their owner can read.

Nothing of this exists outside demo mode. The people are invented; Utopia is the specimen country of ICAO 9303.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from idverify.app.private import write_private
from idverify.app.software_officer import SoftwareOfficer, software_officer
from idverify.core.assurance import IdentityAssurance
from idverify.core.credential_type import Purpose
from idverify.core.decision import DecisionKind, PersonStatus
from idverify.core.person import PersonDetails
from idverify.core.policy import Role
from idverify.core.types import credential_type
from idverify.core.types.driving_licence import DRIVING_LICENCE
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.core.types.pid import PID
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


_CHECKED: Final = {
    "checked_on": "2026-01-12",
    "confidence": "high",
    "profile": "H1B",
    "authentication": "high",
    "eidas": "high",
}


def _pid(number: str) -> dict[str, Any]:
    return {"date_of_issuance": "2026-01-15", "date_of_expiry": "2036-01-14", "document_number": number}


_LICENCE: Final = {
    "document_number": "MUSTE002281E99AB",
    "issue_date": "2024-03-01",
    "expiry_date": "2034-02-28",
    "driving_privileges": [{"vehicle_category_code": "B", "issue_date": "2024-03-01", "expiry_date": "2071-02-27"}],
    "provisional_driving_privileges": [{"vehicle_category_code": "A"}],
}


def _portrait(name: str) -> str:
    """A drawing (``.ci/portraits``), as records hold photos."""
    image = files("idverify.app").joinpath("portraits", f"{name}.jpg").read_bytes()
    return f"data:image/jpeg;base64,{base64.b64encode(image).decode()}"


# Details, and what each was given
PEOPLE: Final[tuple[tuple[dict[str, Any], dict[str, Any]], ...]] = (
    (
        {
            "family_name": "SPECIMEN",
            "given_name": "ANNA MARIA",
            "birthdate": "1974-08-12",
            "nationalities": ["QU"],
            "picture": _portrait("anna"),
            "travel_document": _passport("X0000001"),
            "title": "Dr",
            "sex": 2,
            "place_of_birth": {"locality": "Little Utopia", "country": "QU"},
            "birth_family_name": "BEISPIEL",
            "address": {
                "formatted": "1 High Street, Utopia City UT1 1AA",
                "street_address": "High Street",
                "house_number": "1",
                "postal_code": "UT1 1AA",
                "locality": "Utopia City",
            },
        },
        {IMMIGRATION_STATUS.id: _WORKER, PID.id: _pid("PID-0001")},
    ),
    (
        {
            "family_name": "MUSTER",
            "given_name": "ERIK",
            "birthdate": "2001-02-28",
            "nationalities": ["QU"],
            "picture": _portrait("erik"),
            "travel_document": _passport("X0000002"),
            "sex": 1,
            "place_of_birth": {"locality": "Utopia City", "country": "QU"},
        },
        {IMMIGRATION_STATUS.id: _STUDENT, PID.id: _pid("PID-0002"), DRIVING_LICENCE.id: _LICENCE},
    ),
    # Stateless and without a travel document: found by the reference alone
    (
        {
            "family_name": "EXEMPLAR",
            "given_name": "NIA",
            "birthdate": "1959-11-03",
            "nationalities": ["QS"],
            "picture": _portrait("nia"),
            "sex": 2,
            "place_of_birth": {"region": "Harbour Province"},
        },
        {IMMIGRATION_STATUS.id: _EVERYTHING, PID.id: _pid("PID-0003")},
    ),
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
        token = await access.create_key(office.store, office.doors, office.clock, office.entropy, actor, role, purpose)
        write_private(folder / f"{file}.key", f"{token}\n")
    async with software_officer(office, f"{SET_UP} {office.entropy(4).hex()}") as officer:
        references = [await _person(officer, *described) for described in PEOPLE]
    write_private(listed, "\n".join([*references, ""]))
    return references


async def _person(officer: SoftwareOfficer, details: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """The reference of a person with a status; a set-up that was cut off has left some of them."""
    office, who = officer.office, PersonDetails.model_validate(details)
    try:
        handle = await people.create(office, officer.principal, who)
    except Conflict:
        assert who.travel_document is not None
        handle = await people.find(office, officer.principal, who.travel_document)
    if (await people.read(office, handle)).status is not PersonStatus.NONE:
        return handle.hex()
    content = DecisionContent(
        legal_basis="Demo rules, part 1",
        permissions={
            type_id: credential_type(type_id).permission.model_validate(part).model_dump(mode="json")
            for type_id, part in given.items()
        },
        identity_assurance=IdentityAssurance.model_validate(_CHECKED),
    )
    ruling = Ruling(handle, DecisionKind.GRANT, "application-granted", content)
    await officer.confirm(lambda principal, given: decide.decide(office, principal, ruling, given))
    return handle.hex()
