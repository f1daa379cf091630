"""An act of administration that takes two admins: how it is checked, and what becomes true with it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.action import Action
from idverify.core.policy import Principal
from idverify.errors import Unprocessable
from idverify.services.invite import SecondPart
from idverify.services.office import Office
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Recorded, Write

_SHA_256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Agreed:
    """Who agreed: the names of both, the row ids of their confirmations, and whose account proposed it."""

    proposed_by: str
    authorisation: bytes
    approved_by: str
    approval: bytes
    proposed_by_account: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """What an act writes in its transaction, and what it leaves on the ledger.

    ``deed`` is its entry, ``changed`` what stands behind the act's two entries. The ``second_part`` of a one-time code
    is shown to whoever approved it; whoever proposed it has the first.
    """

    writes: tuple[Write, ...]
    deed: Recorded | None = None
    changed: tuple[Recorded, ...] = ()
    second_part: SecondPart | None = None


def first_part_of(wanted: Action) -> bytes:
    """SHA-256 of the first part of a one-time code, which whoever proposed the act hands over.

    Both confirm it with the act, so nobody makes the code work with a part of their own. Raises ``Unprocessable``.
    """
    said: Any = wanted.content.get("first_part")
    if not isinstance(said, str) or not _SHA_256.fullmatch(said):
        raise Unprocessable("The member first_part must be the SHA-256, in hex, of the first part of the code.")
    return bytes.fromhex(said)


@dataclass(frozen=True, slots=True)
class AdminAct:
    """``check`` raises for an action that is malformed or cannot be done now, or not by this admin.

    ``carry_out`` runs in the transaction: what it reads holds until everything is written. ``afterwards`` is what may
    follow, and is made up for at night if it does not.
    """

    check: Callable[[Office, Principal, Action], Awaitable[None]]
    carry_out: Callable[[Office, Action, Agreed, Transaction], Awaitable[Done]]
    afterwards: Callable[[Office], Awaitable[None]] | None = None
