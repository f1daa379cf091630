"""Every error meets HTTP in one place."""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson
import pytest
from aiohttp import web

from idverify import errors
from idverify.errors import IdverifyError
from idverify.web import problems
from tests.simulators.contract import PROBLEM, JudgedApi, contract
from tests.simulators.service import DETAILS
from tests.simulators.software_office import SoftwareOffice

TELLING = {"WWW-Authenticate", "Retry-After"}
# The tree as it is drawn on top of errors.py: name and status of each line that has one.
DRAWN = {name: int(status) for name, status in re.findall(r"── (\w+) +(?:\w[^(\n]*\()?(\d{3})\b", str(errors.__doc__))}


def tree(root: type[IdverifyError]) -> Iterator[type[IdverifyError]]:
    """The error classes of ``errors`` below ``root``."""
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from tree(child)


def body(error: IdverifyError) -> dict[str, object]:
    """The problem that an error becomes."""
    content = problems.problem_response(error).body
    assert isinstance(content, bytes)
    decoded: dict[str, object] = orjson.loads(content)
    return decoded


def test_statuses_are_as_drawn() -> None:
    """The tree in the documentation of ``errors`` and the classes agree on every HTTP status."""
    assert len(DRAWN) >= 10
    assert {name: getattr(errors, name).status for name in DRAWN} == DRAWN


def test_problem_types_are_told_apart() -> None:
    """Each class has a slug and a title of its own: a client can tell them apart without reading sentences."""
    classes = list(tree(IdverifyError))

    assert len({one.slug for one in classes}) == len(classes)
    assert len({one.title for one in classes}) == len(classes)


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (errors.NotAuthenticated("Send a key."), {"WWW-Authenticate": "Bearer"}),
        (errors.Unavailable("The HSM is away."), {"Retry-After": "5"}),
        (errors.Busy("Too many wait."), {"Retry-After": "1"}),
        (errors.OutcomeUnknown("It may have happened."), {"Retry-After": "1"}),
        (errors.Conflict("It was used."), {}),
    ],
)
def test_a_problem(error: IdverifyError, headers: dict[str, str]) -> None:
    """RFC 9457 members, the class's status, and the headers that go with it."""
    response = problems.problem_response(error)

    assert (response.status, response.content_type) == (error.status, PROBLEM)
    assert body(error) == {
        "type": f"/problems/{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": str(error),
    }
    assert {name: response.headers[name] for name in TELLING & response.headers.keys()} == headers


def test_every_wrong_field_is_listed() -> None:
    """A malformed request lists all that is wrong with it, each with its place; without a list there is no member."""
    wrong = [{"at": "/type", "expected": "a string"}, {"at": "/code", "expected": "a longer one"}]

    assert body(errors.MalformedRequest("Two fields.", wrong))["errors"] == wrong
    assert "errors" not in body(errors.MalformedRequest("Nothing to list."))


async def test_a_bug_tells_nothing(served: SoftwareOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no error of ours explains is a 500 that says neither what was in it nor where it happened."""

    async def broken(*_: object) -> None:
        raise ValueError("the name of a person")

    monkeypatch.setattr("idverify.services.people.create", broken)

    status, problem = await served.api.call("POST", "/api/v1/people", "officer", {"details": DETAILS})

    assert (status, problem["type"]) == (500, "/problems/internal")
    assert "person" not in orjson.dumps(problem).decode()
    assert "logged" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/api/v1/people/ABC", 404, "not-found"),
        ("DELETE", "/api/v1/verify", 405, "method-not-allowed"),
        ("GET", "/status/999", 404, "not-found"),
    ],
)
async def test_what_the_router_refuses(served: SoftwareOffice, method: str, path: str, status: int, slug: str) -> None:
    """Refusals that the framework makes by itself look like ours."""
    async with served.api.session.request(method, served.api.deployment.url + path) as response:
        problem = orjson.loads(await response.read())

    assert (response.status, response.content_type) == (status, PROBLEM)
    assert (problem["type"], problem["status"]) == (f"/problems/{slug}", status)
    assert problem["detail"].endswith(".")


async def test_a_redirect_is_nobody_s_error() -> None:
    """An answer of the framework that is not an error of ours passes as it is."""

    async def elsewhere(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/there")

    with pytest.raises(web.HTTPFound):
        await problems.problems(web.Request.__new__(web.Request), elsewhere)


async def test_what_comes_from_outside_is_judged(served: SoftwareOffice) -> None:
    """The judge of the other tests does judge: an answer that was not promised does not pass."""
    api = JudgedApi(served.api.session, served.api.deployment)
    await api.ok("GET", "/livez")

    with pytest.raises(AssertionError):
        contract().require_kept("GET", "/livez", 200, {"status": "splendid", "checks": {}})
