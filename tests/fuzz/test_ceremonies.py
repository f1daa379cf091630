"""Whatever comes back for a challenge of ours, changed anywhere: an answer or a refusal, never a fault."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idverify.core.policy import Role
from idverify.services.invite import Invited
from tests.simulators.contract import contract
from tests.simulators.holder import Holding
from tests.simulators.service import VCT
from tests.simulators.signed_in import PersonalKey, from_text, step_up_header
from tests.simulators.software_office import SoftwareOffice

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUNDS = settings(max_examples=40, deadline=None)
REFUSED = {400, 401, 403}

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=6,
)


def mutated(data: st.DataObject, answer: dict[str, Any]) -> dict[str, Any]:
    """An answer with one member that is another, gone, or has other bytes in it."""
    changed: dict[str, Any] = orjson.loads(orjson.dumps(answer))
    level = changed["response"] if data.draw(st.booleans(), "inside") else changed
    name = data.draw(st.sampled_from(sorted(level)), "member")
    match data.draw(st.sampled_from(["other", "gone", "bytes"]), "change"):
        case "other":
            level[name] = data.draw(anything, "value")
        case "gone":
            del level[name]
        case "bytes" if isinstance(level[name], str):
            raw = bytearray(from_text(level[name]) if name != "type" else b"type")
            at, bits = data.draw(st.integers(0, 1023), "at"), data.draw(st.integers(1, 255), "bits")
            raw[at % len(raw)] ^= bits  # signatures differ in length from one time to the next
            level[name] = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return changed


async def _judged(served: SoftwareOffice, path: str, body: Any, headers: dict[str, str] | None = None) -> int:
    status, answer, received = await served.api.send("POST", path, body, headers)
    if headers is not None:
        served.api.deployment.people["officer"].follow(received)
    assert status < 500, answer
    contract().require_kept("POST", path, status, answer)
    return status


@given(data=st.data())
@ROUNDS
async def test_signing_in(served: SoftwareOffice, data: st.DataObject) -> None:
    """A changed assertion is refused, unless what was changed is nothing that anybody reads."""
    key = await _officers_key(served)
    begun = await served.api.begun("/api/v1/sign-in/options")
    response = mutated(data, key.get(begun["public_key"], served.api.deployment.url))

    status = await _judged(served, "/api/v1/sign-in", {"ceremony": begun["ceremony"], "response": response})

    assert status in REFUSED | {200}


@given(data=st.data())
@ROUNDS
async def test_enrolling(served: SoftwareOffice, data: st.DataObject) -> None:
    """A changed registration is refused, and the code stays good, unless nobody reads what was changed."""
    code = await served.api.deployment.invite(Invited(Role.ADMIN))
    asked = {"code": code, "name": f"Nell {code}"}
    begun = await served.api.begun("/api/v1/enrolments/options", asked)
    response = mutated(data, PersonalKey().create(begun["public_key"], served.api.deployment.url))

    status = await _judged(served, "/api/v1/enrolments", {**asked, "ceremony": begun["ceremony"], "response": response})

    assert status in REFUSED | {200}
    assert (status == 200) == (await _judged(served, "/api/v1/enrolments/options", asked) == 409)


@given(data=st.data())
@ROUNDS
async def test_confirming(served: SoftwareOffice, held: Holding, data: st.DataObject) -> None:
    """A changed confirmation confirms nothing, unless nobody reads what was changed."""
    await served.api.identity("officer")
    await served.api.sign_in(served.api.deployment.people["officer"])  # in one session, twenty would be too many
    path, body = f"/api/v1/people/{held.person}/offers", {"type": VCT}
    _, asked = await served.api.call("POST", path, "officer", body, confirm=False)
    key, step_up = await _officers_key(served), asked["step_up"]
    response = mutated(data, key.get(step_up["public_key"], served.api.deployment.url))
    headers = {**await served.api.identity("officer"), **step_up_header(step_up["ceremony"], response)}

    assert await _judged(served, path, body, headers) in REFUSED | {201}


@given(header=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=200))
@ROUNDS
async def test_headers_that_confirm_nothing(served: SoftwareOffice, held: Holding, header: str) -> None:
    """Any other text in the header is malformed, before anything is looked up."""
    path, body = f"/api/v1/people/{held.person}/offers", {"type": VCT}
    headers = {**await served.api.identity("officer"), "Step-Up": header}

    assert await _judged(served, path, body, headers) == 400


async def _officers_key(served: SoftwareOffice) -> PersonalKey:
    await served.api.identity("officer")
    return served.api.deployment.people["officer"].key
