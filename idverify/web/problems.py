"""Errors as RFC 9457 problem+json: the only place where the tree of ``errors`` meets HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from idverify.auth import base64url
from idverify.errors import (
    IdverifyError,
    KeyNotAllowed,
    KeyRemoved,
    MalformedRequest,
    NotAuthenticated,
    NotFound,
    OutcomeUnknown,
    TooLarge,
    TooManyAttempts,
    Unavailable,
)

CONTENT_TYPE: Final = "application/problem+json"
ErrorPage = Callable[[web.Request, IdverifyError], "web.Response | None"]
PAGE: Final[web.AppKey[ErrorPage]] = web.AppKey("error_page")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = structlog.get_logger()


class MethodNotAllowed(NotFound):
    """The path exists, the method does not."""

    slug, status, title = "method-not-allowed", 405, "The path does not take this method"


# What aiohttp raises by itself, as ours.
_OF_AIOHTTP: Final[dict[int, Callable[[], IdverifyError]]] = {
    400: lambda: MalformedRequest("The HTTP request could not be read."),
    404: lambda: NotFound("There is nothing at this path. /openapi.json lists what there is."),
    405: lambda: MethodNotAllowed("This path does not take this method. /openapi.json lists what it takes."),
    413: lambda: TooLarge("The body is larger than this service reads."),
}


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a problem. What is not of our tree is a bug: logged, and told as little as possible."""
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001  told, and logged there
        return told(request, error)


def told(request: web.Request, error: Exception) -> web.Response:
    """What an error is answered with. Raises what is no error, but an answer of aiohttp's."""
    if isinstance(error, IdverifyError):
        return _told(request, error)
    if isinstance(error, web.HTTPException):
        known = _OF_AIOHTTP.get(error.status)
        if known is None:
            raise error
        return _told(request, known())
    log.error("unexpected_error", route=route_name(request), exc_info=error)
    return problem_response(IdverifyError("It was logged. Please try again, and tell us if it stays."))


def _told(request: web.Request, error: IdverifyError) -> web.Response:
    """Programs get a problem. Who opened an address in a browser gets a page, where the application has pages."""
    page = None if request.path.startswith("/api/") or PAGE not in request.app else request.app[PAGE](request, error)
    return problem_response(error) if page is None else page


def problem(error: IdverifyError) -> dict[str, Any]:
    """The members that every problem has (RFC 9457 section 3.1)."""
    return {
        "type": f"/problems/{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
    }


def problem_response(error: IdverifyError, extension: Mapping[str, Any] | None = None) -> web.Response:
    """One error as a response, with extension members (RFC 9457 section 3.2). Faults of ours stay in the log."""
    body = {**problem(error), **(extension or {})}
    if isinstance(error, KeyRemoved):  # for PublicKeyCredential.signalUnknownCredential
        body["credential_id"] = base64url.encode(error.credential_id)
    headers = {}
    if isinstance(error, MalformedRequest) and error.errors:
        body["errors"] = error.errors
    if isinstance(error, KeyNotAllowed):
        body["reason"] = error.rule
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Unavailable | OutcomeUnknown | TooManyAttempts):
        headers["Retry-After"] = str(error.retry_after)
    return web.Response(body=orjson.dumps(body), status=error.status, content_type=CONTENT_TYPE, headers=headers)


def route_name(request: web.Request) -> str:
    """The route's pattern, never the path itself: paths may carry handles."""
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical
