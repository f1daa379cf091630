"""Acts that wait for a second administrator: the list, one with all that it says, and its approval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from idverify.auth import enrolment_codes
from idverify.core.action import Action, StepUpRequired
from idverify.core.policy import Role
from idverify.services import administration, change_authenticators, judgement
from idverify.services.administration import Waiting
from idverify.services.invite import Invitation
from idverify.web.pages import confirm
from idverify.web.pages.act_words import ACTS, APPROVALS, ROLES, in_words
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.refused_keys import RefusedShown, refused_shown
from idverify.web.pages.render import Html
from idverify.web.pages.waiting import WaitingShown, waiting_shown
from idverify.web.pages.words import N_

PATH: Final = "/admin/proposals"
_FIRST_PART: Final = "first_part"
_DONE: Final = {
    "proposed": N_("It is proposed. Another administrator must approve it."),
    **{act: approval.done for act, approval in APPROVALS.items()},
}


async def list_proposals(call: PageCall) -> Html:
    """Everything that waits."""
    waiting = await administration.waiting(call.office, call.caller)
    proposals = [_shown(call, one) for one in waiting]
    return Html("admin/proposals.html", {"proposals": proposals, "done": call.done(_DONE)})


async def show(call: PageCall) -> Html:
    """One proposal, to be approved by whoever did not make it."""
    waiting = await administration.proposal(call.office, call.caller, call.handle("admin_proposal"))
    context = {
        "proposal": _shown(call, waiting),
        "approval_does": APPROVALS[waiting.action.act],
        "lines": in_words(waiting.action, call.caller.role).lines,
        "refused": await _refused(call, waiting),
    }
    return Html("admin/proposal.html", context)


async def approve(call: PageCall) -> Answer:
    """Carry a proposal out; where that makes a one-time code, its second part is shown this once."""
    waiting = await administration.proposal(call.office, call.caller, call.handle("admin_proposal"))
    second = await administration.approve(call.office, call.caller, waiting.handle, call.given)
    if second is None:
        return Redirect(f"{PATH}?done={waiting.action.act}")
    said = waiting.action.content
    context = {"part": second.part, "expires_at": second.expires_at, "proposed_by": waiting.proposed_by}
    return Html("admin/second_part.html", context | _for(call, Role(said["role"]), said["actor"]))


async def propose_code(
    call: PageCall, wanted: Callable[[bytes], Action], role: Role, name: str, *, nobody_approves: bool = False
) -> Html:
    """Propose what makes a one-time code, once confirmed; its first part is shown this once, and kept by nobody.

    ``wanted`` gives the act, which holds the hash of that part: the part comes along in the form meanwhile.
    ``nobody_approves``: of the admins who are active one proposes it, and the other is whom it is for.
    """
    part = call.posted.text(_FIRST_PART) or enrolment_codes.make_first_part(call.office.entropy)
    action = wanted(enrolment_codes.part_hash(part))
    try:
        waits = await administration.propose(call.office, call.caller, action, call.given)
    except StepUpRequired as needed:
        return await confirm.ask(call.carrying(_FIRST_PART, part), needed.action)
    context = {"part": part, "expires_at": waits.expires_at, "nobody_approves": nobody_approves}
    return Html("admin/first_part.html", context | _for(call, role, name))


def _for(call: PageCall, role: Role, name: str) -> dict[str, str]:
    return {"role": ROLES[role], "name": name, "address": f"{call.office.deployment.iss}/enrol"}


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
    return waiting_shown(call, waiting, PATH, ACTS[waiting.action.act])
