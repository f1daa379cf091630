"""What the verify service makes of a mutant: read or not, accepted or not; whatever else happens flies on: a bug."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from idverify.core.verdict import Outcome
from idverify.services.verify import Submission, Verified, verify
from tests.corpus.verified import verifier
from tests.simulators import credential_world as world
from tests.simulators import sd_jwt_mutator


class Forged(AssertionError):
    """A mutant was accepted."""


@dataclass(frozen=True)
class Kind:
    """Mutants of one format: who makes them, the genuine documents that they may turn out to be, what is asked."""

    mutant: Callable[[Random], bytes]
    genuine: frozenset[bytes]
    submission: Callable[[bytes], Submission]


KINDS: Final[Mapping[str, Kind]] = {
    "sd_jwt": Kind(
        sd_jwt_mutator.mutant,
        sd_jwt_mutator.ACCEPTED,
        lambda document: Submission(document, expected=world.ASKED),
    ),
}
VERIFIER: Final = verifier(world.NOW)


@dataclass
class Tally:
    """How many mutants there were, and how many of them could be read."""

    mutants: int = 0
    read: int = 0


def judge(kind: Kind, random: Random, tally: Tally) -> None:
    """Verify one mutant and count it. Raises ``Forged``."""
    document = kind.mutant(random)
    if document in kind.genuine:
        return
    verified = outright(verify(VERIFIER, kind.submission(document), world.NOW))
    tally.mutants += 1
    tally.read += verified.presented is not None
    if verified.verdict.verdict is Outcome.ACCEPT:
        raise Forged(document.hex())


def outright(work: Coroutine[Any, Any, Verified]) -> Verified:
    """The result of a verification that waits for nobody."""
    try:
        work.send(None)
    except StopIteration as done:
        verified: Verified = done.value
        return verified
    raise AssertionError("an offline verification waited for something")
