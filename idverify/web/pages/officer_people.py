"""People's records: a new one, and what is held on somebody with all that can be done next."""

from __future__ import annotations

from typing import Any, Final

from idverify.core.decision import EFFECTS, PersonStatus
from idverify.core.types.immigration_status import IMMIGRATION_STATUS, ImmigrationPermission
from idverify.errors import Conflict
from idverify.services import people
from idverify.web.pages.act_words import DECISIONS, TYPES
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.forms import Filled
from idverify.web.pages.new_person_form import NewPersonForm, details_of
from idverify.web.pages.record_words import in_words
from idverify.web.pages.render import Html
from idverify.web.pages.said import said
from idverify.web.pages.words import N_

_KNOWN: Final = N_("A person with this travel document is on record already. Search for them instead.")

_NOT_YET: Final = N_("The permission has not begun yet.")
_OVER: Final = N_("The permission has ended.")


async def ask_new(_: PageCall) -> Html:
    """Ask who the person is."""
    return Html("officer/new_person.html", {"form": Filled[NewPersonForm]()})


async def create(call: PageCall) -> Answer:
    """Record a person."""
    form, details = details_of(call.read(NewPersonForm), call.posted.file("picture"))
    if details is not None:
        try:
            return Redirect(path_of(await people.create(call.office, call.caller, details)))
        except Conflict:
            form = form.with_error("document_number", _KNOWN)
    return Html("officer/new_person.html", {"form": form}, form.status)


async def show(call: PageCall) -> Html:
    """What is held on a person, and what can be done for somebody of this status."""
    held = await people.overview(call.office, call.caller, call.handle("person"))
    record = in_words(held)
    gone = _out_of_period(held["permissions"].get(IMMIGRATION_STATUS.id), call.office.clock.now())
    context = {
        "record": record,
        "out_of_period": gone,
        "permission": said(held["permissions"].get(IMMIGRATION_STATUS.id) or {}),
        "decisions": [
            (kind, DECISIONS[kind]) for kind, effect in EFFECTS.items() if record.status in effect.starts_from
        ],
        "offers": TYPES if record.status is PersonStatus.ACTIVE and gone is None else {},
    }
    return Html("officer/person.html", context)


def _out_of_period(permission: dict[str, Any] | None, at: int) -> str | None:
    """What to say of a permission that does not run now."""
    if permission is None:
        return None
    runs = IMMIGRATION_STATUS.runs(ImmigrationPermission.model_validate(permission))
    if at < runs.start:
        return _NOT_YET
    return _OVER if runs.end is not None and runs.end < at else None


async def to_record(call: PageCall) -> Redirect:
    """Where the address of a person's form leads to that somebody opens by itself."""
    return Redirect(path_of(call.handle("person")))


def path_of(person: bytes) -> str:
    """The page of a person's record."""
    return f"/officer/people/{person.hex()}"
