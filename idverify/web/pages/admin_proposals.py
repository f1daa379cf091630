"""Acts that wait for a second administrator: the list, one with all that it says, and its approval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from idverify.core.names import name_as_read
from idverify.core.policy import Role
from idverify.services import administration, change_authenticators, judgement
from idverify.services.administration import Waiting
from idverify.services.invite import Invitation
from idverify.web.pages.act_words import ACTS, ROLES, in_words
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.refused_keys import RefusedShown, refused_shown
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

PATH: Final = "/admin/proposals"
_DONE: Final = {
    "proposed": N_("It is proposed. Another administrator must approve it."),
    "approved": N_("It is approved, and done."),
}


@dataclass(frozen=True, slots=True)
class WaitingShown:
    """A proposal: its page, what is proposed, by whom, until when (Unix seconds), whether it is one's own."""

    path: str
    title: str
    proposed_by: str
    expires_at: int
    is_own: bool


async def list_proposals(call: PageCall) -> Html:
    """Everything that waits."""
    waiting = await administration.waiting(call.office, call.caller)
    done = _DONE.get(call.request.query.get("done", ""))
    return Html("admin/proposals.html", {"proposals": [_shown(call, one) for one in waiting], "done": done})


async def show(call: PageCall) -> Html:
    """One proposal, to be approved by whoever did not make it."""
    waiting = await administration.proposal(call.office, call.caller, call.handle("admin_proposal"))
    context = {
        "proposal": _shown(call, waiting),
        "lines": in_words(waiting.action, call.caller.role).lines,
        "expired": waiting.expires_at <= call.office.clock.now(),
        "refused": await _refused(call, waiting),
    }
    return Html("admin/proposal.html", context)


async def approve(call: PageCall) -> Answer:
    """Carry a proposal out; where that makes a one-time link, it is shown this once."""
    waiting = await administration.proposal(call.office, call.caller, call.handle("admin_proposal"))
    invitation = await administration.approve(call.office, call.caller, waiting.handle, call.given)
    if invitation is None:
        return Redirect(f"{PATH}?done=approved")
    said = waiting.action.content
    return link(call, invitation, Role(said["role"]), said["actor"])


def link(call: PageCall, invitation: Invitation, role: Role, name: str | None) -> Html:
    """The page of a one-time link."""
    address = f"{call.office.deployment.iss}/enrol/{invitation.code}"
    context = {"link": address, "expires_at": invitation.expires_at, "role": ROLES[role], "name": name}
    return Html("admin/link.html", context)


async def _refused(call: PageCall, waiting: Waiting) -> list[RefusedShown] | None:
    """The keys that a new list would refuse; ``None`` where none is proposed."""
    if waiting.action.act != change_authenticators.ACT:
        return None
    listed = change_authenticators.listed_in(waiting.action)
    return refused_shown(await judgement.dry_run(call.office, call.caller, listed))


def _shown(call: PageCall, waiting: Waiting) -> WaitingShown:
    own = name_as_read(waiting.proposed_by) == name_as_read(call.caller.actor)
    path = f"{PATH}/{waiting.handle.hex()}"
    return WaitingShown(path, ACTS[waiting.action.act], waiting.proposed_by, waiting.expires_at, own)
