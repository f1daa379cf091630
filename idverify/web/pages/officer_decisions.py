"""Deciding on a person's status: the form, and what became of it.

A page gives or changes one document of the person's; those that they hold besides stay as they are. Whoever gives
several at once, or takes one away, uses the API.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idverify.core.credential_type import CredentialType
from idverify.core.decision import EFFECTS, REASONS, DecisionKind, PersonStatus, transition
from idverify.core.types import CREDENTIAL_TYPES
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.services import decide as service
from idverify.services import people
from idverify.services.decide import Decided, Ruling
from idverify.services.sealed import DecisionContent
from idverify.web.pages.act_words import DECISIONS
from idverify.web.pages.assurance_form import FRAMEWORKS, LEVELS, Deciding, assurance_of, typed_assurance
from idverify.web.pages.call import PageCall
from idverify.web.pages.forms import Filled
from idverify.web.pages.officer_people import path_of
from idverify.web.pages.part_form import YES_NO, part_fields, part_form, part_of, posted, typed_part
from idverify.web.pages.permission_form import Granting, typed_from, with_permission
from idverify.web.pages.record_words import STATUSES
from idverify.web.pages.render import Html
from idverify.web.pages.said import ALLOWED
from idverify.web.pages.words import N_

_REASON = N_("Choose a reason from the list")
SLUGS: Mapping[str, CredentialType] = {kind.slug: kind for kind in CREDENTIAL_TYPES.values()}


async def ask(call: PageCall) -> Html:
    """Ask why, on what legal basis, and for a grant or a change what is permitted from now on."""
    return await _form(call, None)


async def decide(call: PageCall) -> Html:
    """Record the decision, or what waits for a second officer."""
    kind, person = _kind(call), call.handle("person")
    held = await service.in_force(call.office, call.caller, person)
    form, content = _read(call, kind, held)
    if form.model is not None and form.model.reason not in REASONS[kind]:
        form = form.with_error("reason", _REASON)
    if form.model is None or content is None:
        return await _form(call, form)
    ruling = Ruling(person, kind, form.model.reason, content)
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


def _document(call: PageCall) -> CredentialType:
    """Which document the page is about; the address without one is the immigration status's."""
    slug = call.request.match_info.get("document")
    return IMMIGRATION_STATUS if slug is None else SLUGS[slug]


def _read(
    call: PageCall, kind: DecisionKind, held: DecisionContent | None
) -> tuple[Filled[Any], DecisionContent | None]:
    """The form, and what it says if all of it is right."""
    if not EFFECTS[kind].carries_permission:
        plain = call.read(Deciding)
        return plain, None if plain.model is None else DecisionContent(legal_basis=plain.model.legal_basis)
    document = _document(call)
    form: Filled[Any]
    if document is IMMIGRATION_STATUS:
        form, part = with_permission(call.read(Granting))
    else:
        form, part = part_of(document.permission, call.read(part_form(document.permission)))
    form, assurance = assurance_of(form, None if held is None else held.identity_assurance)
    if form.model is None or part is None:
        return form, None
    others = held.permissions if held is not None and kind is DecisionKind.VARY else None
    permissions = {**(others or {}), document.id: part}
    basis = form.model.legal_basis
    return form, DecisionContent(legal_basis=basis, permissions=permissions, identity_assurance=assurance)


async def _form(call: PageCall, form: Filled[Any] | None) -> Html:
    """The form as it was sent, or a new one; a change starts from what is in force."""
    kind, document = _kind(call), _document(call)
    held = await people.overview(call.office, call.caller, call.handle("person"))
    effect = transition(kind, PersonStatus(held["status"]))
    if form is None:
        form = posted(*(_in_force(document, held) if kind is DecisionKind.VARY else ()))
    context = {
        "form": form,
        "title": DECISIONS[kind],
        "document": document.name if effect.carries_permission else None,
        "details": held["details"],
        "record": path_of(held["reference"]),
        "effect": effect,
        "reasons": call.choices(REASONS[kind]),
        "allowed": call.choices(ALLOWED),
        "yes_no": call.choices(YES_NO),
        "fields": None if document is IMMIGRATION_STATUS else part_fields(document.permission),
        "least": ", ".join(_least(call, document)),
        "levels": {name: _levels(call, of) for name, of in _FRAMEWORKS.items()},
    }
    return Html("officer/decide.html", context, form.status)


_FRAMEWORKS: Mapping[str, tuple[str, ...]] = {
    "confidence": ("low", "medium", "high", "very_high"),
    "authentication": ("low", "medium", "high"),
    "eidas": ("low", "substantial", "high"),
}


def _least(call: PageCall, document: CredentialType) -> Iterator[str]:
    """How well an identity must have been checked for this document, in words."""
    for name, level in document.least_assurance.demands().items():
        yield f"{call.translate(FRAMEWORKS[name])}: {call.translate(LEVELS[level.value])}"


def _levels(call: PageCall, levels: tuple[str, ...]) -> list[tuple[str, str]]:
    """What a select offers: first that it is not stated."""
    return [("", call.translate(N_("Not stated"))), *call.choices({level: LEVELS[level] for level in levels})]


def _in_force(document: CredentialType, held: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    part = held["permissions"].get(document.id)
    if part is not None:
        yield from typed_from(part) if document is IMMIGRATION_STATUS else typed_part(document.permission, part)
    yield from typed_assurance(held["assurance"])
