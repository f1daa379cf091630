"""One row of the route table: method, path, who may call, what goes in, what comes out, and who does it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from aiohttp import ClientPayloadError, web
from pydantic import BaseModel, ValidationError

from idverify.core.policy import Principal
from idverify.errors import DocumentError, MalformedRequest, NotAuthenticated, TooLarge
from idverify.formats.strict_json import parse_json
from idverify.services.access import Gate
from idverify.services.office import Office

OFFICE: Final = web.AppKey("office", Office)
GATE: Final = web.AppKey("gate", Gate)
MAX_BODY: Final = 1024 * 1024
BODY_SECONDS: Final = 15.0
_BEARER: Final = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/-]+=*)")


class Caller(Enum):
    """Who may call a route; what they may do is the services' policy."""

    ANYBODY = "anybody"
    API_KEY = "an API key"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as a handler sees it. ``body`` is the declared model; ``principal`` is set for API keys."""

    office: Office
    principal: Principal | None
    body: Any
    request: web.Request

    @property
    def caller(self) -> Principal:
        """The principal of a route that asks for an API key."""
        assert self.principal is not None
        return self.principal

    def handle(self, name: str) -> bytes:
        """A 128-bit handle from the path; the route's pattern has checked its form."""
        return bytes.fromhex(self.request.match_info[name])


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers when it is not just a model with 200."""

    body: BaseModel | bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route. ``answers`` maps a status to its model (``None``: other media, as the handler's docstring says)."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[BaseModel | Reply]]
    caller: Caller
    answers: Mapping[int, type[BaseModel] | None]
    takes: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What the route does: the first line of its handler's docstring."""
        return (self.handler.__doc__ or "").strip().splitlines()[0].rstrip(".")

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Recognise the caller, read the body, do the work, answer."""
        principal = await _principal(request) if self.caller is Caller.API_KEY else None
        body = await _body(request, self.takes) if self.takes is not None else None
        reply = await self.handler(Call(request.app[OFFICE], principal, body, request))
        if isinstance(reply, BaseModel):
            reply = Reply(reply)
        raw = reply.body if isinstance(reply.body, bytes) else reply.body.__pydantic_serializer__.to_json(reply.body)
        headers = {"Content-Type": reply.content_type, **reply.headers}
        return web.Response(body=raw, status=reply.status, headers=headers)


def bearer_token(request: web.Request, hint: str) -> str:
    """The token of the one ``Authorization: Bearer`` header (RFC 6750 section 2.1). Raises ``NotAuthenticated``."""
    given = request.headers.getall("Authorization", [])
    form = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if form is None:
        raise NotAuthenticated(hint)
    return form[1]


async def _principal(request: web.Request) -> Principal:
    hint = "Send one header 'Authorization: Bearer idv_...' with an API key of this service."
    return await request.app[GATE].recognise(bearer_token(request, hint))


async def _body(request: web.Request, model: type[BaseModel]) -> BaseModel:
    if request.content_length is not None and request.content_length > MAX_BODY:
        raise TooLarge(f"The body may be {MAX_BODY} bytes long; got {request.content_length}.")
    if request.content_type != "application/json":
        raise MalformedRequest(f"The body must be application/json; got {request.content_type}.")
    if "Content-Encoding" in request.headers:  # nothing is unpacked for a client: a bomb stays as small as it came
        raise MalformedRequest("The body must be sent as it is, without Content-Encoding.")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await request.read()
        parse_json(raw, "The body")  # one reading only: no name twice, no number that parsers round
        return model.model_validate_json(raw, strict=True)
    except TimeoutError as late:
        raise MalformedRequest(f"The body must arrive within {BODY_SECONDS:g} seconds.") from late
    except (ConnectionError, ClientPayloadError) as gone:
        raise MalformedRequest("The body did not arrive whole.") from gone
    except DocumentError as wrong:
        raise MalformedRequest("The body is not JSON as it must be.", [{"at": "/", "expected": str(wrong)}]) from wrong
    except ValidationError as error:
        raise MalformedRequest("Some fields are not as they must be.", _places(error)) from error


def _places(error: ValidationError) -> list[dict[str, str]]:
    return [
        {"at": "/" + "/".join(map(str, wrong["loc"])), "expected": wrong["msg"]}
        for wrong in error.errors(include_url=False, include_input=False, include_context=False)
    ]
