"""Decisions that wait for a second officer: the list, one with all that it says, and its approval."""

from __future__ import annotations

from idverify.services import decide
from idverify.services.decide import Waiting
from idverify.web.pages.act_words import DECISIONS, in_words
from idverify.web.pages.call import PageCall
from idverify.web.pages.officer_decisions import decided
from idverify.web.pages.officer_people import path_of
from idverify.web.pages.render import Html
from idverify.web.pages.waiting import WaitingShown, waiting_shown

LIST = "/officer/proposals"


async def list_proposals(call: PageCall) -> Html:
    """Everything that waits."""
    waiting = await decide.waiting(call.office, call.caller)
    return Html("officer/proposals.html", {"proposals": [_shown(call, proposal) for proposal in waiting]})


async def show(call: PageCall) -> Html:
    """One proposal, to be approved by whoever did not make it."""
    waiting, ruling, about = await decide.proposal(call.office, call.caller, call.handle("proposal"))
    context = {
        "proposal": _shown(call, waiting),
        "lines": in_words(ruling.action(), call.caller.role).lines,
        "about": about,
        "record": path_of(waiting.person),
    }
    return Html("officer/proposal.html", context)


async def approve(call: PageCall) -> Html:
    """Carry a proposal out."""
    return decided(await decide.approve(call.office, call.caller, call.handle("proposal"), call.given))


def _shown(call: PageCall, waiting: Waiting) -> WaitingShown:
    return waiting_shown(call, waiting, LIST, DECISIONS[waiting.kind])
