"""On whose behalf the service is at work, for whatever must choose whom to serve first.

An officer has somebody in front of them, a citizen waits for themselves, a relying party calls again by itself, and the
service's own chores can wait. It is known in one place, where the principal becomes known; all that follows from the
request, however deep, is done in its name. A request of nobody known counts as a relying party's: strangers, however
many, keep nobody waiting whom we know.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Final

from idverify.core.policy import Principal, Role


class Urgency(IntEnum):
    """Who is served first, the most urgent first."""

    OFFICER = 0
    CITIZEN = 1
    RELYING_PARTY = 2
    BACKGROUND = 3


_OF_ROLE: Final = {
    Role.OFFICER: Urgency.OFFICER,
    Role.ADMIN: Urgency.OFFICER,
    Role.CITIZEN: Urgency.CITIZEN,
    Role.RELYING_PARTY: Urgency.RELYING_PARTY,
}

_NOW: Final = ContextVar("urgency", default=Urgency.BACKGROUND)


def urgency() -> Urgency:
    """Of the work that this task is doing."""
    return _NOW.get()


def of_a_request() -> None:
    """A request begins, and nobody knows yet whose it is. The one before it on this connection left its mark here."""
    _NOW.set(Urgency.RELYING_PARTY)


def of(principal: Principal) -> Principal:
    """From here on this task works for the principal."""
    _NOW.set(_OF_ROLE[principal.role])
    return principal


def of_a_citizen() -> None:
    """From here on this task works for whoever holds an offer: they have a secret of it, and no account."""
    _NOW.set(Urgency.CITIZEN)


@contextmanager
def for_everybody() -> Iterator[None]:
    """Around what all wait for, whoever happens to ask for it: the log's checkpoints."""
    before = _NOW.set(Urgency.OFFICER)
    try:
        yield
    finally:
        _NOW.reset(before)
