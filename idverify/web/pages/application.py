"""Putting the pages into an aiohttp application."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aiohttp import web

from idverify.errors import IdverifyError
from idverify.web.assets import Assets
from idverify.web.endpoint import OFFICE
from idverify.web.pages import explanation, language
from idverify.web.pages.call import AROUND, Around, PageCall
from idverify.web.pages.page import write
from idverify.web.pages.render import Html, Renderer
from idverify.web.pages.routes import PAGES
from idverify.web.pages.words import N_, Language

_NOTHING_HERE: Final = N_("There is nothing at this address.")


def add_pages(app: web.Application, assets: Assets, *, demo: bool) -> None:
    """Add every page to an application that has its office."""
    names = "|".join(Language)
    app.router.add_route("GET", f"/language/{{language:{names}}}", language.switch)
    readable = set()
    for page in PAGES:
        resource = app.router.add_route(page.method, page.path, page.respond).resource
        if page.method == "GET" and resource is not None:
            readable.add(resource.canonical)
    app[AROUND] = Around(Renderer(assets.url), demo, frozenset(readable))


def error_for_people(request: web.Request, error: IdverifyError) -> web.Response | None:
    """A page for an error outside of any page, such as an address that leads nowhere; ``None`` for programs."""
    if AROUND not in request.app or "text/html" not in request.headers.get("Accept", ""):
        return None
    explained = explanation.of_error(error)
    if error.status in (404, 405):  # what these say by themselves is for programs
        explained = replace(explained, happened=_NOTHING_HERE)
    call = PageCall(request.app[OFFICE], request, language.language_of(request))
    return write(call, Html("error.html", {"explained": explained}, error.status))
