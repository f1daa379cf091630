"""Admins' routes: how the ledger stands, and opening a new shard of it."""

from __future__ import annotations

from idverify.errors import MalformedRequest
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import base64_text, parse_hash
from idverify.services import new_shard
from idverify.services.log_book import Log
from idverify.services.new_shard import Succession, Waiting
from idverify.web import schema
from idverify.web.endpoint import Call, Reply


async def show(call: Call) -> schema.LedgerState:
    """Every log of the ledger, what would follow the current one, and what is proposed."""
    state = await new_shard.state(call.office, call.caller)
    return schema.LedgerState(
        shards=[_log(log) for log in state.logs],
        following=None if state.following is None else _succession(state.following),
        unknown=state.unknown,
        proposals=list(map(_waiting, state.waiting)),
    )


async def propose(call: Call) -> Reply:
    """Ask a second admin to open a new log."""
    waiting = await new_shard.propose(call.office, call.caller, _checkpoint(call.body.last_known), call.given)
    return Reply(_waiting(waiting), status=202)


async def approve(call: Call) -> Reply:
    """Open the log that another admin proposed."""
    return Reply(_log(await new_shard.approve(call.office, call.caller, call.handle("proposal"), call.given)), 201)


def _checkpoint(given: schema.CheckpointView) -> Checkpoint:
    try:
        return Checkpoint(given.origin, given.size, parse_hash(given.root, "root"))
    except MalformedError as wrong:
        place = {"at": "/last_known", "expected": str(wrong)}
        raise MalformedRequest("Some fields are not as they must be.", [place]) from wrong


def _head(checkpoint: Checkpoint) -> schema.CheckpointView:
    return schema.CheckpointView(origin=checkpoint.origin, size=checkpoint.size, root=base64_text(checkpoint.root))


def _log(log: Log) -> schema.ShardView:
    return schema.ShardView(
        shard=log.shard,
        origin=log.origin,
        size=log.size,
        signed_size=log.signed_size,
        previous=None if log.previous is None else _head(log.previous),
        halted=log.halted,
    )


def _members(succession: Succession) -> dict[str, object]:
    return {
        "ends": succession.ends,
        "begins": succession.begins,
        "last_known": _head(succession.last_known),
        "halted": succession.halted,
    }


def _succession(succession: Succession) -> schema.Succession:
    return schema.Succession.model_validate(_members(succession))


def _waiting(waiting: Waiting) -> schema.ShardProposalView:
    named = {"proposal": waiting.handle.hex(), "proposed_by": waiting.proposed_by}
    at = {"expires_at": schema.instant(waiting.expires_at)}
    return schema.ShardProposalView.model_validate({**_members(waiting.succession), **named, **at})
