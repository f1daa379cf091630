"""Notices: what the owner of an account must know, shown wherever they are signed in until they have seen it.

Whoever did it knows it already, so the session in which it was done does not show it; every other one does, and the
next sign-in. A row holds no more than what happened, when, and to which row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from idverify.core.policy import Principal, require_person
from idverify.errors import Conflict, NotFound
from idverify.services.office import Office
from idverify.stores import queries, tables
from idverify.stores.writes import Change, Insert, WriteSet

_UNKNOWN: Final = "You have no such notice."
_PENDING: Final = "This stays until the code was used or cancelled, or has expired. If it was not you, cancel it."


class NoticeKind(StrEnum):
    """What happened."""

    KEY_ADDED = "key-added"
    KEY_REMOVED = "key-removed"
    KEY_SUSPENDED = "key-suspended"
    RECOVERY_CODES_MADE = "recovery-codes-made"
    RECOVERY_CODE_USED = "recovery-code-used"
    RE_PROOFING_ASKED = "re-proofing-asked"
    RE_PROOFING_CANCELLED = "re-proofing-cancelled"
    RE_PROOFING_USED = "re-proofing-used"
    ACCESS_RESTORED = "access-restored"
    STAFF_ENROLLED = "staff-enrolled"
    COPY_RETIRED = "copy-retired"
    SIGNED_OUT_EVERYWHERE = "signed-out-everywhere"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened to an account at ``at`` (Unix seconds).

    ``key_name`` is what its owner calls the key that was added, removed or suspended.
    ``pending``: an officer made a code for the account that can still be cancelled; it works from ``not_before`` on.
    ``name`` is who came by a link that the owner proposed.
    """

    handle: bytes
    kind: NoticeKind
    at: int
    about: bytes | None
    pending: bool
    not_before: int | None
    key_name: str | None
    name: str | None = None


def telling(
    office: Office, account: bytes, kind: NoticeKind, about: bytes | None = None, session: bytes | None = None
) -> Insert:
    """The row that tells an account's owner; ``about`` is the row that it speaks of, ``session`` where it was done."""
    row = {
        "id": office.new_id(),
        "handle": office.new_handle(),
        "account_id": account,
        "kind": kind.value,
        "about": about,
        "session_id": session,
        "created_at": office.clock.now(),
        "seen_at": None,
    }
    return Insert(tables.notice, row)


async def unseen(office: Office, principal: Principal) -> list[Notice]:
    """What the caller has not seen yet, newest first."""
    person, now = require_person(principal), office.clock.now()
    asked = {"account_id": person.account, "session_id": person.session}
    rows: list[Any] = await office.store.fetch(queries.NOTICES, asked)
    return [_notice(row, now) for row in rows]


async def see(office: Office, principal: Principal, handle: bytes) -> None:
    """The caller has seen it. What can still be cancelled stays: raises ``Conflict``."""
    notice = await find(office, principal, handle)
    if notice.pending:
        raise Conflict(_PENDING)
    await office.store.commit(WriteSet((seen(office, notice),)))


async def see_all(office: Office, principal: Principal) -> None:
    """The caller has seen everything that is not pending."""
    past = [notice for notice in await unseen(office, principal) if not notice.pending]
    await office.store.commit(WriteSet(tuple(seen(office, notice) for notice in past)))


async def find(office: Office, principal: Principal, handle: bytes) -> Notice:
    """One that the caller has not seen. Raises ``NotFound``."""
    found = next((notice for notice in await unseen(office, principal) if notice.handle == handle), None)
    if found is None:
        raise NotFound(_UNKNOWN)
    return found


def seen(office: Office, notice: Notice) -> Change:
    """Marks a notice as seen."""
    return Change(tables.notice, {"handle": notice.handle, "seen_at": None}, {"seen_at": office.clock.now()})


def _notice(row: Any, now: int) -> Notice:
    kind = NoticeKind(row["kind"])
    waits = row["consumed_at"] is None and row["expires_at"] is not None and row["expires_at"] > now
    pending = kind is NoticeKind.RE_PROOFING_ASKED and waits
    name = row["actor"] if kind is NoticeKind.STAFF_ENROLLED else None
    said = row["handle"], kind, row["created_at"], row["about"], pending, row["not_before"]
    return Notice(*said, row["key_name"], name)
