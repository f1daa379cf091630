"""Erasures of people that wait for a second administrator: one with all that it says, and its approval.

They are proposed through the API: no page of administrators shows them whose record it would be.
"""

from __future__ import annotations

from typing import Final

from idverify.services import erase
from idverify.web.pages.act_words import ACTS, Approval, in_words
from idverify.web.pages.call import PageCall, Redirect
from idverify.web.pages.render import Html
from idverify.web.pages.waiting import WaitingShown, waiting_shown
from idverify.web.pages.words import N_

PATH: Final = "/admin/erasures"
_ERASED: Final = N_("Everything that was held on the person is erased.")
DONE: Final = {
    "erased": _ERASED,
    "erased-unsearched": N_(
        "Everything that was held on the person is erased. "
        "Nobody could tell yet that no old bytes of it are left in the files: "
        "ask whoever runs this service to search them."
    ),
}
_DOES: Final = Approval(
    N_("If you approve it, everything held on this person is erased at once. Nothing and nobody brings it back."),
    _ERASED,
)


async def waiting(call: PageCall) -> list[WaitingShown]:
    """What waits."""
    return [_shown(call, one) for one in await erase.waiting(call.office, call.caller)]


async def show(call: PageCall) -> Html:
    """One proposal, to be approved by whoever did not make it."""
    proposed, erasure = await erase.proposal(call.office, call.caller, call.handle("erasure"))
    context = {
        "proposal": _shown(call, proposed),
        "approval_does": _DOES,
        "lines": in_words(erasure.action(), call.caller.role).lines,
        "refused": None,
    }
    return Html("admin/proposal.html", context)


async def approve(call: PageCall) -> Redirect:
    """Erase whom another administrator proposed to erase, once confirmed."""
    done = await erase.approve(call.office, call.caller, call.handle("erasure"), call.given)
    return Redirect(f"/admin?done={'erased' if done.scrubbed else 'erased-unsearched'}")


def _shown(call: PageCall, proposed: erase.Waiting) -> WaitingShown:
    return waiting_shown(call, proposed, PATH, ACTS["erase-person"])
