"""The published ledger: checkpoints, tiles, bundles and proofs of every shard, for whoever wants to check it.

Nothing here asks who is calling, and nothing says whom an entry is about: a proof of an entry is a proof of random
bytes, and what opens them is the holder's (``web.collect``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

import structlog
from aiohttp import web

from idverify.errors import MalformedRequest, NotFound, Unavailable
from idverify.ledger.cose_receipt import MEDIA_TYPE as COSE_RECEIPT
from idverify.ledger.errors import LedgerError, MalformedError, ProofError
from idverify.ledger.lines import base64_text, parse_decimal
from idverify.ledger.published import CHECKPOINT, DESCRIPTION, ENTRIES, QUORUM, TEXT, media_type
from idverify.services.published import PublishedShards, Shard
from idverify.web.endpoint import Call, Reply
from idverify.web.representation import IMMUTABLE, Kept, Representation

PREFIX: Final = "/log/"
MOVING: Final = "public, max-age=1"  # tlog-tiles: a checkpoint is not cached beyond a few seconds
RENDERED_BYTES: Final = 32 * 1024 * 1024

SHARDS: Final = web.AppKey("shards", PublishedShards)
RENDERED: Final = web.AppKey("rendered", Kept)
T = TypeVar("T")
log = structlog.get_logger()


async def checkpoint(call: Call) -> Reply:
    """The latest signed checkpoint of a shard (c2sp.org/tlog-checkpoint)."""
    return await _moving(call, CHECKPOINT)


async def quorum_checkpoint(call: Call) -> Reply:
    """The latest checkpoint of a shard that meets its witness policy."""
    return await _moving(call, QUORUM)


async def description(call: Call) -> Reply:
    """Whose log a shard is: keys, policy, promises (docs/ledger-format.md)."""
    return await _moving(call, DESCRIPTION)


async def tile(call: Call) -> Reply:
    """A tile of hashes or a bundle of entries (c2sp.org/tlog-tiles), immutable."""
    number, shard = _shard(call)
    path = f"tile/{call.request.match_info['tile']}"
    rendered = call.request.app[RENDERED]
    found = rendered.get((number, path))
    if found is None:
        found = await _rendered(shard, path)
        rendered.keep((number, path), found)
    return _reply(call, found)


async def proof(call: Call) -> Reply:
    """That an entry is on the ledger: a .tlog-proof, or a COSE Receipt where Accept names its media type."""
    _, shard = _shard(call)
    index = _decimal(call.request.match_info["index"])
    made = await _cose_receipt(shard, index) if _accepts(call, COSE_RECEIPT) else None
    if made is not None:
        shown = Representation.of(made, COSE_RECEIPT, MOVING)
    else:
        found = await _shown(shard.published.proof(index))
        if found is None:
            raise NotFound(f"No checkpoint that meets the policy covers entry {index}.")
        shown = Representation.of(found.encode(), TEXT, MOVING)
    reply = _reply(call, shown)
    return Reply(reply.body, reply.status, reply.content_type, {**reply.headers, "Vary": "Accept"})


async def consistency(call: Call) -> Reply:
    """That the log of ?from= entries is a prefix of that of ?to=: base64 hashes, a line each."""
    _, shard = _shard(call)
    size1, size2 = _sizes(call)
    try:
        hashes = await _shown(shard.published.consistency(size1, size2))
    except ProofError as beyond:
        raise NotFound(f"There is no such proof: {beyond}.") from beyond
    lines = "".join(f"{base64_text(value)}\n" for value in hashes)
    return _reply(call, Representation.of(lines.encode(), TEXT, IMMUTABLE))


async def _moving(call: Call, path: str) -> Reply:
    _, shard = _shard(call)
    content = await _shown(shard.published.read(path))
    if content is None:
        raise NotFound("There is no such checkpoint yet.")
    return _reply(call, Representation.of(content, media_type(path), MOVING))


async def _rendered(shard: Shard, path: str) -> Representation:
    content = await _shown(shard.published.read(path))
    if content is None:
        raise NotFound("No published checkpoint covers that, or it is no path of a tile.")
    if not path.startswith(ENTRIES):  # hashes do not compress
        return Representation.of(content, media_type(path), IMMUTABLE)
    return await asyncio.to_thread(Representation.of, content, media_type(path), IMMUTABLE, compressed=True)


async def _cose_receipt(shard: Shard, index: int) -> bytes | None:
    """The COSE Receipt of an entry; ``None`` where there is none, so that the other form is answered."""
    signed = await _shown(shard.published.provable(index))
    if signed is None or signed.tree.size == 1:  # RFC 9942 has no path without hashes
        return None
    return await _shown(shard.receipts.inclusion(signed, index))


async def _shown(work: Awaitable[T]) -> T:
    """What the log shows. What is stored and does not lead to the signed root is never shown, nor kept by a cache."""
    try:
        return await work
    except ProofError:
        raise
    except LedgerError as broken:
        log.critical("ledger_not_shown", reason=str(broken))
        raise Unavailable("The ledger cannot be shown: what is stored does not lead to what was signed.") from broken


def _shard(call: Call) -> tuple[int, Shard]:
    number = _decimal(call.request.match_info["shard"])
    found = call.request.app[SHARDS].get(number)
    if found is None:
        raise NotFound("There is no such shard of the ledger.")
    return number, found


def _decimal(text: str) -> int:
    """A number in a path; another spelling of it leads nowhere."""
    try:
        return parse_decimal(text, "number")
    except MalformedError as wrong:
        raise NotFound("Numbers in this path are decimal, without leading zeros.") from wrong


def _sizes(call: Call) -> tuple[int, int]:
    """Exactly ``?from=N&to=M``. Raises ``MalformedRequest``."""
    asked = call.request.query
    try:
        if len(asked) != 2 or not {"from", "to"} <= asked.keys():
            raise MalformedError(f"got {', '.join(asked) or 'nothing'}")
        size1, size2 = parse_decimal(asked["from"], "from"), parse_decimal(asked["to"], "to")
        if size1 > size2:
            raise MalformedError(f"from {size1} is larger than to {size2}")
    except MalformedError as wrong:
        raise MalformedRequest(f"Ask for ?from=N&to=M, two sizes in this order: {wrong}.") from wrong
    return size1, size2


def _accepts(call: Call, content_type: str) -> bool:
    """Whether ``Accept`` names this very media type, and not with q=0 (RFC 9110 section 12.5.1)."""
    for media_range in ",".join(call.request.headers.getall("Accept", [])).split(","):
        name, *parameters = (part.strip().lower() for part in media_range.split(";"))
        if name == content_type:
            return not any(part.startswith("q=0") and not part[3:].strip(".0") for part in parameters)
    return False


def _reply(call: Call, shown: Representation) -> Reply:
    status, body, headers = shown.answer(call.request.headers)
    return Reply(body, status, shown.content_type, headers)
