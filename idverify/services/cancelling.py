"""Cancelling one-time codes: one that waits for its use opens nothing any more."""

from __future__ import annotations

from collections.abc import Mapping

from idverify.errors import IdverifyError
from idverify.stores import tables
from idverify.stores.writes import Change


def cancelling(whose: Mapping[str, bytes | str | None], at: int, otherwise: IdverifyError | None = None) -> Change:
    """Makes codes that wait for their use useless: those of a person or account, or those that somebody made.

    With ``otherwise``, one must be there.
    """
    return Change(tables.enrolment, {**whose, "consumed_at": None}, {"consumed_at": at}, otherwise)
