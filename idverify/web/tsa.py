"""``/tsa``: the time-stamp service over HTTP (RFC 3161 section 3.4). Its errors are that text's own: PKIFailureInfo."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from idverify.errors import MalformedRequest
from idverify.formats.timestamp import MAX_REQUEST
from idverify.services import time_stamp
from idverify.web.body import read_body
from idverify.web.endpoint import Call, Reply

PATH: Final = "/tsa"
QUERY: Final = "application/timestamp-query"
REPLY: Final = "application/timestamp-reply"
BUDGET: Final = web.AppKey("time_stamps", time_stamp.Budget)


async def stamp(call: Call) -> Reply:
    """A time stamp over a digest (RFC 3161): TimeStampReq in, TimeStampResp out."""
    if call.request.content_type != QUERY:
        raise MalformedRequest(f"The body must be {QUERY}; got {call.request.content_type}.")
    request = await read_body(call.request, MAX_REQUEST)
    answer = await time_stamp.answer(call.office, call.request.app[BUDGET], request)
    headers = {"Cache-Control": "no-store"}
    if answer.failed is None:
        return Reply(answer.reply, content_type=REPLY, headers=headers)
    # Clients that look at the status alone hear of it, too
    headers["Retry-After"] = str(answer.failed.retry_after)
    return Reply(answer.reply, answer.failed.status, REPLY, headers)
