"""A citizen's letters on paper: to print at home, or to collect at any counter."""

from __future__ import annotations

import re
from typing import Final

from idverify.errors import Unprocessable
from idverify.services import letter, letter_pdf, letter_rights
from idverify.services.letter_rights import lettered_types
from idverify.web.pages.act_words import TYPES
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.forms import Filled
from idverify.web.pages.letter_form import (
    MADE,
    CodeForm,
    LetterForm,
    download,
    options,
    receipt,
    refused,
    shown,
    slip,
)
from idverify.web.pages.render import Html

PATH: Final = "/citizen/letters"
_HANDLE: Final = re.compile(r"[0-9a-f]{32}")


async def show(call: PageCall) -> Html:
    """The visitor's letters, and the form of another."""
    return await _page(call, Filled())


async def make(call: PageCall) -> Answer:
    """Issue a letter to the visitor, once confirmed."""
    form = call.read(LetterForm)
    if form.model is None:
        return await _page(call, form)
    replaces = None if form.model.replaces is None else bytes.fromhex(form.model.replaces)
    choices = form.model.choices(form.model.type)
    try:
        await letter.print_own(call.office, call.caller, choices, call.given, replaces)
    except Unprocessable as wrong:
        return await _page(call, refused(form, wrong, "type"))
    return Redirect(f"{PATH}?done=letter")


async def make_code(call: PageCall) -> Answer:
    """A code for any counter, once confirmed: to be written down where there is no printer."""
    form = call.read(CodeForm)
    if form.model is None:
        return Redirect(PATH)
    code = await letter_rights.make_own_code(call.office, call.caller, form.model.type, call.given)
    return Html("citizen/letter_slip.html", {"code": code.code, "texts": slip(code)})


async def to_letters(_: PageCall) -> Redirect:
    """Where the address of the code's form leads to that somebody opens by itself."""
    return Redirect(PATH)


async def fetch(call: PageCall) -> Answer:
    """One letter as PDF."""
    return download(await letter_pdf.own_letter_file(call.office, call.caller, call.handle("letter")))


async def fetch_receipt(call: PageCall) -> Answer:
    """That it stands on the ledger."""
    handle = call.handle("letter")
    return receipt(handle, await letter_pdf.own_letter_receipt(call.office, call.caller, handle))


async def _page(call: PageCall, form: Filled[LetterForm]) -> Html:
    letters = shown(await letter_pdf.own_letters(call.office, call.caller))
    types = call.choices({type_id: TYPES[type_id] for type_id in lettered_types()})
    context = {"form": form, "letters": letters, "types": types, "replaces": _replaces(call), "done": call.done(MADE)}
    return Html("citizen/letters.html", {**context, **options(call)}, form.status)


def _replaces(call: PageCall) -> str:
    """The copy that is withdrawn with the new one: named by the page that led here, or by the form that comes back."""
    asked = call.posted.text("replaces") or call.request.query.get("replaces", "")
    return asked if _HANDLE.fullmatch(asked) else ""
