"""What is given type by type: what may be, what a change supersedes, and what was given before types were several."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import orjson
import pytest

from idverify.core.decision import DecisionKind
from idverify.core.types.immigration_status import IMMIGRATION_STATUS, ImmigrationPermission
from idverify.core.types.pid import PID
from idverify.errors import Unprocessable
from idverify.services.decide import Decided, Ruling, approve, decide, object_digest
from idverify.services.permissions import changed_types
from idverify.services.proposals import Proposed
from idverify.services.sealed import DecisionContent, read_content
from tests.simulators.holder import collection
from tests.simulators.service import DETAILS, PERMISSION
from tests.simulators.soft_wallet import SoftWallet
from tests.simulators.software_office import SoftwareOffice

STATUS: dict[str, Any] = ImmigrationPermission.model_validate(PERMISSION).model_dump(mode="json")
PID_PART = {"date_of_issuance": "2026-01-01", "date_of_expiry": "2035-12-31", "document_number": None}
HIGH = {"checked_on": "2026-05-03", "eidas": "high"}
BOTH = {IMMIGRATION_STATUS.id: STATUS, PID.id: PID_PART}
BORN = {"place_of_birth": {"country": "QU", "locality": "Little Utopia"}}


def said(permissions: dict[str, Any] | None, assurance: dict[str, Any] | None = None) -> DecisionContent:
    return DecisionContent.model_validate(
        {"legal_basis": "Rules, part 9", "permissions": permissions, "identity_assurance": assurance}
    )


async def person(served: SoftwareOffice, **details: Any) -> bytes:
    """Somebody on record to whom nothing was given."""
    body = {"details": DETAILS | details}
    return bytes.fromhex((await served.api.ok("POST", "/api/v1/people", "officer", body))["person"])


async def decided(served: SoftwareOffice, ruling: Ruling) -> Any:
    return await served.confirmed("officer", lambda who, given: decide(served.office, who, ruling, given))


async def granted(served: SoftwareOffice, content: DecisionContent, **details: Any) -> bytes:
    """Somebody who was given this."""
    whom = await person(served, **details)
    await decided(served, Ruling(whom, DecisionKind.GRANT, "application-granted", content))
    return whom


async def varied(served: SoftwareOffice, whom: bytes, content: DecisionContent) -> Decided:
    """A change that two officers took."""
    waits = await decided(served, Ruling(whom, DecisionKind.VARY, "extended", content))
    assert isinstance(waits, Proposed)
    return await served.confirmed("second", lambda who, given: approve(served.office, who, waits.handle, given))


async def collect(served: SoftwareOffice, whom: bytes, type_id: str) -> dict[str, Any]:
    offer = await served.api.ok("POST", f"/api/v1/people/{whom.hex()}/offers", "officer", {"type": type_id})
    body = collection(SoftWallet(), offer)
    key = secrets.token_hex(8)
    answer: dict[str, Any] = await served.api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key=key)
    return answer


async def copies(served: SoftwareOffice, whom: bytes) -> dict[str, str]:
    shown = await served.api.ok("GET", f"/api/v1/people/{whom.hex()}", "officer")
    return {copy["type"]: copy["status"] for copy in shown["credentials"]}


@pytest.fixture
async def holder(served: SoftwareOffice) -> bytes:
    """Somebody who holds a copy of both."""
    whom = await granted(served, said(BOTH, HIGH), **BORN)
    for type_id in BOTH:
        await collect(served, whom, type_id)
    return whom


@pytest.mark.parametrize(
    ("content", "status", "pid"),
    [
        (said({**BOTH, PID.id: PID_PART | {"document_number": "PID-2"}}, HIGH), "valid", "invalid"),
        (said({IMMIGRATION_STATUS.id: STATUS}, HIGH), "valid", "invalid"),
        (said({**BOTH, IMMIGRATION_STATUS.id: STATUS | {"permission_end": "2030-01-01"}}, HIGH), "invalid", "valid"),
        (said(BOTH, HIGH), "valid", "valid"),
        (said(BOTH, HIGH | {"checked_on": "2026-05-04"}), "invalid", "invalid"),
    ],
    ids=["a part changed", "a part went", "the other changed", "nothing changed", "the identity was checked anew"],
)
async def test_a_change_supersedes_what_it_changes(
    served: SoftwareOffice, holder: bytes, content: DecisionContent, status: str, pid: str
) -> None:
    """Copies of a type of which nothing changed stay valid; the rest is superseded, in the same transaction."""
    made = await varied(served, holder, content)

    assert await copies(served, holder) == {IMMIGRATION_STATUS.id: status, PID.id: pid}
    assert made.copies == [status, pid].count("invalid")


async def test_every_other_decision_touches_all(served: SoftwareOffice, holder: bytes) -> None:
    """One person has one status."""
    ruling = Ruling(holder, DecisionKind.SUSPEND, "under-review", said(None))
    waits = await decided(served, ruling)
    await served.confirmed("second", lambda who, given: approve(served.office, who, waits.handle, given))

    assert set((await copies(served, holder)).values()) == {"suspended"}


async def test_what_was_not_given_is_not_handed_out(served: SoftwareOffice) -> None:
    """A status in force is no PID."""
    whom = await granted(served, said({IMMIGRATION_STATUS.id: STATUS}))
    status, problem = await served.api.call("POST", f"/api/v1/people/{whom.hex()}/offers", "officer", {"type": PID.id})

    assert (status, problem["detail"]) == (422, "The decision in force gives this person no document of this type.")


async def test_an_offer_of_what_was_taken_away_since(served: SoftwareOffice, holder: bytes) -> None:
    """An offer that was made while it was given is not collected once it is not."""
    offer = await served.api.ok("POST", f"/api/v1/people/{holder.hex()}/offers", "officer", {"type": PID.id})
    await varied(served, holder, said({IMMIGRATION_STATUS.id: STATUS}, HIGH))
    status, problem = await served.api.call(
        "POST", "/api/v1/credentials", None, collection(SoftWallet(), offer), {"Idempotency-Key": secrets.token_hex(8)}
    )

    assert (status, problem["type"]) == (422, "/problems/unprocessable")


@pytest.mark.parametrize(
    ("content", "details", "sentence"),
    [
        (said({}), {}, "needs the permission"),
        (said({"urn:example:library-card:1": {}}), {}, "The type must be one of"),
        (said({PID.id: PID_PART}, HIGH), {}, "whose record lacks: place_of_birth"),
        (said({PID.id: PID_PART}), BORN, "checked to this level at least: eIDAS high"),
        (said({PID.id: PID_PART}, HIGH | {"eidas": "substantial"}), BORN, "at least: eIDAS high"),
    ],
)
async def test_what_may_not_be_given(
    served: SoftwareOffice, content: DecisionContent, details: dict[str, Any], sentence: str
) -> None:
    """Each refusal says what is missing."""
    whom = await person(served, **details)
    with pytest.raises(Unprocessable, match=sentence):
        await decided(served, Ruling(whom, DecisionKind.GRANT, "application-granted", content))


async def test_both_ways_to_say_it_are_refused_together(served: SoftwareOffice) -> None:
    """The short form is the immigration status alone; whoever sends both may mean either."""
    whom = await person(served)
    body = {
        "kind": "grant",
        "reason": "application-granted",
        "legal_basis": "Rules, part 9",
        "permission": PERMISSION,
        "permissions": {IMMIGRATION_STATUS.id: PERMISSION},
    }
    status, problem = await served.api.call("POST", f"/api/v1/people/{whom.hex()}/decisions", "officer", body)

    assert status == 400
    assert "give permission or permissions, not both" in problem["errors"][0]["expected"]


async def test_a_copy_says_how_the_identity_was_checked(served: SoftwareOffice, holder: bytes) -> None:
    """The decision's record stands in the copy, for whoever it is shown to."""
    answer = await collect(served, holder, PID.id)
    shown = await served.api.ok("POST", "/api/v1/verify", "officer", {"document": answer["credential"]})

    assert shown["claims"]["identity_assurance"] == {"time": "2026-05-03", "eidas_level": "high"}


# --- what was recorded before there were several types --------------------------------------------------------------

OLD = {"legal_basis": "Rules, part 1", "permission": STATUS}
ROW = {
    "handle": bytes(16),
    "kind": "grant",
    "reason": "application-granted",
    "decided_by": "Olive Officer",
    "approved_by": None,
    "decided_at": 1_790_000_000,
}


def test_what_was_recorded_before_stays_as_it_was() -> None:
    """Read as an immigration status; written, committed to and confirmed exactly as then."""
    content = read_content(OLD)

    assert content.permissions == {IMMIGRATION_STATUS.id: STATUS}
    assert content.to_json() == OLD
    assert read_content(orjson.loads(orjson.dumps(content.to_json()))) == content
    ruling = Ruling(bytes(16), DecisionKind.GRANT, "application-granted", content)
    assert ruling.action().content == {"kind": "grant", "reason": "application-granted", **OLD}
    # The digest that a ledger of then holds, by the rule of then
    fields = [bytes(16).hex(), "grant", "application-granted", "Olive Officer", None, ["ab"], 1_790_000_000, OLD]
    then = hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).digest()
    assert object_digest(ROW, ["ab"], content) == then


def test_a_decision_of_before_that_gave_nothing() -> None:
    """A suspension, a revocation, the grounds of an erasure."""
    bare = {"legal_basis": "Rules, part 9", "permission": None}

    assert read_content(bare).permissions is None
    assert read_content(bare).to_json() == bare


def test_forms_are_told_apart() -> None:
    """The same said in the new form is another object to the ledger: the one recorded must be the one confirmed."""
    new = said({IMMIGRATION_STATUS.id: STATUS}).model_copy(update={"legal_basis": "Rules, part 1"})

    assert object_digest(ROW, [], new) != object_digest(ROW, [], read_content(OLD))


def test_a_part_written_without_a_later_field_is_no_change() -> None:
    """What is left out and what has its default mean the same."""
    short = {name: value for name, value in STATUS.items() if name not in {"sponsor_ref", "conditions"}}

    assert changed_types(said({IMMIGRATION_STATUS.id: short}), said({IMMIGRATION_STATUS.id: STATUS})) == frozenset()
    assert changed_types(said({"urn:gone:1": {"a": 1}}), said({"urn:gone:1": {"a": 2}})) == {"urn:gone:1"}
