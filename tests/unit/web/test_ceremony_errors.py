"""Every error of a ceremony, provoked over HTTP: its code, its status, and the sentence that the page promises."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import select

from idverify.auth.key_policy import KEY_POLICIES
from idverify.core.policy import Role
from idverify.services.attempts import MOST_FAILURES, WINDOW_SECONDS
from idverify.services.ceremonies import SECONDS, Ceremony
from idverify.services.invite import Invited
from idverify.stores import tables
from idverify.stores.writes import Change, WriteSet
from tests.simulators.authenticator import BE, UP, UV, text
from tests.simulators.service import VCT
from tests.simulators.signed_in import PersonalKey, step_up_header
from tests.simulators.software_office import SoftwareOffice

SIGN_IN: Final = "/api/v1/sign-in"
ENROLMENTS: Final = "/api/v1/enrolments"
PAGE = Path(__file__).resolve().parents[3] / "docs" / "security-keys.md"
ROW = re.compile(r"^\| `([a-z-]+)`(?:, `([a-z-]+)`)? \| (\d{3}) \| (\S.*\.) \|$", re.MULTILINE)
PROMISED = ROW.findall(PAGE.read_text())
Exchange = tuple[int, Any, Any]
Provoke = Callable[[SoftwareOffice], Awaitable[Exchange]]


async def _officer(served: SoftwareOffice) -> PersonalKey:
    await served.api.identity("officer")
    return served.api.deployment.people["officer"].key


async def _begun(served: SoftwareOffice) -> Any:
    return await served.api.begun(f"{SIGN_IN}/options")


async def _send(served: SoftwareOffice, begun: Any, response: Any) -> Exchange:
    return await served.api.send("POST", SIGN_IN, {"ceremony": begun["ceremony"], "response": response})


async def _signing_in(served: SoftwareOffice, origin: str | None = None, **said: int) -> Exchange:
    key, begun = await _officer(served), await _begun(served)
    return await _send(served, begun, key.get(begun["public_key"], origin or served.api.deployment.url, **said))


async def _enrolling(served: SoftwareOffice, invited: Invited, key: PersonalKey, **said: int) -> Exchange:
    return await _with_code(served, await served.api.deployment.invite(invited), key, **said)


async def _with_code(served: SoftwareOffice, code: str, key: PersonalKey, **said: int) -> Exchange:
    asked = {"code": code, "name": None}
    status, begun, headers = await served.api.send("POST", f"{ENROLMENTS}/options", asked)
    if status != 201:
        return status, begun, headers
    response = key.create(begun["public_key"], served.api.deployment.url, **said)
    return await served.api.send("POST", ENROLMENTS, {**asked, "ceremony": begun["ceremony"], "response": response})


async def _malformed_request(served: SoftwareOffice) -> Exchange:
    return await served.api.send("POST", SIGN_IN, {"ceremony": 7})


async def _ceremony_malformed(served: SoftwareOffice) -> Exchange:
    return await _send(served, await _begun(served), {"type": "public-key", "id": "AA", "rawId": "AA", "response": {}})


async def _ceremony_expired(served: SoftwareOffice) -> Exchange:
    key, begun = await _officer(served), await _begun(served)
    served.clock.advance(SECONDS[Ceremony.SIGN_IN])
    return await _send(served, begun, key.get(begun["public_key"], served.api.deployment.url))


async def _ceremony_used(served: SoftwareOffice) -> Exchange:
    key, begun = await _officer(served), await _begun(served)
    response = key.get(begun["public_key"], served.api.deployment.url)
    assert (await _send(served, begun, response))[0] == 200
    return await _send(served, begun, response)


async def _origin_not_allowed(served: SoftwareOffice) -> Exchange:
    return await _signing_in(served, "https://evil.example")


async def _verification_failed(served: SoftwareOffice) -> Exchange:
    await _officer(served)
    return await _unknown_credential(served)


async def _user_verification_needed(served: SoftwareOffice) -> Exchange:
    return await _signing_in(served, flags=UP)


async def _key_already_registered(served: SoftwareOffice) -> Exchange:
    return await _enrolling(served, Invited(Role.ADMIN, "Nora Newcomer"), await _officer(served))


async def _key_not_allowed(served: SoftwareOffice) -> Exchange:
    return await _enrolling(served, Invited(Role.OFFICER, "Nora Newcomer"), PersonalKey(), flags=UP | UV | BE)


async def _too_many_keys(served: SoftwareOffice) -> Exchange:
    citizen = await served.api.enrol_citizen(await served.api.person_with_status())
    for _ in range(KEY_POLICIES[Role.CITIZEN].most_keys - 1):
        begun = await served.api.ok("POST", "/api/v1/security-keys/options", citizen)
        response = PersonalKey().create(begun["public_key"], served.api.deployment.url)
        body = {"ceremony": begun["ceremony"], "response": response, "key_name": "spare"}
        await served.api.ok("POST", "/api/v1/security-keys", citizen, body)
    headers = await served.api.identity(citizen)
    return await served.api.send("POST", "/api/v1/security-keys/options", headers=headers)


async def _key_suspended(served: SoftwareOffice) -> Exchange:
    await _officer(served)
    change = Change(tables.security_key, {"suspended_at": None}, {"suspended_at": served.clock.now()})
    await served.office.store.commit(WriteSet((change,)))
    return await _signing_in(served)


async def _step_up_required(served: SoftwareOffice) -> Exchange:
    path = f"/api/v1/people/{await served.api.person_with_status()}/offers"
    return await served.api.send("POST", path, {"type": VCT}, await served.api.identity("officer"))


async def _too_many_attempts(served: SoftwareOffice) -> Exchange:
    code = await served.api.deployment.invite(Invited(Role.OFFICER, "Nora Newcomer"))
    for _ in range(MOST_FAILURES):
        assert (await _with_code(served, code, PersonalKey(), flags=UP))[0] == 401
    return await _with_code(served, code, PersonalKey())


async def _key_removed(served: SoftwareOffice) -> Exchange:
    key, begun = await _officer(served), await _begun(served)
    gone = Change(tables.security_key, {"removed_at": None}, {"removed_at": served.clock.now()})
    await served.office.store.commit(WriteSet((gone,)))
    return await _send(served, begun, key.get(begun["public_key"], served.api.deployment.url))


PROVOKED: dict[str, Provoke] = {
    "malformed-request": _malformed_request,
    "ceremony-malformed": _ceremony_malformed,
    "ceremony-expired": _ceremony_expired,
    "ceremony-used": _ceremony_used,
    "origin-not-allowed": _origin_not_allowed,
    "verification-failed": _verification_failed,
    "key-removed": _key_removed,
    "user-verification-needed": _user_verification_needed,
    "key-already-registered": _key_already_registered,
    "key-not-allowed": _key_not_allowed,
    "too-many-keys": _too_many_keys,
    "key-suspended": _key_suspended,
    "step-up-required": _step_up_required,
    "too-many-attempts": _too_many_attempts,
}


def test_the_page_promises_each_of_them() -> None:
    """The table has a row for each, and no other."""
    assert sorted({code for code, *_ in PROMISED}) == sorted(PROVOKED)


@pytest.mark.parametrize("code", PROVOKED)
async def test_error(served: SoftwareOffice, code: str) -> None:
    """The code, the status and the sentence that the page promises; and the member or header that goes with it."""
    status, problem, headers = await PROVOKED[code](served)

    assert (code, problem.get("reason", ""), str(status), problem["detail"]) in PROMISED
    assert problem["type"] == f"/problems/{code}"
    assert (status == 429) == ("Retry-After" in headers)
    assert (code == "key-removed") == ("credential_id" in problem)
    if code == "step-up-required":
        assert problem["step_up"]["action"]["act"] == "offer-credential"
        assert re.fullmatch("[0-9a-f]{32}", problem["step_up"]["ceremony"])


async def _unknown_credential(served: SoftwareOffice) -> Exchange:
    begun, key = await _begun(served), PersonalKey()
    key.user_handle = bytes(64)
    return await _send(served, begun, key.get(begun["public_key"], served.api.deployment.url))


async def _wrong_signature(served: SoftwareOffice) -> Exchange:
    owner, begun, key = await _officer(served), await _begun(served), PersonalKey()
    key.user_handle, key.authenticator.credential_id = owner.user_handle, owner.authenticator.credential_id
    return await _send(served, begun, key.get(begun["public_key"], served.api.deployment.url))


async def _another_s_account(served: SoftwareOffice) -> Exchange:
    await served.api.identity("second")
    key, begun = await _officer(served), await _begun(served)
    response = key.get(begun["public_key"], served.api.deployment.url)
    response["response"]["userHandle"] = text(served.api.deployment.people["second"].key.user_handle)
    return await _send(served, begun, response)


async def _another_rp_id(served: SoftwareOffice) -> Exchange:
    key, begun = await _officer(served), await _begun(served)
    return await _send(
        served, begun, key.get({**begun["public_key"], "rpId": "other.example"}, served.api.deployment.url)
    )


async def _another_challenge(served: SoftwareOffice) -> Exchange:
    key, earlier, begun = await _officer(served), await _begun(served), await _begun(served)
    return await _send(served, begun, key.get(earlier["public_key"], served.api.deployment.url))


async def _nobody_there(served: SoftwareOffice) -> Exchange:
    return await _signing_in(served, flags=UV)


async def _eligible_since(served: SoftwareOffice) -> Exchange:
    return await _signing_in(served, flags=UP | UV | BE)


async def _a_copy(served: SoftwareOffice) -> Exchange:
    """Of an organisation's key; that of a member of staff is suspended, and its holder told."""
    await served.api.identity("partner")
    for count in (5, 4):
        begun, key = await _begun(served), served.api.deployment.people["partner"].key
        response = key.get(begun["public_key"], served.api.deployment.url, count=count)
        refused = await _send(served, begun, response)
    return refused


async def test_why_it_failed_shows_in_no_byte(served: SoftwareOffice) -> None:
    """Wrong signature, unknown credential, another's account, another RP ID and the rest: one answer, headers too."""
    causes: tuple[Provoke, ...] = (
        _unknown_credential,
        _wrong_signature,
        _another_s_account,
        _another_rp_id,
        _another_challenge,
        _nobody_there,
        _eligible_since,
        _a_copy,
    )
    answers = []
    for cause in causes:
        status, problem, headers = await cause(served)
        answers.append((status, problem, sorted((name, value) for name, value in headers.items() if name != "Date")))

    assert answers[0][1]["type"] == "/problems/verification-failed"
    assert [answer for answer in answers if answer != answers[0]] == []


async def test_failures_of_a_session_are_counted(served: SoftwareOffice) -> None:
    """After so many confirmations that did not hold, no other is asked for or taken; in another session they are."""
    path, body = f"/api/v1/people/{await served.api.person_with_status()}/offers", {"type": VCT}
    who, key = await served.api.identity("officer"), await _officer(served)
    asked = [await _asked(served, path, body, who) for _ in range(MOST_FAILURES + 1)]
    last = asked.pop()
    for one in asked:
        answer = key.get(one["public_key"], served.api.deployment.url, flags=UP)
        status, *_ = await served.api.send("POST", path, body, {**who, **step_up_header(one["ceremony"], answer)})
        assert status == 401
    right = step_up_header(last["ceremony"], key.get(last["public_key"], served.api.deployment.url))

    for headers in (who, {**who, **right}):
        status, problem, received = await served.api.send("POST", path, body, headers)
        assert (status, problem["type"]) == (429, "/problems/too-many-attempts")
        assert received["Retry-After"] == str(WINDOW_SECONDS)

    await served.api.sign_in(served.api.deployment.people["officer"])
    assert (await served.api.call("POST", path, "officer", body))[0] == 201


async def _asked(served: SoftwareOffice, path: str, body: Any, who: dict[str, str]) -> Any:
    status, problem, _ = await served.api.send("POST", path, body, who)
    assert (status, problem["type"]) == (401, "/problems/step-up-required")
    return problem["step_up"]


async def test_failures_are_forgotten_in_time(served: SoftwareOffice) -> None:
    """The code that was tried too often is good again once its failures are old, and what succeeded never counted."""
    code = await served.api.deployment.invite(Invited(Role.OFFICER, "Nora Newcomer"))
    for number in range(MOST_FAILURES):
        served.clock.advance(1 if number else 0)
        await _with_code(served, code, PersonalKey(), flags=UP)
    status, _, headers = await _with_code(served, code, PersonalKey())
    assert (status, headers["Retry-After"]) == (429, str(WINDOW_SECONDS - MOST_FAILURES + 1))

    served.clock.advance(WINDOW_SECONDS - MOST_FAILURES + 1)
    assert (await _with_code(served, code, PersonalKey()))[0] == 200


async def test_what_was_confirmed_does_not_count(served: SoftwareOffice) -> None:
    """Whoever confirms as often as they like goes on; and a stranger's wrong answers lock no owner out."""
    person = await served.api.person_with_status()
    for _ in range(MOST_FAILURES + 1):
        assert (await served.api.call("POST", f"/api/v1/people/{person}/offers", "officer", {"type": VCT}))[0] == 201
        assert (await _wrong_signature(served))[0] == 401
    assert (await _signing_in(served))[0] == 200
    succeeded = select(tables.ceremony.c.kind).where(tables.ceremony.c.succeeded_at.is_not(None))
    kinds = {row["kind"] for row in await served.office.store.fetch(succeeded, {})}
    assert kinds == {"sign-in", "step-up", "enrol"}


async def test_whether_an_id_is_on_record_can_be_tried_a_few_times(served: SoftwareOffice) -> None:
    """Registering must tell it, of ids copied from a list too; each try counts as a failed one."""
    known = (await _officer(served)).authenticator.credential_id
    code = await served.api.deployment.invite(Invited(Role.OFFICER, "Nora Newcomer"))
    for tried in range(MOST_FAILURES + 1):
        key = PersonalKey()
        key.authenticator.credential_id = known
        status, problem, _ = await _with_code(served, code, key)
        expected = (409, "key-already-registered") if tried < MOST_FAILURES else (429, "too-many-attempts")
        assert (status, problem["type"]) == (expected[0], f"/problems/{expected[1]}")
