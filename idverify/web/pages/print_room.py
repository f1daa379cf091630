"""The print room: letters for many people, ordered together and confirmed once, and how far they are."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ConfigDict

from idverify.errors import Unprocessable
from idverify.services import letter_batch
from idverify.services.letter_batch import MOST_LETTERS, Batch, LetterState, NotOnRecord, Ordered
from idverify.services.letter_rights import lettered_types
from idverify.web import letter_zip
from idverify.web.body import MAX_BODY
from idverify.web.form_body import Posted
from idverify.web.letter_batches import end_of
from idverify.web.pages.act_words import TYPES
from idverify.web.pages.call import Answer, Download, PageCall, Redirect
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.letter_form import ChoicesForm, options
from idverify.web.pages.officer_people import path_of
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

PATH: Final = "/officer/print-room"
DUE: Final = PATH + "/due"
ON_A_PAGE: Final = 100
DONE: Final = {
    "ordered": N_("The letters are ordered. They are made one after the other, also if you close this page.")
}
STATES: Final = {
    LetterState.WAITING: N_("Waiting"),
    LetterState.MADE: N_("Made"),
    LetterState.FAILED: N_("Not made"),
}
_DOCUMENT: Final = N_("Choose the document")
_LIST: Final = N_("Give the references of the people, one on each line")
_LONG: Final = N_("The list is too long")
_LINE: Final = N_("Line %(number)s is no reference: it has 32 signs, digits and the letters a to f")
_TWICE: Final = N_("Each person may stand in the list once; line %(number)s is there already")
_NOT_ON_RECORD: Final = N_("Line %(number)s is nobody's reference")
_MANY: Final = N_("A list may have %(most)s people")
_NOBODY_DUE: Final = N_("Nobody needs one: everybody who may have it has a letter that is good until then, or on order")
_REFERENCE: Final = re.compile(r"[0-9a-f]{32}")


class _Ordered(Form):
    people: Annotated[str, Says(_LIST, _LONG)]
    type: Annotated[str, Says(_DOCUMENT, _DOCUMENT)]


class OrderForm(ChoicesForm, _Ordered):
    """For whom, of which document, and how all of them are printed."""

    model_config = ConfigDict(str_max_length=MAX_BODY)


class DueForm(Form):
    """Whom to list: those without a letter that is good until a day."""

    due_type: Annotated[str, Field(max_length=200), Says(_DOCUMENT, _DOCUMENT)]
    good_until: Annotated[
        dt.date,
        Says(
            N_("Give the day until which a letter should be good"),
            N_("The day must be a real date, such as 27 3 2027"),
        ),
    ]


@dataclass(frozen=True, slots=True)
class BatchShown:
    """A batch in words: who ordered it, when (Unix seconds), how far it is."""

    handle: str
    document: str
    created_by: str
    created_at: int
    total: int
    made: int
    failed: int

    @property
    def waiting(self) -> int:
        """What is still to be made."""
        return self.total - self.made - self.failed


@dataclass(frozen=True, slots=True)
class OrderShown:
    """One letter of a batch; ``number`` is its line in the list, ``reason`` why there is none, in the catalogue."""

    number: int
    person: str
    record: str
    state: str
    letter: str | None
    reason: str | None


async def show(call: PageCall) -> Html:
    """The newest batches, and the form of another."""
    return await _page(call, Filled[OrderForm](), Filled[DueForm]())


async def list_due(call: PageCall) -> Html:
    """The form again, with everybody in the list who should get a letter."""
    form = call.read(DueForm)
    if form.model is None:
        return await _page(call, Filled[OrderForm](), form)
    wanted = form.model
    try:
        people = await letter_batch.due(call.office, call.caller, wanted.due_type, end_of(wanted.good_until))
    except Unprocessable:
        return await _page(call, Filled[OrderForm](), form.with_error("due_type", _DOCUMENT))
    if not people:
        return await _page(call, Filled[OrderForm](), form.with_error("due_type", _NOBODY_DUE))
    listed = "\n".join(person.hex() for person in people)
    order = Filled[OrderForm](None, Posted((("people", listed), ("type", wanted.due_type))))
    return await _page(call, order, form, len(people))


async def to_room(_: PageCall) -> Redirect:
    """Where the address of the list's form leads to that somebody opens by itself."""
    return Redirect(PATH)


async def order(call: PageCall) -> Answer:
    """Order the letters, once confirmed, and go to the batch."""
    form = call.read(OrderForm)
    if form.model is None:
        return await _page(call, form, Filled[DueForm]())
    people = _people(call, form.model.people)
    if isinstance(people, str):
        return await _page(call, form.with_error("people", people), Filled[DueForm]())
    choices = form.model.choices(form.model.type)
    try:
        batch = await letter_batch.order(call.office, call.caller, list(people), choices, call.given)
    except NotOnRecord as unknown:
        wrong = call.translate(_NOT_ON_RECORD) % {"number": people[unknown.person]}
        return await _page(call, form.with_error("people", wrong), Filled[DueForm]())
    return Redirect(f"{_path(batch)}?done=ordered")


async def one(call: PageCall) -> Html:
    """One batch: what failed and why, and its letters, a hundred on a page."""
    batch, orders = await letter_batch.batch(call.office, call.caller, call.handle("batch"))
    shown = [_order(number, each) for number, each in enumerate(orders, 1)]
    first = _first(call, len(shown))
    context = {
        "batch": _shown(batch),
        "unmade": [each for each in shown if each.reason is not None][:ON_A_PAGE],
        "letters": shown[first : first + ON_A_PAGE],
        "pages": _pages(len(shown), first),
        "path": _path(batch),
        "done": call.done(DONE),
    }
    return Html("officer/print_batch.html", context)


async def fetch(call: PageCall) -> Download:
    """The letters of a batch as one ZIP."""
    handle = call.handle("batch")
    pieces = await letter_zip.of_batch(call.office, call.caller, handle)
    return Download(letter_zip.zip_name(handle), letter_zip.ZIP, pieces)


def _people(call: PageCall, typed: str) -> dict[bytes, int] | str:
    """The people of a list, each with the line, or the sentence that says what is wrong with it."""
    found: dict[bytes, int] = {}
    for number, line in enumerate(typed.splitlines(), 1):
        reference = "".join(line.split()).lower()
        if not reference:
            continue
        if _REFERENCE.fullmatch(reference) is None:
            return call.translate(_LINE) % {"number": number}
        if bytes.fromhex(reference) in found:
            return call.translate(_TWICE) % {"number": number}
        found[bytes.fromhex(reference)] = number
    return call.translate(_MANY) % {"most": MOST_LETTERS} if len(found) > MOST_LETTERS else found


def _first(call: PageCall, total: int) -> int:
    """With which letter the page begins: what the address asks for, if there is such a page."""
    asked = call.request.query.get("from", "")
    first = int(asked) - 1 if re.fullmatch(r"[1-9][0-9]{0,5}", asked) else 0
    return first if first < total and first % ON_A_PAGE == 0 else 0


def _pages(total: int, first: int) -> Sequence[tuple[int, int, bool]]:
    """First and last letter of each page, and whether it is this one; nothing where one page has them all."""
    begins = range(0, total, ON_A_PAGE)
    if len(begins) == 1:
        return ()
    return [(begin + 1, min(begin + ON_A_PAGE, total), begin == first) for begin in begins]


def _order(number: int, one: Ordered) -> OrderShown:
    letter = None if one.letter is None or one.state is not LetterState.MADE else one.letter.hex()
    return OrderShown(number, one.person.hex(), path_of(one.person), STATES[one.state], letter, one.failed_for)


def _shown(batch: Batch) -> BatchShown:
    document = TYPES.get(batch.choices.type, batch.choices.type)
    counts = batch.total, batch.made, batch.failed
    return BatchShown(batch.handle.hex(), document, batch.created_by, batch.created_at, *counts)


async def _page(call: PageCall, form: Filled[OrderForm], due: Filled[DueForm], found: int | None = None) -> Html:
    context = {
        "form": form,
        "due": due,
        "found": found,
        "most_due": letter_batch.MOST_DUE,
        "most": MOST_LETTERS,
        "batches": list(map(_shown, await letter_batch.batches(call.office, call.caller))),
        "types": call.choices({type_id: TYPES[type_id] for type_id in lettered_types()}),
        **options(call),
    }
    return Html("officer/print_room.html", context, max(form.status, due.status))


def _path(batch: Batch) -> str:
    return f"{PATH}/{batch.handle.hex()}"
