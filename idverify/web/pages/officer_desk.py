"""An officer's desk: find a person, what waits for a second officer, what was done this shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BeforeValidator

from idverify.errors import NotFound
from idverify.services import decide, letter_pdf, people, shift
from idverify.web.pages import notices
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.record_words import CHANNELS, FOUND
from idverify.web.pages.render import Html
from idverify.web.pages.travel_document_form import SearchForm
from idverify.web.pages.words import N_

DESK = "/officer"
_NOBODY = N_("No person with this travel document is on record. Check each field, or record a new person.")
_NO_REFERENCE = N_("No person and no letter with this reference is on record. Check every sign of it.")


def _unspaced(typed: Any) -> Any:
    return "".join(typed.split()).lower() if isinstance(typed, str) else typed


class ReferenceForm(Form):
    """Which record to open: for people without a travel document, from their slip or their letter."""

    reference: Annotated[
        str,
        Field(pattern=r"^[0-9a-f]{32}$"),
        BeforeValidator(_unspaced),
        Says(
            N_("Give the reference of a person or of a letter"),
            N_("The reference has 32 signs: digits and the letters a to f"),
        ),
    ]


@dataclass(frozen=True, slots=True)
class LookMade:
    """A look of this shift: when (Unix seconds), how, with what result."""

    at: int
    channel: str
    found: str


async def desk(call: PageCall) -> Html:
    """The desk."""
    return await _desk(call, Filled[SearchForm]())


async def search(call: PageCall) -> Answer:
    """Go to the person with this travel document."""
    form = call.read(SearchForm)
    if form.model is None:
        return await _desk(call, form)
    try:
        handle = await people.find(call.office, call.caller, form.model.document())
    except NotFound:
        return await _desk(call, form.with_error("document_number", _NOBODY))
    return Redirect(f"{DESK}/people/{handle.hex()}")


async def by_reference(call: PageCall) -> Answer:
    """Go to the person who has this reference, or whose letter has it."""
    form = call.read(ReferenceForm)
    if form.model is None:
        return await _desk(call, Filled[SearchForm](), form)
    try:
        person = await _referred_to(call, bytes.fromhex(form.model.reference))
    except NotFound:
        return await _desk(call, Filled[SearchForm](), form.with_error("reference", _NO_REFERENCE))
    return Redirect(f"{DESK}/people/{person.hex()}")


async def _referred_to(call: PageCall, reference: bytes) -> bytes:
    try:
        await people.identify(call.office, call.caller, reference)
    except NotFound:
        return await letter_pdf.holder_of(call.office, call.caller, reference)
    return reference


async def to_desk(_: PageCall) -> Redirect:
    """Where the address of a form leads to that somebody opens by itself."""
    return Redirect(DESK)


async def _desk(call: PageCall, form: Filled[SearchForm], by_reference: Filled[ReferenceForm] | None = None) -> Html:
    referred = by_reference or Filled[ReferenceForm]()
    waiting = await decide.waiting(call.office, call.caller)
    looks = [
        LookMade(row["looked_at"], CHANNELS[row["channel"]], FOUND[row["verdict"]])
        for row in await shift.looks_made(call.office, call.caller)
    ]
    told = await notices.shown(call)
    context = {"form": form, "by_reference": referred, "waiting": len(waiting), "looks": looks, "notices": told}
    return Html("officer/desk.html", context, max(form.status, referred.status))
