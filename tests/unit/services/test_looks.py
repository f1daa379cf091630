"""Looks: whatever tells an officer something about a person, refusals too, leaves a look that the person can see."""

from __future__ import annotations

from typing import Any, Final

import pytest
from sqlalchemy import func, select

from idverify.stores import tables
from tests.simulators.service import DETAILS, PERMISSION, VCT
from tests.simulators.software_office import SoftwareOffice

PEOPLE: Final = "/api/v1/people"
PASSPORT: Final = {"type": "P", "issuing_state": "UTO", "number": "L898902C3", "expiry": "2031-01-01"}
RULINGS: Final[dict[str, dict[str, Any]]] = {
    "reinstate": {"kind": "reinstate", "reason": "review-closed", "legal_basis": "Rules, part 9"},
    "grant": {
        "kind": "grant",
        "reason": "application-granted",
        "legal_basis": "Rules, part 1",
        "permission": PERMISSION,
    },
}


async def _looks(served: SoftwareOffice) -> int:
    row: Any = await served.office.store.fetch_one(select(func.count().label("n")).select_from(tables.look), {})
    return int(row["n"])


async def _recorded(served: SoftwareOffice) -> str:
    """Somebody with a passport, and no status yet."""
    details = {**DETAILS, "travel_document": PASSPORT}
    return str((await served.api.ok("POST", PEOPLE, "officer", {"details": details}))["person"])


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/{person}/decisions", RULINGS["reinstate"], 422),
        ("/{person}/offers", {"type": VCT}, 422),
        ("", {"details": {**DETAILS, "travel_document": PASSPORT}}, 409),
    ],
    ids=["decision", "offer", "travel document"],
)
async def test_a_refusal_that_tells_something_is_a_look(
    served: SoftwareOffice, path: str, body: dict[str, Any], status: int
) -> None:
    """That a status does not allow it, or that a passport is on record, is told to nobody unseen."""
    person = await _recorded(served)
    before = await _looks(served)

    refused, _ = await served.api.call("POST", PEOPLE + path.format(person=person), "officer", body)

    added = await _looks(served) - before
    seen = (await served.api.ok("GET", f"{PEOPLE}/{person}", "officer"))["looks"]
    assert (refused, added) == (status, 1)
    assert (seen[0]["actor"], len(seen)) == ("Olive Officer", 2)  # the refusal, and this reading of the record


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("decisions", RULINGS["reinstate"]),
        ("decisions", RULINGS["grant"]),
        ("offers", {"type": VCT}),
        ("enrolments", None),
    ],
    ids=["reinstate", "grant", "offer", "slip"],
)
async def test_a_program_learns_nothing_from_trying(served: SoftwareOffice, act: str, body: Any) -> None:
    """Whether the person has a status, has none or is nowhere: an API key gets one answer, and there is no look."""
    people = [await served.api.person_with_status(), await _recorded(served), "0" * 32]
    before = await _looks(served)

    answers = [await served.api.call("POST", f"{PEOPLE}/{person}/{act}", "register", body) for person in people]

    assert {status for status, _ in answers} == {403}
    assert len({problem["detail"] for _, problem in answers}) == 1
    assert await _looks(served) == before
