"""Proposals as pages show them: who made one, whether it still waits, and whether the reader made it themselves."""

from __future__ import annotations

from dataclasses import dataclass

from idverify.core.names import name_as_read
from idverify.services.proposals import Waiting
from idverify.web.pages.call import PageCall


@dataclass(frozen=True, slots=True)
class WaitingShown:
    """A proposal: its page, what is proposed, by whom, until when (Unix seconds), and what can still be done with it.

    ``is_own`` is whether the reader made it, who therefore cannot approve it.
    """

    path: str
    title: str
    proposed_by: str
    expires_at: int
    is_own: bool
    carried_out: bool
    expired: bool


def waiting_shown(call: PageCall, waiting: Waiting, desk: str, title: str) -> WaitingShown:
    """A proposal whose page lies under that of its ``desk``."""
    return WaitingShown(
        path=f"{desk}/{waiting.handle.hex()}",
        title=title,
        proposed_by=waiting.proposed_by,
        expires_at=waiting.expires_at,
        is_own=name_as_read(waiting.proposed_by) == name_as_read(call.caller.actor),
        carried_out=waiting.carried_out,
        expired=waiting.expires_at <= call.office.clock.now(),
    )
