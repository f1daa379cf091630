"""One row of the route table: method, path, who may call, what goes in, what comes out, and who does it."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, RootModel, ValidationError

from idverify.auth.session_tokens import csrf_matches
from idverify.core.action import StepUpRequired
from idverify.core.policy import Principal
from idverify.errors import CrossSite, DocumentError, IdverifyError, MalformedRequest, NotAuthenticated, TooLarge
from idverify.formats.strict_json import parse_json, require_few
from idverify.services import sessions, step_up
from idverify.services.access import Gate
from idverify.services.ceremonies import Given
from idverify.services.office import Office
from idverify.web import schema
from idverify.web.body import MAX_BODY, read_body
from idverify.web.problems import problem_response, told
from idverify.web.same_origin import require_same_origin
from idverify.web.session_cookie import renewable, renewed, token_of

OFFICE: Final = web.AppKey("office", Office)
GATE: Final = web.AppKey("gate", Gate)
MAX_STEP_UP: Final = 8000
MOST_VALUES: Final = 4096
"""Values in the JSON of a body: 256 documents with all that belongs to each are 1,300."""
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_HINT: Final = "Send one header 'Authorization: Bearer idv_...' with an API key of this service, or sign in."
_BEARER: Final = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/-]+=*)")


class Caller(Enum):
    """Who may call a route; what they may do is the services' policy."""

    ANYBODY = "anybody"
    KNOWN = "an API key or a session"
    PERSON = "a session"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as a handler sees it. ``body`` is the declared model; ``principal`` is set where one is asked for.

    ``given`` is the caller's confirmation of this very act, if one came along.
    """

    office: Office
    principal: Principal | None
    body: Any
    request: web.Request
    given: Given | None = None

    @property
    def caller(self) -> Principal:
        """The principal of a route that asks who is calling."""
        assert self.principal is not None
        return self.principal

    def handle(self, name: str) -> bytes:
        """A 128-bit handle from the path; the route's pattern has checked its form."""
        return bytes.fromhex(self.request.match_info[name])


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers when it is not just a model with 200. A body may come piece by piece, as it is made."""

    body: BaseModel | bytes | AsyncIterator[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    dress: Callable[[web.Response], None] | None = None  # sets or takes away a cookie


@dataclass(frozen=True, slots=True)
class Media:
    """A media type that a route takes besides JSON: how it is read, and its JSON Schema for whoever calls.

    ``read`` gets the body, capped, and raises ``MalformedRequest`` or ``TooLarge``; what it gives is ``Call.body``.
    """

    read: Callable[[bytes, web.Request], Any]
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route. ``answers`` maps a status to its model (``None``: other media, as the handler's docstring says).

    ``query`` and ``optional_query`` are what the query may name, the latter with the JSON Schema of each. ``also`` are
    media types that it takes besides JSON, ``most`` the bytes of a body, ``values`` how many its JSON may hold. Where
    ``recalls`` is set, its service commits ``access.still_in_use`` before it answers.
    """

    method: str
    path: str
    handler: Callable[[Call], Awaitable[BaseModel | Reply]]
    caller: Caller
    answers: Mapping[int, type[BaseModel] | None]
    takes: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    optional_query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    also: Mapping[str, Media] = field(default_factory=dict)
    most: int = MAX_BODY
    values: int = MOST_VALUES
    recalls: bool = False

    @property
    def summary(self) -> str:
        """What the route does: the first line of its handler's docstring."""
        return (self.handler.__doc__ or "").strip().splitlines()[0].rstrip(".")

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Recognise the caller, read the body, do the work, answer."""
        office, principal = request.app[OFFICE], await _principal(request, self)
        body = await _body(request, self) if self.takes is not None else None
        given = _given(request) if "Step-Up" in self.headers else None
        if principal is not None and principal.signed_in is not None:
            given = renewable(office, given, token_of(request))
        try:
            response = _written(await self.handler(Call(office, principal, body, request, given)))
        except StepUpRequired as asked:
            return await _ask_to_confirm(office, principal, asked)
        # What failed may have come after the act, which renewed the session
        except Exception as error:  # noqa: BLE001  told, and logged there
            response = told(request, await self._refusal(request, error))
        if given is not None:
            await renewed(office, given, response)
        return response

    async def _refusal(self, request: web.Request, error: Exception) -> Exception:
        """What failed, but of a caller who was only recalled first whether they may call at all."""
        if not self.recalls:
            return error
        try:
            await _principal(request, replace(self, recalls=False))
        except IdverifyError as not_known:
            return not_known
        return error


def _written(reply: BaseModel | Reply) -> web.Response:
    if not isinstance(reply, Reply):
        reply = Reply(reply)
    model = reply.body if isinstance(reply.body, BaseModel) else None
    raw = reply.body if model is None else model.__pydantic_serializer__.to_json(model)
    typed = {} if reply.status == 204 else {"Content-Type": reply.content_type}  # no content is of no type
    response = web.Response(body=raw, status=reply.status, headers={**typed, **reply.headers})
    if reply.dress is not None:
        reply.dress(response)
    return response


def bearer_token(request: web.Request, hint: str) -> str:
    """The token of the one ``Authorization: Bearer`` header (RFC 6750 section 2.1). Raises ``NotAuthenticated``."""
    given = request.headers.getall("Authorization", [])
    form = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if form is None:
        raise NotAuthenticated(hint)
    return form[1]


async def _principal(request: web.Request, route: Endpoint) -> Principal | None:
    if route.caller is Caller.ANYBODY:
        return None
    if route.caller is Caller.PERSON or "Authorization" not in request.headers:
        token = token_of(request)
        if route.caller is Caller.PERSON or token is not None:
            return await _person(request, token)
    gate, key = request.app[GATE], bearer_token(request, _HINT)
    return await (gate.recall(key) if route.recalls else gate.recognise(key))


async def _person(request: web.Request, token: str | None) -> Principal:
    """Who is signed in. What changes anything must come from our own pages, or from a program that acts as one."""
    if token is None:
        raise NotAuthenticated("Sign in first: POST /api/v1/sign-in/options.")
    session = await sessions.recognise(request.app[OFFICE], token)
    if request.method not in SAFE_METHODS:
        require_same_origin(request, request.app[OFFICE].deployment.iss)
        if not csrf_matches(session.csrf_token, request.headers.get("X-CSRF-Token", "")):
            raise CrossSite("Send the header X-CSRF-Token with the csrf_token that you got when you signed in.")
    return session.principal


def _given(request: web.Request) -> Given | None:
    """The header ``Step-Up``: base64url of ``{"ceremony": ..., "response": ...}``, the answer to ``step_up``."""
    sent = request.headers.getall("Step-Up", [])
    if not sent:
        return None
    hint = 'Send one header Step-Up: base64url of {"ceremony": ..., "response": ...}.'
    if len(sent) > 1 or len(sent[0]) > MAX_STEP_UP:
        raise MalformedRequest(hint)
    try:
        raw = base64.b64decode(sent[0] + "=" * (-len(sent[0]) % 4), altchars=b"-_", validate=True)
        parse_json(raw, "Step-Up")
        return schema.CeremonyAnswer.model_validate_json(raw, strict=True).given()
    except (ValueError, DocumentError) as wrong:  # pydantic's ValidationError is a ValueError
        raise MalformedRequest(hint) from wrong


async def _ask_to_confirm(office: Office, principal: Principal | None, asked: StepUpRequired) -> web.Response:
    assert principal is not None
    begun = await step_up.begin(office, principal, asked.action)
    confirm = {"ceremony": begun.ceremony.hex(), "public_key": begun.options, "action": asked.action.to_json()}
    return problem_response(asked, {"step_up": confirm})


def needs_body(model: type[BaseModel]) -> bool:
    """Whether a request has to say something: a model without required fields may be left out."""
    return any(field.is_required() for field in model.model_fields.values())


async def _body(request: web.Request, route: Endpoint) -> Any:
    model = route.takes
    assert model is not None
    if not request.body_exists and not needs_body(model):
        return model()
    media = request.content_type
    if media != "application/json" and media not in route.also:
        known = " or ".join(("application/json", *route.also))
        raise MalformedRequest(f"The body must be {known}; got {media}.")
    if request.query_string:
        _require_known(request, () if media == "application/json" else tuple(route.optional_query))
    raw = await read_body(request, route.most)
    return _json(raw, route.values, model) if media == "application/json" else route.also[media].read(raw, request)


def _require_known(request: web.Request, names: tuple[str, ...]) -> None:
    """A wish with a wrong name, or in the wrong place, must not be passed over: it might be a demand."""
    strange = request.query.keys() - set(names)
    if strange:
        can = f"beside this body the query may name {', '.join(names)}" if names else "what is asked stands in the body"
        raise MalformedRequest(f"The query names {min(strange)[:40]!r}; {can}.")


def _json(raw: bytes, values: int, model: type[BaseModel]) -> BaseModel:
    try:
        require_few(raw, "The body", values)
    except DocumentError as many:
        raise TooLarge(many.detail) from many
    try:
        parse_json(raw, "The body")  # one reading only: no name twice, no number that parsers round
        return model.model_validate_json(raw, strict=True)
    except DocumentError as wrong:
        raise MalformedRequest("The body is not JSON as it must be.", [{"at": "/", "expected": str(wrong)}]) from wrong
    except ValidationError as error:
        raise MalformedRequest("Some fields are not as they must be.", _places(error, model)) from error


def _places(error: ValidationError, model: type[BaseModel]) -> list[dict[str, str]]:
    tags = 1 if issubclass(model, RootModel) else 0  # which of its models was meant
    return [
        {"at": "/" + "/".join(map(str, wrong["loc"][tags:])), "expected": wrong["msg"]}
        for wrong in error.errors(include_url=False, include_input=False, include_context=False)
    ]
