"""Where one is signed in: every session of the account, and an end to each."""

from __future__ import annotations

from typing import Final

from idverify.services import sessions as service
from idverify.web.pages.call import PageCall, Redirect
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

LIST: Final = "/account/sessions"
_DONE: Final = {"ended": N_("The session has ended. Whoever used it is signed out.")}


async def list_sessions(call: PageCall) -> Html:
    """The sessions that hold now."""
    context = {"sessions": await service.mine(call.office, call.caller), "done": call.done(_DONE)}
    return Html("account/sessions.html", context)


async def end_session(call: PageCall) -> Redirect:
    """End one session. Nobody has to confirm it: ending one is always safe."""
    if await service.end_one(call.office, call.caller, call.handle("session")):
        return Redirect("/sign-in?signed-out", signed_out=True)
    return Redirect(f"{LIST}?done=ended")
