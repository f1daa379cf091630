"""What happened to the visitor's account, shown on their desk and above their keys until they have seen it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from idverify.core.policy import Role
from idverify.services import notices as service
from idverify.services import reproofing
from idverify.services.notices import NoticeKind
from idverify.web.pages.call import PageCall, Redirect
from idverify.web.pages.words import N_

LIST: Final = "/account/keys"
WORDS: Final[Mapping[NoticeKind, str]] = {
    NoticeKind.KEY_ADDED: N_("A security key was added to your account."),
    NoticeKind.KEY_REMOVED: N_("A security key was removed from your account."),
    NoticeKind.KEY_SUSPENDED: N_("A security key of yours was suspended: it opens nothing here for now."),
    NoticeKind.RECOVERY_CODES_MADE: N_("New recovery codes were made. Those on older sheets open nothing any more."),
    NoticeKind.RECOVERY_CODE_USED: N_("One of your printed recovery codes was used to add a security key."),
    NoticeKind.RE_PROOFING_ASKED: N_("At a counter somebody asked for a code to add a security key to your account."),
    NoticeKind.RE_PROOFING_CANCELLED: N_("A code from a counter to add a security key to your account was cancelled."),
    NoticeKind.RE_PROOFING_USED: N_("A security key was added to your account with a code from a counter."),
    NoticeKind.ACCESS_RESTORED: N_("Somebody made a one-time code to add a security key to your account."),
    NoticeKind.STAFF_ENROLLED: N_(
        "%(name)s registered a security key with a code that you proposed. If you handed your part to nobody, tell the "
        "other administrators."
    ),
    NoticeKind.COPY_RETIRED: N_("A copy of a document of yours was withdrawn from your account."),
    NoticeKind.SIGNED_OUT_EVERYWHERE: N_("Every session of your account was ended."),
}
assert WORDS.keys() == set(NoticeKind)

# What others did, of whom the reader only hears
_ABOUT_OTHERS: Final = frozenset({NoticeKind.STAFF_ENROLLED})
_TELL_ADMINISTRATOR: Final = N_("If it was not you, remove every key that is not yours, and tell your administrator.")
_IF_NOT_YOU: Final[Mapping[Role, str]] = {
    Role.CITIZEN: N_("If it was not you, remove every key that is not yours, make new codes, and tell any counter."),
    Role.OFFICER: _TELL_ADMINISTRATOR,
    Role.RELYING_PARTY: _TELL_ADMINISTRATOR,
    Role.ADMIN: N_("If it was not you, remove every key that is not yours, and tell the other administrators."),
}
assert _IF_NOT_YOU.keys() == set(Role)


@dataclass(frozen=True, slots=True)
class NoticeShown:
    """One notice; ``said`` is in the catalogue, and may have a place for the ``name`` of somebody else.

    One that is ``pending`` can be cancelled and works from a time on.
    """

    handle: str
    said: str
    at: int
    pending: bool
    not_before: int | None
    key_name: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class NoticesShown:
    """The notices of a visitor, and what to do if somebody else was in their account; ``None`` where none is of it."""

    listed: tuple[NoticeShown, ...]
    if_not_you: str | None


async def shown(call: PageCall) -> NoticesShown:
    """What the visitor has not seen yet, newest first."""
    unseen = await service.unseen(call.office, call.caller)
    of_own = any(notice.kind not in _ABOUT_OTHERS for notice in unseen)
    return NoticesShown(tuple(map(_shown, unseen)), _IF_NOT_YOU[call.caller.role] if of_own else None)


def _shown(notice: service.Notice) -> NoticeShown:
    said = notice.handle.hex(), WORDS[notice.kind], notice.at, notice.pending, notice.not_before
    return NoticeShown(*said, notice.key_name, notice.name)


async def to_keys(_: PageCall) -> Redirect:
    """Where the address of a form leads to that somebody opens by itself."""
    return Redirect(LIST)


async def see(call: PageCall) -> Redirect:
    """One notice was seen."""
    await service.see(call.office, call.caller, call.handle("notice"))
    return Redirect(LIST)


async def see_all(call: PageCall) -> Redirect:
    """All of them were."""
    await service.see_all(call.office, call.caller)
    return Redirect(LIST)


async def cancel(call: PageCall) -> Redirect:
    """It was not the visitor: the code of this notice opens nothing."""
    await reproofing.cancel(call.office, call.caller, call.handle("notice"))
    return Redirect(f"{LIST}?done=cancelled")
