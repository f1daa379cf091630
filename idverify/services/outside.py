"""Who remembers our logs outside the database: asked where that may be an older one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.note import split_note
from idverify.ledger.witness_client import Witnesses, WitnessTransport
from idverify.services.log_policy import LogPolicy


class Outside(Protocol):
    """Those outside the database, and outside its backups, who remember what was signed: witnesses."""

    async def known(self, origin: str) -> Sequence[Checkpoint]:
        """The checkpoints of a log that they have seen, each signed by the log. Empty if nobody can be reached."""


class Nobody:
    """``Outside`` of a deployment without witnesses."""

    async def known(self, origin: str) -> Sequence[Checkpoint]:
        """Nothing."""
        del origin
        return ()


@dataclass(frozen=True, slots=True)
class WitnessesOutside:
    """``Outside`` of a deployment with witnesses, by the policy of the log that is asked about."""

    policy: Callable[[str], LogPolicy]
    transport: WitnessTransport

    async def known(self, origin: str) -> Sequence[Checkpoint]:
        """The checkpoints that witnesses show of this log, signed by it and by them; without those out of reach."""
        answers = await Witnesses(self.policy(origin).policy, self.transport).compare(None)
        notes = [answer.note for answer in answers if answer.note is not None]
        return [Checkpoint.parse(text) for text, _ in map(split_note, notes)]
