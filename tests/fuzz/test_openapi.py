"""The whole description of the API as a source of requests (schemathesis), sent to a running service by every role.

Requests that fit the description and requests that break it, with things that exist in their paths and without, from
strangers, programs and people who are signed in and confirm what they are asked to. No answer is a fault, and each is
one that the description promises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core import NotSet
from yarl import URL

from idverify.web.openapi import describe
from idverify.web.routes import ROUTES
from tests.simulators.contract import contract
from tests.simulators.holder import Holding
from tests.simulators.software_office import SoftwareOffice

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT, LONG = 3, 300  # requests to each operation, over each driver
CALLERS: Final = (None, "register", "employer", "monitor", "officer", "second", "admin", "partner")
OPERATIONS: Final = {
    operation.label: operation
    for operation in (
        found.ok() for found in schemathesis.openapi.from_dict(json.loads(describe(ROUTES))).get_all_operations()
    )
}
# Nobody confirms these: a key that is gone signs in no more
OF_KEYS: Final = re.compile(r"/api/v1/(security-keys|recovery-codes)")
HOW: Final = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def modes(operation: Any) -> st.SearchStrategy[Any]:
    """Requests to an operation: that fit the description, or break it."""
    return st.sampled_from(list(GenerationMode)).flatmap(lambda mode: operation.as_strategy(generation_mode=mode))


def known(held: Holding) -> dict[str, str]:
    """What exists, by the name that paths give it."""
    return {"person": held.person, "credential": held.answer["handle"], "list": "1", "shard": "0", "index": "1"}


async def require_kept(served: SoftwareOffice, held: Holding, data: st.DataObject, label: str) -> None:
    """Send one request, and hold its answer against the description."""
    case = data.draw(modes(OPERATIONS[label]), "case")
    who = data.draw(st.sampled_from(CALLERS), "caller")
    if data.draw(st.booleans(), "known"):
        case.path_parameters = {**(case.path_parameters or {}), **_named(case.path_parameters or {}, known(held))}
    asked = _written(case)
    status, answer = await _answered(served, who, asked)
    assert status < 500, answer
    path = asked["url"].partition("?")[0]
    if "/" not in "".join(str(value) for value in (case.path_parameters or {}).values()):
        contract().require_kept(case.method, path, status, answer)


def _named(given_names: Mapping[str, Any], there: Mapping[str, str]) -> dict[str, str]:
    return {name: there[name] for name in given_names if name in there}


def _written(case: Any) -> dict[str, Any]:
    """Method, address, headers and body as bytes, for any client."""
    sent = case.as_transport_kwargs(base_url="")
    headers = {name: str(value) for name, value in sent["headers"].items()}
    assume(all(_sendable(value) for value in headers.values()))
    data = None if isinstance(case.body, NotSet) else sent.get("data")
    if not isinstance(case.body, NotSet) and data is None:
        data = json.dumps(case.body).encode()
    return {"method": case.method, "url": _address(sent), "headers": headers, "data": data}


def _address(sent: Mapping[str, Any]) -> str:
    """Path and query, as they go over the line."""
    query = urlencode(sent["params"] or {}, doseq=True, errors="replace")
    return f"{sent['url']}?{query}" if query else str(sent["url"])


def _sendable(value: str) -> bool:
    return value.isascii() and value.isprintable()


async def _answered(served: SoftwareOffice, who: str | None, asked: dict[str, Any]) -> tuple[int, Any]:
    status, answer = await _sent(served, asked, await served.api.identity(who))
    person = served.api.deployment.people.get(who or "")
    if person is not None and status == 401 and _problem(answer) == "not-authenticated":
        await served.api.sign_in(person)
        status, answer = await _sent(served, asked, person.headers(served.api.deployment.url))
    if person is not None and _problem(answer) == "step-up-required" and not OF_KEYS.match(asked["url"]):
        url = served.api.deployment.url
        status, answer = await _sent(served, asked, {**person.headers(url), **person.step_up(answer["step_up"], url)})
    return status, answer


async def _sent(served: SoftwareOffice, asked: dict[str, Any], identity: Mapping[str, str]) -> tuple[int, Any]:
    api = served.api
    url = URL(api.deployment.url + asked["url"], encoded=True)
    headers = {**asked["headers"], **identity}
    async with api.session.request(
        asked["method"], url, headers=headers, data=asked["data"], allow_redirects=False
    ) as response:
        raw = await response.read()
        for person in api.deployment.people.values():
            if identity.get("Cookie") == person.cookie:
                person.follow(response.headers)
                break
        return response.status, orjson.loads(raw) if raw and "json" in response.content_type else raw


def _problem(answer: Any) -> str | None:
    """The code of a problem; a verdict has a type too, that of its document."""
    return str(answer["type"]).rpartition("/")[2] if isinstance(answer, dict) and "type" in answer else None


@pytest.mark.parametrize("label", OPERATIONS)
@given(data=st.data())
@settings(HOW, max_examples=SHORT)
async def test_no_request_is_a_fault(served: SoftwareOffice, held: Holding, label: str, data: st.DataObject) -> None:
    """A few requests to each operation."""
    await require_kept(served, held, data, label)


@pytest.mark.long
@pytest.mark.parametrize("label", OPERATIONS)
@given(data=st.data())
@settings(HOW, max_examples=LONG)
async def test_no_request_of_many(served: SoftwareOffice, held: Holding, label: str, data: st.DataObject) -> None:
    """Hundreds to each."""
    await require_kept(served, held, data, label)
