"""All that waits for a second administrator, in one list; and acts, each with all that it says, and its approval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from idverify.auth import enrolment_codes
from idverify.core.action import Action, StepUpRequired
from idverify.core.policy import Role
from idverify.services import administration, change_authenticators, judgement
from idverify.services.administration import Waiting
from idverify.web.pages import confirm, erasures, ledger
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


async def waiting(call: PageCall) -> list[WaitingShown]:
    """Everything that waits, of every kind; what expires first comes first."""
    acts = [_shown(call, one) for one in await administration.waiting(call.office, call.caller)]
    found = [*acts, *await ledger.waiting(call), *await erasures.waiting(call)]
    return sorted(found, key=lambda one: one.expires_at)


async def list_proposals(call: PageCall) -> Html:
    """Everything that waits."""
    return Html("admin/proposals.html", {"proposals": await waiting(call), "done": call.done(_DONE)})


async def show(call: PageCall) -> Html:
    """One proposal, to be approved by whoever did not make it."""
    proposed = await administration.proposal(call.office, call.caller, call.handle("admin_proposal"))
    context = {
        "proposal": _shown(call, proposed),
        "approval_does": APPROVALS[proposed.action.act],
        "lines": in_words(proposed.action, call.caller.role).lines,
        "refused": await _refused(call, proposed),
    }
    return Html("admin/proposal.html", context)


async def approve(call: PageCall) -> Answer:
    """Carry a proposal out; where that makes a one-time code, its second part is shown this once."""
    proposed = await administration.proposal(call.office, call.caller, call.handle("admin_proposal"))
    second = await administration.approve(call.office, call.caller, proposed.handle, call.given)
    if second is None:
        return Redirect(f"{PATH}?done={proposed.action.act}")
    said = proposed.action.content
    context = {"part": second.part, "expires_at": second.expires_at, "proposed_by": proposed.proposed_by}
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


async def _refused(call: PageCall, proposed: Waiting) -> list[RefusedShown] | None:
    """The keys that a new list would refuse; ``None`` where none is proposed."""
    if proposed.action.act != change_authenticators.ACT:
        return None
    listed = change_authenticators.listed_in(proposed.action)
    return refused_shown(await judgement.dry_run(call.office, call.caller, listed))


def _shown(call: PageCall, proposed: Waiting) -> WaitingShown:
    return waiting_shown(call, proposed, PATH, ACTS[proposed.action.act])
