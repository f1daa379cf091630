"""openapi.json describes exactly the routes there are, and nothing in it leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from idverify import __version__
from idverify.web.endpoint import Caller, Endpoint
from idverify.web.problems import CONTENT_TYPE
from idverify.web.routes import ROUTES
from idverify.web.submission import LEVELS
from tests.simulators.contract import contract
from tests.simulators.software_office import SoftwareOffice

DESCRIPTION = contract().description
SCHEMAS = DESCRIPTION["components"]["schemas"]
PROBLEM = {"$ref": "#/components/schemas/Problem"}


def template(route: Endpoint) -> str:
    """The route's path as OpenAPI writes it: parameters without their patterns."""
    return re.sub(r"\{(\w+):.*?\}(?=/|$)", r"{\1}", route.path)


def operation(route: Endpoint) -> dict[str, Any]:
    """What the description says of a route."""
    found: dict[str, Any] = DESCRIPTION["paths"][template(route)][route.method.lower()]
    return found


def references(value: Any) -> Iterator[str]:
    """Every ``$ref`` in a document."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from references(inner)


def name_of(route: Endpoint) -> str:
    return f"{route.method} {route.path}"


def test_the_document() -> None:
    """OpenAPI 3.1, with the members that its section 4.8.1 requires, and the version that is installed."""
    assert DESCRIPTION["openapi"] == "3.1.0"
    assert DESCRIPTION["info"]["version"] == __version__
    assert DESCRIPTION["info"]["title"] == "idverify"
    assert DESCRIPTION.keys() == {"openapi", "info", "tags", "paths", "components"}


def test_every_route_and_no_other() -> None:
    """The paths and methods described are those of the route table."""
    described = {(method.upper(), path) for path, item in DESCRIPTION["paths"].items() for method in item}

    assert described == {(route.method, template(route)) for route in ROUTES}
    assert len(described) == len(ROUTES)


def test_operations_stand_under_their_readers() -> None:
    """Each is under one heading, every heading has some, and those who check documents come first."""
    headings = [tag["name"] for tag in DESCRIPTION["tags"]]
    under = [operation(route)["tags"] for route in ROUTES]

    assert headings[0] == "Verifiers"
    assert {heading for (heading,) in under} == set(headings)


def test_what_the_query_of_a_check_may_say() -> None:
    """Each level that may be demanded is listed, as the request's JSON has it."""
    verify = next(route for route in ROUTES if route.path == "/api/v1/verify")
    in_query = {one["name"]: one["schema"] for one in operation(verify)["parameters"]}

    assert in_query.keys() == {"verification_request", "verification_receipt", *LEVELS}
    assert {name: in_query[name]["enum"] for name in LEVELS} == {name: list(kind) for name, kind in LEVELS.items()}


def test_operations_have_names_of_their_own() -> None:
    """Generated clients get one function per route, each with a summary."""
    operations = [operation(route) for route in ROUTES]

    assert len({one["operationId"] for one in operations}) == len(ROUTES)
    assert all(one["summary"] and not one["summary"].endswith(".") for one in operations)


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_a_route_s_parameters(route: Endpoint) -> None:
    """Each parameter of the path is described, required, and has the pattern that the router checks."""
    parameters = operation(route).get("parameters", [])
    in_path = {one["name"]: one["schema"]["pattern"] for one in parameters if one["in"] == "path"}
    in_header = {one["name"] for one in parameters if one["in"] == "header"}
    in_query = {one["name"] for one in parameters if one["in"] == "query" and one["required"]}

    assert all(one["required"] for one in parameters if one["in"] == "path")
    assert in_path == {name: f"^{pattern}$" for name, pattern in re.findall(r"\{(\w+):(.*?)\}(?=/|$)", route.path)}
    assert in_header == set(route.headers) - {"Authorization"}
    assert in_query == set(route.query)


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_a_route_s_bodies(route: Endpoint) -> None:
    """What goes in and what comes out refer to the declared models; everything else is a problem."""
    described = operation(route)
    answers = {
        int(status): answer.get("content", {}).get("application/json", {}).get("schema")
        for status, answer in described["responses"].items()
        if status != "default"
    }
    expected = {
        status: None if model is None else {"$ref": f"#/components/schemas/{model.__name__}"}
        for status, model in route.answers.items()
    }

    assert answers == expected
    assert described["responses"]["default"]["content"] == {CONTENT_TYPE: {"schema": PROBLEM}}
    assert all(answer["description"] for answer in described["responses"].values())
    if route.takes is None:
        assert "requestBody" not in described
    else:
        content = described["requestBody"]["content"]
        json = {"application/json": {"schema": {"$ref": f"#/components/schemas/{route.takes.__name__}"}}}
        assert content == json | {name: {"schema": media.schema} for name, media in route.also.items()}
        for media in route.also.values():
            Draft202012Validator.check_schema(media.schema)


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_a_route_s_security(route: Endpoint) -> None:
    """A route says how it learns who calls: by an API key or a session, by a session alone, by a token, not at all."""
    by_token = ["apiKey"] if "Authorization" in route.headers else []
    ways = {Caller.KNOWN: ["apiKey", "session"], Caller.PERSON: ["session"], Caller.ANYBODY: by_token}

    assert operation(route).get("security", []) == [{way: []} for way in ways[route.caller]]


def test_the_ways_to_be_known() -> None:
    """An API key is a bearer token, a session a cookie that no other host can set."""
    schemes = DESCRIPTION["components"]["securitySchemes"]

    assert schemes["apiKey"]["scheme"] == "bearer"
    assert schemes["session"] == {"type": "apiKey", "in": "cookie", "name": "__Host-idverify"}


def test_every_reference_resolves_and_every_model_is_used() -> None:
    """No ``$ref`` leads nowhere, and no model is described that nothing refers to."""
    used = {reference.removeprefix("#/components/schemas/") for reference in references(DESCRIPTION)}

    assert used == SCHEMAS.keys()


@pytest.mark.parametrize("model", sorted(SCHEMAS))
def test_models_are_json_schema(model: str) -> None:
    """Each model is a valid JSON Schema 2020-12, and objects of ours refuse unknown members."""
    Draft202012Validator.check_schema(SCHEMAS[model])
    if SCHEMAS[model].get("type") == "object" and model != "Problem":
        assert SCHEMAS[model]["additionalProperties"] is False


async def test_it_is_served(served: SoftwareOffice) -> None:
    """What the service serves is this document."""
    assert await served.api.ok("GET", "/openapi.json") == DESCRIPTION
