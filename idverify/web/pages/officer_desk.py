"""An officer's desk: find a person, what waits for a second officer, what was done this shift."""

from __future__ import annotations

from dataclasses import dataclass

from idverify.errors import NotFound
from idverify.services import decide, people, shift
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.forms import Filled
from idverify.web.pages.record_words import CHANNELS, FOUND
from idverify.web.pages.render import Html
from idverify.web.pages.travel_document_form import SearchForm
from idverify.web.pages.words import N_

DESK = "/officer"
_NOBODY = N_("No person with this travel document is on record. Check each field, or record a new person.")


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


async def to_desk(_: PageCall) -> Redirect:
    """Where the address of a form leads to that somebody opens by itself."""
    return Redirect(DESK)


async def _desk(call: PageCall, form: Filled[SearchForm]) -> Html:
    waiting = await decide.waiting(call.office, call.caller)
    looks = [
        LookMade(row["looked_at"], CHANNELS[row["channel"]], FOUND[row["verdict"]])
        for row in await shift.looks_made(call.office, call.caller)
    ]
    return Html("officer/desk.html", {"form": form, "waiting": len(waiting), "looks": looks}, form.status)
