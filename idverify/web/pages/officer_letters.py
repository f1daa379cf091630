"""Letters on paper at the counter: printed for the person on record, or for whoever brought a code."""

from __future__ import annotations

from typing import Final

from idverify.errors import Conflict, Gone, IdverifyError, MalformedRequest, NotFound, Unprocessable
from idverify.services import letter, letter_pdf, letter_rights
from idverify.services.letter_rights import lettered_types
from idverify.web.pages.act_words import TYPES
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.forms import Filled
from idverify.web.pages.letter_form import (
    MADE,
    CodeForm,
    CollectForm,
    LetterForm,
    download,
    options,
    receipt,
    refused,
    shown,
    slip,
)
from idverify.web.pages.officer_people import path_of
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

COLLECTION: Final = "/officer/letters"
_WRONG: Final[dict[type[IdverifyError], str]] = {
    MalformedRequest: N_("A code has 20 signs. Check each of them."),
    NotFound: N_("No letter waits for this code. Check each sign of it, or make a new code from the record."),
    Conflict: N_("This code was used already: its letter is in the person's record."),
    Gone: N_("This code has expired. Make a new one from the person's record."),
}


async def show(call: PageCall) -> Html:
    """What letters the person has, and the form of another."""
    return await _page(call, Filled())


async def make(call: PageCall) -> Answer:
    """Issue a letter, once confirmed."""
    form = call.read(LetterForm)
    if form.model is None:
        return await _page(call, form)
    person = call.handle("person")
    try:
        await letter.print_for(call.office, call.caller, person, form.model.choices(form.model.type), call.given)
    except Unprocessable as wrong:
        return await _page(call, refused(form, wrong, "type"))
    return Redirect(f"{_path(person)}?done=letter")


async def make_code(call: PageCall) -> Answer:
    """A sheet with a code, in both languages, once confirmed."""
    form, person = call.read(CodeForm), call.handle("person")
    if form.model is None:
        return Redirect(_path(person))
    code = await letter_rights.make_code(call.office, call.caller, person, form.model.type, call.given)
    return Html("officer/letter_slip.html", {"code": code.code, "texts": slip(code), "record": path_of(person)})


async def to_letters(call: PageCall) -> Redirect:
    """Where the address of the code's form leads to that somebody opens by itself."""
    return Redirect(_path(call.handle("person")))


async def fetch(call: PageCall) -> Answer:
    """One letter as PDF."""
    return download(await letter_pdf.letter_file(call.office, call.caller, call.handle("letter")))


async def fetch_receipt(call: PageCall) -> Answer:
    """That it stands on the ledger."""
    handle = call.handle("letter")
    return receipt(handle, await letter_pdf.letter_receipt(call.office, call.caller, handle))


async def ask_code(call: PageCall) -> Html:
    """The form for whoever brought a code."""
    return _collection(call, Filled())


async def collect(call: PageCall) -> Answer:
    """Issue the letter that a code is for, once confirmed, and go to the person's letters."""
    form = call.read(CollectForm)
    if form.model is None:
        return _collection(call, form)
    try:
        right = await letter_rights.find_code(call.office, call.caller, form.model.code)
    except (MalformedRequest, NotFound, Conflict, Gone) as wrong:
        return _collection(call, form.with_error("code", _WRONG[type(wrong)]))
    choices = form.model.choices(right["type"])
    try:
        await letter.collect(call.office, call.caller, form.model.code, choices, call.given)
    except Unprocessable as wrong:
        return _collection(call, refused(form, wrong, "code"))
    return Redirect(f"{_path(right['person_handle'])}?done=letter")


def _collection(call: PageCall, form: Filled[CollectForm]) -> Html:
    return Html("officer/letter_collection.html", {"form": form, **options(call)}, form.status)


async def _page(call: PageCall, form: Filled[LetterForm]) -> Html:
    person = call.handle("person")
    letters = shown(await letter_pdf.letters_of(call.office, call.caller, person))
    types = call.choices({type_id: TYPES[type_id] for type_id in lettered_types()})
    context = {"form": form, "letters": letters, "types": types, "record": path_of(person), "done": call.done(MADE)}
    return Html("officer/letters.html", {**context, **options(call)}, form.status)


def _path(person: bytes) -> str:
    return f"{path_of(person)}/letters"
