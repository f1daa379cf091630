"""What the verify service makes of a mutant: read or not, accepted or not; whatever else happens flies on: a bug."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from idverify.core.verdict import Outcome
from idverify.services.verify import Submission, Verified, Verifier, verify
from tests.corpus.verified import verifier
from tests.simulators import credential_world as world
from tests.simulators import mdoc_mutator, sd_jwt_mutator
from tests.simulators import mdoc_world as mdoc


class Forged(AssertionError):
    """A mutant was accepted."""


@dataclass(frozen=True)
class Kind:
    """Mutants of one format: who makes them, the genuine documents that they may be, what is asked, and by whom."""

    mutant: Callable[[Random], bytes]
    genuine: frozenset[bytes]
    submission: Callable[[bytes], Submission]
    verifier: Verifier


KINDS: Final[Mapping[str, Kind]] = {
    "sd_jwt": Kind(
        sd_jwt_mutator.mutant,
        sd_jwt_mutator.ACCEPTED,
        lambda document: Submission(document, expected=world.ASKED),
        verifier(world.NOW),
    ),
    "mdoc": Kind(
        mdoc_mutator.mutant,
        frozenset({mdoc_mutator.GOOD}),
        lambda document: Submission(document, expected=mdoc.ASKED),
        verifier(world.NOW, mdoc.TRUST),
    ),
}


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
    verified = outright(verify(kind.verifier, kind.submission(document), world.NOW))
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
