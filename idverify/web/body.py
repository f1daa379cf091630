"""Reading a request's body: whole, in time, capped, and as it was sent."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import ClientPayloadError, web

from idverify.errors import MalformedRequest, TooLarge

MAX_BODY: Final = 1024 * 1024
BODY_SECONDS: Final = 15.0


async def read_body(request: web.Request, limit: int = MAX_BODY) -> bytes:
    """The body's bytes, ``limit`` at most.

    Raises ``TooLarge`` over the limit, else ``MalformedRequest``.
    """
    if request.content_length is not None and request.content_length > limit:
        raise TooLarge(f"The body may be {limit} bytes long; got {request.content_length}.")
    if "Content-Encoding" in request.headers:  # nothing is unpacked for a client: a bomb stays as small as it came
        raise MalformedRequest("The body must be sent as it is, without Content-Encoding.")
    if request.content.is_eof():  # all of it came with the head: nothing to wait for
        body = request.content.read_nowait()
        if len(body) > limit:
            raise TooLarge(f"The body may be {limit} bytes long; got {len(body)}.")
        return body
    try:
        async with asyncio.timeout(BODY_SECONDS):
            read = bytearray()
            async for chunk in request.content.iter_any():
                read += chunk
                if len(read) > limit:
                    raise TooLarge(f"The body may be {limit} bytes long; it is longer.")
            return bytes(read)
    except TimeoutError as late:
        raise MalformedRequest(f"The body must arrive within {BODY_SECONDS:g} seconds.") from late
    except (ConnectionError, ClientPayloadError) as gone:
        raise MalformedRequest("The body did not arrive whole.") from gone
