"""The session's cookie: for this host alone, over TLS alone, out of the reach of scripts."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from idverify.auth.key_policy import SESSION_LIMITS
from idverify.services.sessions import Opened

NAME: Final = "__Host-idverify"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def token_of(request: web.Request) -> str | None:
    """The session token that the browser sent: of the one cookie with exactly this name.

    Lenient parsers take look-alikes for it, which other hosts may set: the prefix would protect nothing. Two cookies
    of this name are none.
    """
    pairs = (pair.strip(" \t") for header in request.headers.getall("Cookie", []) for pair in header.split(";"))
    values = [pair.removeprefix(f"{NAME}=") for pair in pairs if pair.startswith(f"{NAME}=")]
    return values[0] if len(values) == 1 and _TOKEN.fullmatch(values[0]) else None


def remember(response: web.StreamResponse, opened: Opened) -> None:
    """Give the browser its session. It is forgotten when the browser closes: computers are shared."""
    same_site = SESSION_LIMITS[opened.principal.role].same_site
    response.set_cookie(NAME, opened.token, path="/", secure=True, httponly=True, samesite=same_site)


def forget(response: web.StreamResponse) -> None:
    """Take the session away from the browser."""
    response.del_cookie(NAME, path="/", secure=True, httponly=True)
