"""The session's cookie: for this host alone, over TLS alone, out of the reach of scripts."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from idverify.auth.key_policy import SESSION_LIMITS
from idverify.services.sessions import Opened

NAME: Final = "__Host-idverify"


def token_of(request: web.Request) -> str | None:
    """The session token that the browser sent."""
    return request.cookies.get(NAME)


def remember(response: web.StreamResponse, opened: Opened) -> None:
    """Give the browser its session. It is forgotten when the browser closes: computers are shared."""
    same_site = SESSION_LIMITS[opened.principal.role].same_site
    response.set_cookie(NAME, opened.token, path="/", secure=True, httponly=True, samesite=same_site)


def forget(response: web.StreamResponse) -> None:
    """Take the session away from the browser."""
    response.del_cookie(NAME, path="/", secure=True, httponly=True)
