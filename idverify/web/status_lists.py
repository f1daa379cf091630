"""Status lists for everybody, in the form that is asked for (draft-ietf-oauth-status-list-21 section 8.1 and 8.2).

A list is hashed and compressed once after it was signed; to whoever asks after that, bytes are handed out.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from idverify.errors import NotAcceptable, NotFound, NotOffered
from idverify.formats import status_list as status_list_jwt
from idverify.formats import status_list_cwt
from idverify.services.status_publication import REFRESH_SECONDS
from idverify.services.status_source import KeptList
from idverify.web.accept import best
from idverify.web.endpoint import Call, Reply
from idverify.web.representation import Representation

Printed = dict[tuple[str, str], tuple[bytes, Representation]]
PRINTED: Final[web.AppKey[Printed]] = web.AppKey("status_lists")
"""By address and media type: the token, and it as it is sent."""
FORMS: Final = (status_list_jwt.MEDIA_TYPE, status_list_cwt.MEDIA_TYPE)
# A list is signed again after this time at the latest: with it a cache is never further behind than the ttl.
_CACHE: Final = f"public, max-age={REFRESH_SECONDS}"
# Wallets and checkers that are web pages read it, too.
_FOR_PAGES: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


async def status_list(call: Call) -> Reply:
    """A signed Token Status List: application/statuslist+jwt, or +cwt where Accept prefers it."""
    if "time" in call.request.query:
        raise NotOffered("Lists are served as they are now; how they were at another time is told to nobody.")
    listed = await _listed(call, int(call.request.match_info["list"]))
    media_type = best(call.request.headers.getall("Accept", []), FORMS)
    if media_type is None:
        raise NotAcceptable(f"A status list is there as {' and '.join(FORMS)}.")
    shown = await _printed(call, listed, media_type)
    status, content, headers = shown.answer(call.request.headers)
    vary = ", ".join(filter(None, ("Accept", headers.get("Vary"))))
    return Reply(content, status, media_type, {**headers, **_FOR_PAGES, "Vary": vary})


async def _listed(call: Call, number: int) -> KeptList:
    """The list of this number, also one that another process has just opened."""
    uri = f"{call.office.deployment.status_base}/{number}"
    statuses = call.office.statuses
    if statuses.kept_at(uri) is None:
        await call.office.board.find(uri)
    listed = statuses.kept_at(uri)
    if listed is None:
        raise NotFound("There is no such status list here.")
    return listed


async def _printed(call: Call, listed: KeptList, media_type: str) -> Representation:
    token = listed.token if media_type == status_list_jwt.MEDIA_TYPE else listed.cwt
    if token is None:  # signed before there were two forms; the next signing makes both
        raise NotAcceptable(f"This status list is there as {status_list_jwt.MEDIA_TYPE} alone.")
    kept: Printed = call.request.app[PRINTED]
    place = call.request.path, media_type
    found = kept.get(place)
    if found is None or found[0] is not token:
        compressed = media_type == status_list_jwt.MEDIA_TYPE  # of a CWT nothing is left to compress
        shown = await asyncio.to_thread(Representation.of, token, media_type, _CACHE, compressed=compressed)
        kept[place] = found = token, shown
    return found[1]
