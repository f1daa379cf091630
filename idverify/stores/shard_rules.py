"""What ties a shard to those who opened it: two people confirmed exactly that, and their confirmations stand in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from idverify.core.action import Action
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import LedgerError
from idverify.ledger.lines import base64_text

ACT: Final = "new-shard"
TWO_PEOPLE: Final = "two people open a new log, each with a key of their own"
WHAT_THEY_CONFIRMED: Final = "a new log follows the one, and names the checkpoint, that two people confirmed"

_SHARDS: Final = "SELECT shard, origin, previous FROM ledger_state WHERE previous IS NOT NULL ORDER BY shard"
_CONFIRMATIONS: Final = """
    SELECT ledger_index, account_id, security_key_id, action_digest FROM authorisation
    WHERE act = :act AND ledger_shard = :shard ORDER BY ledger_index"""
_PROPOSALS: Final = "SELECT * FROM shard_proposal WHERE begins = :begins AND consumed_at IS NOT NULL"


def shard_findings(rows: Callable[..., Iterable[Any]]) -> Iterator[tuple[int | None, str]]:
    """(ledger index, broken rule) for every shard that somebody opened otherwise."""
    for shard in list(rows(_SHARDS)):
        confirmed = list(rows(_CONFIRMATIONS, {"act": ACT, "shard": shard["shard"]}))
        alike = {row["action_digest"] for row in confirmed}
        people = {row["account_id"] for row in confirmed}, {row["security_key_id"] for row in confirmed}
        if (len(confirmed), len(alike), *map(len, people)) != (2, 1, 2, 2):
            yield 0, TWO_PEOPLE
            continue
        proposals = list(rows(_PROPOSALS, {"begins": shard["origin"]}))
        if not any(_is_that(shard, proposal, alike.copy().pop()) for proposal in proposals):
            yield 0, WHAT_THEY_CONFIRMED


def content(ends: str, begins: str, last_known: Checkpoint, *, halted: bool) -> dict[str, Any]:
    """What the act says that both people confirm."""
    known = {"origin": last_known.origin, "size": last_known.size, "root": base64_text(last_known.root)}
    return {"ends": ends, "begins": begins, "last_known": known, "halted": halted}


def _is_that(shard: Any, proposal: Any, action_digest: bytes) -> bool:
    try:
        last_known, previous = Checkpoint.parse(proposal["last_known"]), Checkpoint.parse(shard["previous"])
    except LedgerError:
        return False
    halted = bool(proposal["halted"])
    action = Action(ACT, None, content(proposal["ends"], proposal["begins"], last_known, halted=halted))
    grown = previous.origin == last_known.origin and previous.size >= last_known.size
    return action.digest() == action_digest and (previous == last_known if halted else grown)
