"""Whom an auditor believes: the keys that they bring with them, never those that the log hands out."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from idverify.cli.output import WrongUsage, printable, read_input
from idverify.ledger.description import LogDescription
from idverify.ledger.errors import MalformedError
from idverify.ledger.files import LogFiles, require_file
from idverify.ledger.note import NoteVerifier, parse_vkey
from idverify.ledger.policy import Policies, Policy, parse_policy
from idverify.ledger.published import DESCRIPTION


@dataclass(frozen=True, slots=True)
class Trust:
    """As it was given: verifier keys, the file of a tlog-policy, or the wish to believe the log's own keys once."""

    vkeys: Sequence[str]
    policy: Path | None = None
    first_use: bool = False

    def resolve(self, files: LogFiles | None = None) -> Policy:
        """The policy to check with. Raises ``WrongUsage``: nothing, or more than one thing, or what cannot be read."""
        if bool(self.vkeys) + (self.policy is not None) + self.first_use != 1:
            raise WrongUsage(
                "Give the log's key with --vkey KEY or @FILE, or with --policy FILE, one of them. It must come by "
                "another way than the log: ask whoever has it from the operator."
            )
        with _usable():
            if self.policy is not None:
                return parse_policy(read_input(str(self.policy)).decode())
            return Policy.of_log(self._verifiers() if self.vkeys else _of_the_log(files))

    def of_each_log(self) -> Policies:
        """The same for what may rest on several logs, as after a new shard: one key may sign all of them."""
        if not self.vkeys or self.policy is not None:
            return Policies((self.resolve(),))
        logs = defaultdict[str, list[NoteVerifier]](list)
        with _usable():
            for verifier in self._verifiers():
                logs[verifier.name].append(verifier)
            return Policies(tuple(map(Policy.of_log, logs.values())))

    def _verifiers(self) -> list[NoteVerifier]:
        return [parse_vkey(key) for given in self.vkeys for key in given_keys(given)]


def given_keys(vkey: str) -> list[str]:
    """A verifier key as it is, or those in a file, one a line."""
    if not vkey.startswith("@"):
        return [vkey]
    return [line for line in read_input(vkey[1:]).decode().splitlines() if line and not line.startswith("#")]


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except (MalformedError, UnicodeDecodeError) as error:
        raise WrongUsage(f"The key or policy cannot be used: {error}.") from error


def _of_the_log(files: LogFiles | None) -> list[NoteVerifier]:
    if files is None:
        raise WrongUsage("--trust-on-first-use needs a log that hands out its keys in log.json.")
    keys = LogDescription.decode(require_file(files, DESCRIPTION)).vkeys
    verifiers = [parse_vkey(key) for key in keys]
    for key in keys:
        sys.stderr.write(printable(f"On first use, from the log itself: --vkey {key}") + "\n")
    return verifiers
