"""Administration: how the ledger stands, and opening a new log of it by two administrators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from idverify.errors import MalformedRequest
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import base64_text, parse_hash
from idverify.services import new_shard
from idverify.services.new_shard import Waiting
from idverify.web.pages.act_words import ACTS, in_words
from idverify.web.pages.call import PageCall, Redirect
from idverify.web.pages.forms import Annotated, Field, Form, Says
from idverify.web.pages.render import Html
from idverify.web.pages.said import Said
from idverify.web.pages.waiting import WaitingShown, waiting_shown
from idverify.web.pages.words import N_

PATH: Final = "/admin/ledger"
_START_AGAIN: Final = "Open the administrator's desk again and start from there."
_STALE: Final = N_("Open the administrator's desk again and start from there")


class NewLogForm(Form):
    """The checkpoint that the new log names: filled in by the desk, shown and signed on the next page."""

    origin: Annotated[str, Field(max_length=300), Says(_STALE, _STALE)]
    size: Annotated[int, Field(ge=0, lt=2**63), Says(_STALE, _STALE)]
    root: Annotated[str, Field(max_length=44), Says(_STALE, _STALE)]


@dataclass(frozen=True, slots=True)
class LedgerShown:
    """The section of the desk. ``lines`` say how the log stands, ``last_known`` is what a proposal sends."""

    lines: tuple[Said, ...]
    halted: str | None
    unknown: str | None
    last_known: tuple[tuple[str, str], ...]
    proposals: tuple[WaitingShown, ...]


async def shown(call: PageCall) -> LedgerShown:
    """The ledger on the administrator's desk."""
    state = await new_shard.state(call.office, call.caller)
    log, following = state.logs[-1], state.following
    lines = [
        Said(N_("Log"), log.origin),
        Said(N_("Entries"), str(log.size)),
        Said(N_("Entries under a signed checkpoint"), str(log.signed_size)),
    ]
    fields: tuple[tuple[str, str], ...] = ()
    if following is not None:
        head = following.last_known
        lines += [Said(N_("Last known checkpoint"), _head(head)), Said(N_("The next log would be"), following.begins)]
        fields = ("origin", head.origin), ("size", str(head.size)), ("root", base64_text(head.root))
    proposals = tuple(_proposal(call, one) for one in state.waiting)
    return LedgerShown(tuple(lines), log.halted, state.unknown, fields, proposals)


async def waiting(call: PageCall) -> list[WaitingShown]:
    """New logs that wait for a second administrator, among all else that does."""
    proposed = await new_shard.all_waiting(call.office, call.caller)
    return [waiting_shown(call, one, PATH, ACTS["new-shard"]) for one in proposed]


async def propose(call: PageCall) -> Redirect:
    """Propose a new log, once confirmed."""
    form = call.read(NewLogForm)
    if form.model is None:
        raise MalformedRequest(_START_AGAIN)
    await new_shard.propose(call.office, call.caller, _checkpoint(form.model), call.given)
    return Redirect("/admin?done=log-proposed")


async def show(call: PageCall) -> Html:
    """One proposal, to be approved by whoever did not make it."""
    proposed = await new_shard.waiting(call.office, call.caller, call.handle("new_log"))
    context = {
        "proposal": _proposal(call, proposed),
        "lines": in_words(proposed.succession.action(), call.caller.role).lines,
    }
    return Html("admin/new_log.html", context)


async def approve(call: PageCall) -> Redirect:
    """Open the log that was proposed, once confirmed."""
    await new_shard.approve(call.office, call.caller, call.handle("new_log"), call.given)
    return Redirect("/admin?done=log-opened")


def _proposal(call: PageCall, proposed: Waiting) -> WaitingShown:
    return waiting_shown(call, proposed, PATH, proposed.succession.begins)


def _checkpoint(form: NewLogForm) -> Checkpoint:
    try:
        return Checkpoint(form.origin, form.size, parse_hash(form.root, "root"))
    except MalformedError as wrong:
        raise MalformedRequest(_START_AGAIN) from wrong


def _head(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.origin}, {checkpoint.size}, {base64_text(checkpoint.root)}"
