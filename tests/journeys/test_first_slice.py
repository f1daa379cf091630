"""The journey of a credential: from a person's record to a presentation, and from a decision to its refusal."""

from __future__ import annotations

import secrets

from idverify.core.policy import Role
from idverify.services.invite import Invited
from tests.simulators.contract import JudgedApi
from tests.simulators.holder import (
    collection,
    decided_by_two,
    detail,
    failed,
    holding,
    results,
    shown,
)
from tests.simulators.service import DETAILS, PERMISSION, VCT
from tests.simulators.soft_wallet import SoftWallet

CHOSEN = ["family_name", "work"]
SUSPEND = {"kind": "suspend", "reason": "under-review", "legal_basis": "Rules, part 9"}
REVOKE = {"kind": "revoke", "reason": "permission-cancelled", "legal_basis": "Rules, part 9"}


async def test_from_record_to_acceptance(api: JudgedApi) -> None:
    """A person is recorded, granted a status, collects a credential, shows two claims of it, and is accepted."""
    held = await holding(api)

    answer = await shown(api, "employer", held, CHOSEN)

    assert answer["verdict"] == "accept"
    assert answer["type"] == VCT
    assert answer["claims"] == {
        "family_name": "SPECIMEN",
        "work": {"allowed": "limited", "occupations_text": "Sponsored occupation only"},
    }
    assert failed(answer) == []
    assert results(answer)["holder_binding"] == results(answer)["audience"] == results(answer)["status"] == "pass"


async def test_suspended_and_reinstated(api: JudgedApi) -> None:
    """Two officers suspend: rejected with the reason. Two officers reinstate: accepted again."""
    held = await holding(api)

    suspended = await decided_by_two(api, held.person, "suspend", "under-review")
    refused = await shown(api, "employer", held, CHOSEN)
    reinstated = await decided_by_two(api, held.person, "reinstate", "review-closed")
    accepted = await shown(api, "employer", held, CHOSEN)

    assert (suspended["status"], suspended["credentials_changed"]) == ("suspended", 1)
    assert (refused["verdict"], failed(refused), refused["claims"]) == ("reject", ["status"], None)
    assert detail(refused, "status") == "Suspended by a recorded decision; it may be reinstated."
    assert (reinstated["status"], reinstated["credentials_changed"]) == ("active", 1)
    assert accepted["verdict"] == "accept"


async def test_revoked_for_good(api: JudgedApi) -> None:
    """A revocation by two officers rejects every copy at once, says why, and nothing can be collected any more."""
    first = await holding(api)
    second = await holding(api, first.person)

    revoked = await decided_by_two(api, first.person, "revoke", "permission-cancelled")

    assert (revoked["status"], revoked["credentials_changed"]) == ("revoked", 2)
    for held in (first, second):
        answer = await shown(api, "employer", held, CHOSEN)
        assert (answer["verdict"], failed(answer)) == ("reject", ["status"])
        assert detail(answer, "status").startswith("Revoked: ")
        assert "contest" in answer["next_step"]
    status, problem = await api.call("POST", f"/api/v1/people/{first.person}/offers", "officer", {"type": VCT})
    assert status == 422
    assert "revoked" in problem["detail"]


async def test_one_officer_is_not_two(api: JudgedApi) -> None:
    """Whoever proposed cannot approve, and no other role and no API key can; another officer can, once."""
    person = await api.person_with_status()
    waiting = await api.ok("POST", f"/api/v1/people/{person}/decisions", "officer", REVOKE)
    approval = f"/api/v1/proposals/{waiting['proposal']}/approval"

    refusals = [await api.call("POST", approval, who) for who in ("officer", "register", "employer", "admin")]

    assert [status for status, _ in refusals] == [403, 403, 403, 403]
    assert "Another officer" in refusals[0][1]["detail"]
    assert "an API key cannot" in refusals[1][1]["detail"]
    assert (await api.ok("GET", f"/api/v1/people/{person}", "officer"))["status"] == "active"
    assert (await api.ok("POST", approval, "second"))["status"] == "revoked"
    status, problem = await api.call("POST", approval, "second")
    assert (status, problem["type"]) == (409, "/problems/conflict")


async def test_nobody_enrols_twice_under_one_name(api: JudgedApi) -> None:
    """Two accounts of one officer would be two people to the rule: a name that reads the same is taken."""
    await api.identity("officer")
    code = await api.deployment.invite(Invited(Role.OFFICER))

    status, problem = await api.call(
        "POST", "/api/v1/enrolments/options", None, {"code": code, "name": "OLIVE officer"}
    )

    assert (status, problem["type"]) == (409, "/problems/conflict")


async def test_an_officers_system_keeps_people_and_no_more(api: JudgedApi) -> None:
    """An API key of an officers' system records, finds, reads and checks; it neither decides, offers nor enrols."""
    held = await holding(api)
    recorded = (await api.ok("POST", "/api/v1/people", "register", {"details": DETAILS}))["person"]
    await api.ok("GET", f"/api/v1/people/{recorded}", "register")
    await api.ok("GET", "/api/v1/proposals", "register")
    assert (await shown(api, "register", held, CHOSEN))["verdict"] == "accept"

    attempts = {"decisions": SUSPEND, "offers": {"type": VCT}, "enrolments": None}
    for act, body in attempts.items():
        status, problem = await api.call("POST", f"/api/v1/people/{held.person}/{act}", "register", body)
        assert (status, problem["type"]) == (403, "/problems/not-allowed"), act
        assert "an API key cannot" in problem["detail"]


async def test_a_proposal_waits_until_it_is_carried_out(api: JudgedApi) -> None:
    """An open proposal is listed with what it would do, and is gone from the list once carried out."""
    held = await holding(api)
    waiting = await api.ok("POST", f"/api/v1/people/{held.person}/decisions", "officer", SUSPEND)

    async def listed() -> list[dict[str, object]]:
        proposals = (await api.ok("GET", "/api/v1/proposals", "second"))["proposals"]
        return [proposal for proposal in proposals if proposal["proposal"] == waiting["proposal"]]

    (proposal,) = await listed()
    assert (proposal["person"], proposal["kind"], proposal["proposed_by"]) == (held.person, "suspend", "Olive Officer")
    assert (await shown(api, "employer", held, CHOSEN))["verdict"] == "accept"
    await api.ok("POST", f"/api/v1/proposals/{waiting['proposal']}/approval", "second")
    assert await listed() == []


async def test_a_varied_status_supersedes_its_copies(api: JudgedApi) -> None:
    """When the permission changes, what old copies say is no longer so: they are rejected, new ones accepted."""
    old = await holding(api)
    varied = {
        "kind": "vary",
        "reason": "conditions-changed",
        "legal_basis": "Rules, part 2",
        "permission": PERMISSION | {"work": {"allowed": "yes"}},
    }

    waiting = await api.ok("POST", f"/api/v1/people/{old.person}/decisions", "officer", varied)
    made = await api.ok("POST", f"/api/v1/proposals/{waiting['proposal']}/approval", "second")
    new = await holding(api, old.person)

    assert (made["status"], made["credentials_changed"]) == ("active", 1)
    assert (await shown(api, "employer", old, CHOSEN))["verdict"] == "reject"
    assert (await shown(api, "employer", new, CHOSEN))["claims"]["work"] == {"allowed": "yes"}


async def test_a_person_is_found_by_travel_document(api: JudgedApi) -> None:
    """The same travel document finds the person again, is refused for a second record, and another finds nobody."""
    passport = {
        "type": "P",
        "number": secrets.token_hex(4).upper(),
        "issuing_state": "UTO",
        "expiry": "2031-01-01",
    }
    details = {"details": DETAILS | {"travel_document": passport}}
    made = await api.ok("POST", "/api/v1/people", "officer", details)

    found = await api.ok("POST", "/api/v1/people/search", "second", {"travel_document": passport})
    again, problem = await api.call("POST", "/api/v1/people", "officer", details)
    unknown, _ = await api.call(
        "POST", "/api/v1/people/search", "officer", {"travel_document": passport | {"number": "NOBODY"}}
    )

    assert found == made
    assert (again, unknown) == (409, 404)
    assert "Search" in problem["detail"]


async def test_receipt_by_link(api: JudgedApi) -> None:
    """Without ``Prefer`` the credential comes at once and the receipt is had by its link; with it, both come."""
    person, wallet, key = await api.person_with_status(), SoftWallet(), secrets.token_hex(8)
    body = collection(wallet, await api.offer(person))

    answer = await api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key=key)
    proof = await api.ok("GET", answer["receipt_url"], Authorization=_bearer(answer), Prefer="wait=5")
    again = await api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key=key, Prefer="wait=2")

    assert answer["receipt"] is None
    assert proof.startswith(b"c2sp.org/tlog-proof@v1\n")
    assert again["receipt"].startswith("c2sp.org/tlog-proof@v1\n")
    assert f"\nindex {answer['ledger']['index']}\n".encode() in proof


async def test_a_wrong_receipt_token_tells_nothing(api: JudgedApi) -> None:
    """A wrong token and an unknown handle get the very same answer; no token at all is a 401."""
    one, other = (await holding(api)).answer, (await holding(api)).answer
    unknown = f"/api/v1/credentials/{secrets.token_hex(16)}/receipt"

    wrong = await api.call("GET", one["receipt_url"], headers={"Authorization": _bearer(other)})
    nowhere = await api.call("GET", unknown, headers={"Authorization": _bearer(other)})
    nothing = await api.call("GET", one["receipt_url"])

    assert wrong == nowhere
    assert wrong[0] == 404
    assert nothing[0] == 401


async def test_a_receipt_belongs_to_its_credential(api: JudgedApi) -> None:
    """A credential's own receipt passes the check; another credential's, or a changed one, rejects."""
    held, other = await holding(api, wait=5), await holding(api, wait=5)
    own = held.answer["receipt"]
    opening = own.index("extra ") + 40
    changed = own[:opening] + ("A" if own[opening] != "A" else "B") + own[opening + 1 :]

    passed = await shown(api, "employer", held, CHOSEN, receipt=own)
    borrowed = await shown(api, "employer", held, CHOSEN, receipt=other.answer["receipt"])
    forged = await shown(api, "employer", held, CHOSEN, receipt=changed)
    nonsense = await shown(api, "employer", held, CHOSEN, receipt="this is no receipt")

    assert (passed["verdict"], results(passed)["receipt"]) == ("accept", "pass")
    for refused in (borrowed, forged, nonsense):
        assert (refused["verdict"], failed(refused), refused["claims"]) == ("reject", ["receipt"], None)


def _bearer(answer: dict[str, str]) -> str:
    return f"Bearer {answer['receipt_token']}"
