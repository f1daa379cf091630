"""Cancelling one-time codes: one that waits for its use opens nothing any more."""

from __future__ import annotations

from collections.abc import Mapping

from idverify.errors import IdverifyError
from idverify.stores import tables
from idverify.stores.writes import Change


def codes_of(account: bytes, actor: str, at: int) -> tuple[Change, Change]:
    """Makes codes useless that somebody made or approved, and those that they proposed and another approved."""
    return cancelling({"created_by": actor}, at), cancelling({"proposed_by_account": account}, at)


def cancelling(whose: Mapping[str, bytes | str | None], at: int, otherwise: IdverifyError | None = None) -> Change:
    """Makes codes that wait for their use useless: those of a person or account, or those that somebody made.

    With ``otherwise``, one must be there.
    """
    return Change(tables.enrolment, {**whose, "consumed_at": None}, {"consumed_at": at}, otherwise)
