"""Whom a reader of our logs may believe: of each its keys, and the witnesses that the operator chose.

The operator's file holds the `witness`, `group` and `quorum` lines of a c2sp.org/tlog-policy; the `log` lines are ours.
Every shard has a policy of its own, since one key signs them all and a policy may name a key once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from idverify.ledger.checkpoint import of_first_kind
from idverify.ledger.errors import MalformedError
from idverify.ledger.note import NoteVerifier, vkey
from idverify.ledger.policy import Policy, parse_policy
from idverify.ledger.succession import shard_of

NO_WITNESSES: Final = "quorum none\n"


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """A policy, and the text that was published of it."""

    text: str
    policy: Policy

    @property
    def verifiers(self) -> tuple[NoteVerifier, ...]:
        """The log's keys, those of tokens first."""
        return tuple(log.verifier for log in self.policy.logs)

    @property
    def foremost(self) -> list[NoteVerifier]:
        """Those of tokens: one of them has signed whatever the log ever signed."""
        return of_first_kind(self.verifiers)

    @property
    def witnessed(self) -> bool:
        """Whether receipts need the word of witnesses."""
        return self.policy.quorum is not None


def log_url(iss: str, origin: str) -> str:
    """The prefix under which a log of the issuer is served (c2sp.org/tlog-tiles)."""
    return f"{iss}/log/{shard_of(origin)}"


def log_policy(url: str, verifiers: Iterable[NoteVerifier], witnesses: str = NO_WITNESSES) -> LogPolicy:
    """The policy of a log: the URL that it is served under, its keys, those of tokens first, and the operator's lines.

    Raises ``MalformedError``: the lines are none of a policy.
    """
    lines = [f"log {vkey(verifier)} {url}\n" for verifier in verifiers]
    text = "".join(lines) + witnesses
    return LogPolicy(text, parse_policy(text))


def require_witnesses(policy: Policy) -> None:
    """What the operator's lines must be besides a policy, so that a log can ever meet them.

    Raises ``MalformedError``: they name logs, or no quorum of the witnesses can be asked.
    """
    if policy.logs:
        raise MalformedError("policy: expected witness, group and quorum lines, got a log line; ours are added")
    unasked = [witness.name for witness in policy.witnesses if witness.url is None]
    if not policy.satisfied_by({witness.name for witness in policy.witnesses} - set(unasked)):
        raise MalformedError(
            f"policy: expected addresses at the ends of witness lines, for a quorum; {', '.join(unasked)} have none"
        )
