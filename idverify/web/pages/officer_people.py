"""People's records: a new one, and what is held on somebody with all that can be done next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.assurance import CLAIM
from idverify.core.credential_type import CredentialType, Runs
from idverify.core.decision import EFFECTS, PersonStatus
from idverify.core.person import PersonDetails
from idverify.core.types import CREDENTIAL_TYPES
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.errors import Conflict
from idverify.services import people
from idverify.services.offer import formats_of
from idverify.web.pages.act_words import DECISIONS, FORMAT_NAMES
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.forms import Filled
from idverify.web.pages.new_person_form import NewPersonForm, details_of
from idverify.web.pages.record_words import in_words
from idverify.web.pages.render import Html
from idverify.web.pages.said import SEXES, Said, said
from idverify.web.pages.words import N_

_KNOWN: Final = N_("A person with this travel document is on record already. Search for them instead.")

_NOT_YET: Final = N_("The permission has not begun yet.")
_OVER: Final = N_("The permission has ended.")


async def ask_new(call: PageCall) -> Html:
    """Ask who the person is."""
    return _new_person(call, Filled[NewPersonForm]())


async def create(call: PageCall) -> Answer:
    """Record a person."""
    form, details = details_of(call.read(NewPersonForm), call.posted.file("picture"))
    if details is not None:
        try:
            return Redirect(path_of(await people.create(call.office, call.caller, details)))
        except Conflict:
            form = form.with_error("document_number", _KNOWN)
    return _new_person(call, form)


def _new_person(call: PageCall, form: Filled[NewPersonForm]) -> Html:
    sexes = [("", call.translate(N_("Not stated"))), *call.choices(SEXES)]
    needs = [(kind.name, _named(call, kind.requires)) for kind in CREDENTIAL_TYPES.values() if kind.requires]
    return Html("officer/new_person.html", {"form": form, "sexes": sexes, "needs": needs}, form.status)


def _named(call: PageCall, details: Iterable[str]) -> str:
    return ", ".join(call.translate(_DETAILS[name]) for name in sorted(details))


# What a document may need of a person (``CredentialType.requires``)
_DETAILS: Final[Mapping[str, str]] = {"picture": N_("Photo"), "place_of_birth": N_("Place of birth")}


async def show(call: PageCall) -> Html:
    """What is held on a person, and what can be done for somebody of this status."""
    held = await people.overview(call.office, call.caller, call.handle("person"))
    record = in_words(held)
    now = call.office.clock.now()
    given = [_given(CREDENTIAL_TYPES[type_id], part, now) for type_id, part in held["permissions"].items()]
    context = {
        "record": record,
        "given": given,
        "assurance": said({CLAIM: held["assurance"].model_dump(exclude={"checks"})}) if held["assurance"] else (),
        "decisions": list(_decisions(record.status, held["details"])),
        "lacking": [
            (kind.name, _named(call, lacks))
            for kind in CREDENTIAL_TYPES.values()
            if (lacks := kind.lacks(held["details"]))
        ],
        "offers": list(_offers(given)) if record.status is PersonStatus.ACTIVE else [],
    }
    return Html("officer/person.html", context)


@dataclass(frozen=True, slots=True)
class Given:
    """What a person was given of one type: its lines, and a sentence if it does not run now."""

    kind: CredentialType
    lines: tuple[Said, ...]
    out_of_period: str | None


def _given(kind: CredentialType, part: dict[str, Any], at: int) -> Given:
    runs = kind.runs(kind.permission.model_validate(part))
    return Given(kind, said(part), _out_of_period(runs, at))


def _decisions(status: PersonStatus, details: PersonDetails) -> Iterator[tuple[str, str, str | None]]:
    """What follows the record's address, what the decision is called, and of which document where it is of one.

    A document that needs what the record lacks cannot be given, and is not offered.
    """
    for kind, effect in EFFECTS.items():
        if status not in effect.starts_from:
            continue
        if not effect.carries_permission:
            yield kind, DECISIONS[kind], None
            continue
        for document in CREDENTIAL_TYPES.values():
            if document.lacks(details):
                continue
            path = kind.value if document is IMMIGRATION_STATUS else f"{kind.value}/{document.slug}"
            yield path, DECISIONS[kind], document.name


def _offers(given: list[Given]) -> Iterator[tuple[str, str, str, str]]:
    """Type, format, and the names of both, of what can be handed out now."""
    for one in given:
        if one.out_of_period is None:
            yield from (
                (one.kind.id, name, one.kind.name, FORMAT_NAMES.get(name, name)) for name in formats_of(one.kind)
            )


def _out_of_period(runs: Runs, at: int) -> str | None:
    """What to say of a permission that does not run now."""
    if at < runs.start:
        return _NOT_YET
    return _OVER if runs.end is not None and runs.end < at else None


async def to_record(call: PageCall) -> Redirect:
    """Where the address of a person's form leads to that somebody opens by itself."""
    return Redirect(path_of(call.handle("person")))


def path_of(person: bytes) -> str:
    """The page of a person's record."""
    return f"/officer/people/{person.hex()}"
