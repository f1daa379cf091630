"""Routes about one's own account: what its owner must know, and printed codes to come back by."""

from __future__ import annotations

from idverify.services import notices, recovery_codes, reproofing
from idverify.web import schema
from idverify.web.endpoint import Call, Reply


async def list_notices(call: Call) -> schema.Notices:
    """What happened to the account and was not seen yet, newest first; not what was done in this session."""
    return schema.Notices(notices=list(map(_notice, await notices.unseen(call.office, call.caller))))


async def see_notice(call: Call) -> Reply:
    """Show a notice no more. One whose code can still be cancelled stays."""
    await notices.see(call.office, call.caller, call.handle("notice"))
    return Reply(b"", 204)


async def cancel_code(call: Call) -> Reply:
    """Cancel the code that a notice is about: whoever asked for it at a counter was not the caller."""
    await reproofing.cancel(call.office, call.caller, call.handle("notice"))
    return Reply(b"", 204)


async def make_recovery_codes(call: Call) -> Reply:
    """Make one-time codes to print, for the day on which every key is lost; older ones open nothing any more."""
    made = await recovery_codes.make(call.office, call.caller, call.given)
    shown = schema.RecoveryCodes(codes=list(made.codes), expires_at=schema.instant(made.expires_at))
    return Reply(shown, 201, headers={"Cache-Control": "no-store"})


def _notice(notice: notices.Notice) -> schema.NoticeView:
    return schema.NoticeView(
        notice=notice.handle.hex(),
        kind=notice.kind,
        at=schema.instant(notice.at),
        pending=notice.pending,
        not_before=None if notice.not_before is None else schema.instant(notice.not_before),
        key_name=notice.key_name,
        name=notice.name,
    )
