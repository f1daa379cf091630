"""The session's cookie: for this host alone, over TLS alone, out of the reach of scripts.

Its token is another after every act that was confirmed; ``renewable`` and ``renewed`` are the two ends of that.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from aiohttp import web

from idverify.auth import session_tokens
from idverify.auth.key_policy import SESSION_LIMITS
from idverify.core.policy import Principal, require_person
from idverify.errors import NotAuthenticated, Unavailable
from idverify.services import sessions
from idverify.services.ceremonies import Given, Renewal
from idverify.services.office import Office
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


def renewable(office: Office, given: Given | None, token: str | None) -> Given | None:
    """An answer that confirms an act in the session of a cookie: with it, the session gets a token that is new."""
    if given is None or token is None:
        return given
    return replace(given, renewal=Renewal(token, session_tokens.make(office.entropy)))


async def renewed(office: Office, given: Given | None, response: web.StreamResponse) -> None:
    """Give the browser the token that its session has by now, if an act was carried out that renewed it.

    What was done is done: where the database cannot say so any more, the answer goes out and its reader signs in again.
    """
    if given is None or given.renewal is None:
        return
    try:
        remember(response, await sessions.recognise(office, given.renewal.new))
    except (NotAuthenticated, Unavailable):  # nothing that was confirmed was done, or the session ended with it
        return


def forget(response: web.StreamResponse, principal: Principal) -> None:
    """Take the session away from the browser, and from a shared computer whatever else it kept of this site."""
    response.del_cookie(NAME, path="/", secure=True, httponly=True)
    if require_person(principal).shared_computer:
        response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
