"""Which language a visitor reads: what they chose here, else what their browser asks for."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from idverify.web.pages.local_path import local_path
from idverify.web.pages.words import Language

COOKIE: Final = "idverify_language"
_A_YEAR: Final = 365 * 86_400
_RANGE: Final = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]{1,20})?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")
_MOST_RANGES: Final = 20


def language_of(request: web.Request) -> Language:
    """The language to answer in."""
    chosen = request.cookies.get(COOKIE)
    if chosen in set(Language):
        return Language(chosen)
    return preferred(request.headers.get("Accept-Language", ""))


def preferred(accept: str) -> Language:
    """The language of ours that an ``Accept-Language`` header ranks highest (RFC 9110 section 12.5.4); else English."""
    ranked = [form for form in map(_RANGE.fullmatch, accept.split(",")[:_MOST_RANGES]) if form is not None]
    quality = {form[1].lower(): float(form[2] or 1) for form in reversed(ranked)}
    return max(Language, key=lambda language: (quality.get(language, 0.0), language is Language.EN))


async def switch(request: web.Request) -> web.StreamResponse:
    """Remember a language and go back to the page."""
    back = local_path(request.query.get("back"), "/")
    response = web.Response(status=303, headers={"Location": back, "Cache-Control": "no-store"})
    chosen = Language(request.match_info["language"])
    response.set_cookie(COOKIE, chosen, max_age=_A_YEAR, path="/", secure=True, httponly=True, samesite="Lax")
    return response
