"""A credential type is one declaration: what it says in each format, what may be shown for what, who signs it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel

from idverify.core.assurance import IdentityAssurance, Minimum
from idverify.core.credential import Place
from idverify.core.person import PersonDetails


class Purpose(StrEnum):
    """Why somebody checks; the letter is the share code's first (``reference`` claim sets, purpose views)."""

    WORK = "work"
    RENT = "rent"
    TRAVEL = "travel"
    AGE = "age"
    CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class Runs:
    """From when to when a permission runs, Unix seconds; ``end`` of ``None``: without end."""

    start: int
    end: int | None


def days(first: dt.date, last: dt.date | None) -> Runs:
    """From the first second of the first day to the last second of the last day (UTC)."""
    return Runs(_moment(first, dt.time()), None if last is None else _moment(last, dt.time(23, 59, 59)))


def _moment(day: dt.date, time: dt.time) -> int:
    return int(dt.datetime.combine(day, time, dt.UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a copy may speak of. ``permission`` is what the deciding decision gave for this type.

    ``status_reference`` is the decision's handle (hex); ``issued_at`` the time of issue, Unix seconds.
    """

    details: PersonDetails
    permission: Any
    assurance: IdentityAssurance | None
    status_reference: str
    decided_on: dt.date
    issuing_authority: str
    issuing_country: str
    issued_at: int

    @property
    def today(self) -> dt.date:
        """The UTC day of issue."""
        return dt.datetime.fromtimestamp(self.issued_at, dt.UTC).date()

    def is_over(self, years: int) -> bool:
        """Whether the person is this old on the day of issue; born on 29 February, from 1 March on."""
        born, today = self.details.birthdate, self.today
        return today.year - born.year - ((today.month, today.day) < (born.month, born.day)) >= years


EVERY: Final = None
"""In a ``ClaimPath``: every element of a list."""

ClaimPath = tuple[str | None, ...]
"""A place by pattern, as SD-JWT VC and DCQL write it: names, and ``None`` for every element of a list.

In an mdoc the first name is the namespace.
"""

Views = Mapping[Purpose, frozenset[ClaimPath] | None]
"""Per purpose the only places that its asker may see, with all inside them; ``None``: whatever the holder shows."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a copy in one format says. ``type`` is the ``vct`` or the docType.

    ``claims`` makes ``Credential.claims`` of the facts. ``disclosable`` are places that the holder may show one by
    one, with ``decoys`` more digests at each level (both of SD-JWT alone); those that a copy has not are passed over.
    """

    type: str
    claims: Callable[[Facts], Mapping[str, Any]]
    views: Views
    disclosable: frozenset[ClaimPath] = frozenset()
    decoys: int = 0

    def places(self, claims: Mapping[str, Any]) -> frozenset[Place]:
        """Where these claims may be disclosed one by one."""
        return frozenset(place for path in self.disclosable for place in _places(path, claims))


def _places(path: ClaimPath, value: Any) -> Iterator[Place]:
    if not path:
        yield ()
        return
    if len(path) == 1 and path[0] is not EVERY:
        if isinstance(value, Mapping) and path[0] in value:
            yield (path[0],)
        return
    step, rest = path[0], path[1:]
    inside: Iterator[tuple[str | int, Any]] = iter(())
    if step is EVERY and isinstance(value, list | tuple):
        inside = iter(enumerate(value))
    elif isinstance(value, Mapping) and step in value:
        inside = iter([(str(step), value[step])])
    for name, item in inside:
        yield from ((name, *place) for place in _places(rest, item))


@dataclass(frozen=True, slots=True)
class CredentialType:
    """One declaration.

    ``permission`` is the model of what a decision says for this type (its fields bear titles for people), ``runs``
    says from when to when that runs, ``requires`` names the details of a person that a copy cannot do without,
    ``forms`` holds what a copy says by name of the format, ``key_role`` signs it, ``valid_for`` is the technical life
    of a wallet copy in seconds, ``least_assurance`` what must be known of the person's identity before anything is
    granted, ``letter_template`` the template of its letter on paper, if it has one.
    """

    id: str
    name: str
    key_role: str
    valid_for: int
    permission: type[BaseModel]
    runs: Callable[[Any], Runs]
    forms: Mapping[str, Form]
    requires: frozenset[str] = frozenset()
    least_assurance: Minimum = field(default_factory=Minimum)
    letter_template: str | None = None

    @property
    def slug(self) -> str:
        """A word for addresses: what the key's role ends in."""
        return self.key_role.rpartition("/")[2]

    def lacks(self, details: PersonDetails) -> list[str]:
        """The details that a copy cannot do without and that are not on record, by name."""
        return sorted(name for name in self.requires if getattr(details, name) is None)

    def tells(self, purpose: Purpose) -> bool:
        """Whether an asker with this purpose may learn anything of a copy."""
        return any(form.views.get(purpose, frozenset()) != frozenset() for form in self.forms.values())


def visible_claims(form: Form | None, purpose: Purpose | None, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What an asker with this purpose may learn of the claims that the holder showed. No purpose: all of them.

    A document that is in no declared form has no views, so an asker with a purpose learns nothing of it.
    """
    if purpose is None:
        return dict(shown)
    view = frozenset[ClaimPath]() if form is None else form.views.get(purpose, frozenset())
    return dict(shown) if view is None else _seen(shown, view)


def _seen(shown: Mapping[str, Any], view: frozenset[ClaimPath]) -> dict[str, Any]:
    """What of ``shown`` lies at or below a place of the view."""
    found, within = {}, _by_name(view)
    for name, value in shown.items():
        inside = within.get(name)
        if inside is None:
            continue
        if () in inside:
            found[name] = value
        elif isinstance(value, Mapping) and (part := _seen(value, inside)):
            found[name] = part
    return found


@lru_cache(maxsize=64)  # of declared types alone, so there are few
def _by_name(view: frozenset[ClaimPath]) -> Mapping[str | None, frozenset[ClaimPath]]:
    """The rest of each path, by its first step."""
    first = {path[0] for path in view}
    return {name: frozenset(path[1:] for path in view if path[0] == name) for name in first}
