"""Whom a reader of our log may believe: its keys, of every shard, and the witnesses that the operator chose.

The operator's file holds the `witness`, `group` and `quorum` lines of a c2sp.org/tlog-policy; the `log` lines are ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from idverify.ledger.note import NoteVerifier, vkey
from idverify.ledger.policy import Policy, parse_policy

NO_WITNESSES: Final = "quorum none\n"


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """A policy, and the text that was published of it."""

    text: str
    policy: Policy

    def of(self, origin: str) -> Policy:
        """The same for one log alone: what its witnesses are asked about."""
        logs = tuple(log for log in self.policy.logs if log.verifier.name == origin)
        return replace(self.policy, logs=logs)


def log_policy(logs: Iterable[tuple[str, Iterable[NoteVerifier]]], witnesses: str = NO_WITNESSES) -> LogPolicy:
    """The policy over logs, each the URL that it is served under and its keys, and the operator's lines.

    Raises ``MalformedError``: the lines are none of a policy.
    """
    lines = [f"log {vkey(verifier)} {url}\n" for url, verifiers in logs for verifier in verifiers]
    text = "".join(lines) + witnesses
    return LogPolicy(text, parse_policy(text))
