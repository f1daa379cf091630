"""Whether a request was made by our own pages, as the browser itself says."""

from __future__ import annotations

from aiohttp import web

from idverify.errors import CrossSite

_REFUSED = "This did not come from a page of this service, so nothing was done. Open the page here and try again."


def require_same_origin(request: web.Request, origin: str) -> None:
    """Raises ``CrossSite`` unless the one ``Origin`` is ours or, without any, ``Sec-Fetch-Site`` is same-origin.

    A browser sends ``Origin`` with every POST (Fetch Standard, "append a request Origin header"), and no page can
    forge either header. A request with neither is refused: nothing shows where it came from.
    """
    origins = request.headers.getall("Origin", [])
    if origins:
        if origins != [origin]:
            raise CrossSite(_REFUSED)
    elif request.headers.getall("Sec-Fetch-Site", []) != ["same-origin"]:
        raise CrossSite(_REFUSED)
