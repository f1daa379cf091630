"""OpenAPI 3.1 from the route table and the pydantic models: nothing to keep in step by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from idverify import __version__
from idverify.web.endpoint import Caller, Endpoint, needs_body
from idverify.web.problems import CONTENT_TYPE
from idverify.web.schema import Problem
from idverify.web.session_cookie import NAME as COOKIE

_REFERENCE: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"\{(\w+):((?:[^{}]|\{[^{}]*\})+)\}")
_SECURITY: Final = {Caller.ANYBODY: (), Caller.KNOWN: ("apiKey", "session"), Caller.PERSON: ("session",)}
_REQUIRED_HEADERS: Final = {"Idempotency-Key", "Authorization"}
_HOW: Final = (
    "Programs send `Authorization: Bearer idv_...`, with the API key of an organisation or of an authority's system "
    "(*Authorize*, `apiKey`). To check a document: `POST /api/v1/verification-requests`, hand what it answers to the "
    "person's wallet, and send the wallet's answer to `POST /api/v1/verify`. Errors are RFC 9457 problems, whose "
    "`detail` says what to do."
)
# For whom routes are, by the module of their handlers, in the order in which readers meet them
AUDIENCES: Final[Mapping[str, tuple[str, ...]]] = {
    "Verifiers": ("verify",),
    "Holders": ("collect", "own_entries", "own_copies", "own_letters"),
    "Officers": ("people", "letters", "letter_batches", "confirmations"),
    "Operators": ("erasing", "shards", "authenticators", "administering", "metrics"),
    "People and their security keys": ("signing_in", "own_account", "own_keys"),
    "Everybody": ("public", "status_lists", "log", "credential_types", "tsa"),
}
_AUDIENCE_OF: Final = {module: audience for audience, modules in AUDIENCES.items() for module in modules}


def describe(routes: Iterable[Endpoint]) -> bytes:
    """The description of these routes as JSON."""
    table = tuple(routes)
    models = {model for route in table for model in (*route.answers.values(), route.takes) if model}
    _, definitions = models_json_schema(
        [(model, "validation") for model in sorted(models | {Problem}, key=lambda model: model.__name__)],
        ref_template=_REFERENCE,
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(_PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route)
    description = {
        "openapi": "3.1.0",
        "info": {
            "title": "idverify",
            "version": __version__,
            "description": _HOW,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": audience} for audience in AUDIENCES],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "bearerFormat": "idv_<id>_<secret>"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }
    return orjson.dumps(description, option=orjson.OPT_INDENT_2)


def _operation(route: Endpoint) -> dict[str, Any]:
    module = route.handler.__module__.rsplit(".", 1)[-1]
    operation: dict[str, Any] = {
        "operationId": f"{module}_{route.handler.__name__}",
        "tags": [_AUDIENCE_OF[module]],
        "summary": route.summary,
        "responses": {str(status): _answer(model) for status, model in route.answers.items()}
        | {"default": {"description": "RFC 9457 problem", "content": {CONTENT_TYPE: {"schema": _refer(Problem)}}}},
    }
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": f"^{pattern}$"}}
        for name, pattern in _PARAMETER.findall(route.path)
    ]
    known: dict[str, Mapping[str, Any]] = {**{name: {} for name in route.query}, **route.optional_query}
    in_query = [
        {"name": name, "in": "query", "required": name in route.query, "schema": {"type": "string", **schema}}
        for name, schema in known.items()
    ]
    in_header = [
        {"name": name, "in": "header", "required": name in _REQUIRED_HEADERS, "schema": {"type": "string"}}
        for name in route.headers
        if name != "Authorization"
    ]
    parameters = in_path + in_query + in_header
    if parameters:
        operation["parameters"] = parameters
    if route.takes is not None:
        operation["requestBody"] = {
            "required": needs_body(route.takes),
            "content": {"application/json": {"schema": _refer(route.takes)}}
            | {name: {"schema": dict(media.schema)} for name, media in route.also.items()},
        }
    security = list(_SECURITY[route.caller])
    if security or "Authorization" in route.headers:
        operation["security"] = [{scheme: []} for scheme in security or ["apiKey"]]
    return operation


def _answer(model: type[BaseModel] | None) -> dict[str, Any]:
    if model is None:
        return {"description": "As the summary says"}
    return {
        "description": (model.__doc__ or "").strip().splitlines()[0],
        "content": {"application/json": {"schema": _refer(model)}},
    }


def _refer(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
