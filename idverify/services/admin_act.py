"""An act of administration that takes two admins: how it is checked, and what becomes true with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from idverify.core.action import Action
from idverify.services.invite import Invitation
from idverify.services.office import Office
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Recorded, Write, WriteSet


@dataclass(frozen=True, slots=True)
class Agreed:
    """Who agreed: the names of both, and the row ids of their confirmations."""

    proposed_by: str
    authorisation: bytes
    approved_by: str
    approval: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """What an act writes in its transaction, and what it leaves on the ledger.

    ``deed`` is its entry, ``changed`` what stands behind the act's two entries, ``further`` are acts of their own. The
    ``invitation`` is shown to whoever approved it.
    """

    writes: tuple[Write, ...]
    deed: Recorded | None = None
    changed: tuple[Recorded, ...] = ()
    further: tuple[WriteSet, ...] = field(default=())
    invitation: Invitation | None = None


@dataclass(frozen=True, slots=True)
class AdminAct:
    """``check`` raises for an action that is malformed or cannot be done now.

    ``carry_out`` runs in the transaction: what it reads holds until everything is written. ``afterwards`` is what may
    follow, and is made up for at night if it does not.
    """

    check: Callable[[Office, Action], Awaitable[None]]
    carry_out: Callable[[Office, Action, Agreed, Transaction], Awaitable[Done]]
    afterwards: Callable[[Office], Awaitable[None]] | None = None
