"""Deciding on a person's status: the form, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idverify.core.decision import EFFECTS, REASONS, DecisionKind, PersonStatus, transition
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.services import decide as service
from idverify.services import people
from idverify.services.decide import Decided, Ruling
from idverify.services.sealed import DecisionContent
from idverify.web.pages.act_words import DECISIONS
from idverify.web.pages.call import PageCall
from idverify.web.pages.forms import Filled
from idverify.web.pages.officer_people import path_of
from idverify.web.pages.permission_form import ALLOWED, YES_NO, Deciding, Granting, typed_from, with_permission
from idverify.web.pages.record_words import STATUSES
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

_REASON = N_("Choose a reason from the list")


async def ask(call: PageCall) -> Html:
    """Ask why, on what legal basis, and for a grant or a change what is permitted from now on."""
    return await _form(call, None)


async def decide(call: PageCall) -> Html:
    """Record the decision, or what waits for a second officer."""
    kind = _kind(call)
    form, permission = _read(call, kind)
    if form.model is not None and form.model.reason not in REASONS[kind]:
        form = form.with_error("reason", _REASON)
    if form.model is None:
        return await _form(call, form)
    given = None if permission is None else {IMMIGRATION_STATUS.id: permission}
    content = DecisionContent(legal_basis=form.model.legal_basis, permissions=given)
    ruling = Ruling(call.handle("person"), kind, form.model.reason, content)
    outcome = await service.decide(call.office, call.caller, ruling, call.given)
    if isinstance(outcome, Decided):
        return decided(outcome)
    context = {"expires_at": outcome.expires_at, "record": path_of(ruling.person)}
    return Html("officer/proposed.html", context)


def decided(done: Decided) -> Html:
    """The page that says what a decision did."""
    context = {"done": done, "status": STATUSES[done.status], "record": path_of(done.person)}
    return Html("officer/decided.html", context)


def _kind(call: PageCall) -> DecisionKind:
    return DecisionKind(call.request.match_info["kind"])


def _read(call: PageCall, kind: DecisionKind) -> tuple[Filled[Any], dict[str, Any] | None]:
    if EFFECTS[kind].carries_permission:
        return with_permission(call.read(Granting))
    return call.read(Deciding), None


async def _form(call: PageCall, form: Filled[Any] | None) -> Html:
    """The form as it was sent, or a new one; a change starts from the permission in force."""
    kind = _kind(call)
    held = await people.overview(call.office, call.caller, call.handle("person"))
    effect = transition(kind, PersonStatus(held["status"]))
    if form is None:
        form = typed_from(held["permissions"][IMMIGRATION_STATUS.id]) if kind is DecisionKind.VARY else Filled()
    context = {
        "form": form,
        "title": DECISIONS[kind],
        "details": held["details"],
        "record": path_of(held["reference"]),
        "effect": effect,
        "reasons": _choices(call, REASONS[kind]),
        "allowed": _choices(call, ALLOWED),
        "yes_no": _choices(call, YES_NO),
    }
    return Html("officer/decide.html", context, form.status)


def _choices(call: PageCall, table: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(value, call.translate(sentence)) for value, sentence in table.items()]
