"""The start page: what this is, and a door for everybody."""

from __future__ import annotations

from idverify.web.pages.call import PageCall
from idverify.web.pages.desks import home_of
from idverify.web.pages.render import Html


async def home(call: PageCall) -> Html:
    """What this service is for, and where to go."""
    return Html("home.html", {"desk": None if call.principal is None else home_of(call.principal.role)})
