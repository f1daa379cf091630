"""What a permission means for the person who holds it: until when they may be here, and what they may do.

It says what the deciding officer recorded, and no more: codes in plain words, free text as it was written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.credential_type import CredentialType, Runs
from idverify.core.decision import PersonStatus
from idverify.core.types import CREDENTIAL_TYPES
from idverify.core.types.immigration_status import Allowed, ImmigrationPermission, PublicFunds, Work
from idverify.services.offer import formats_of
from idverify.web.pages.act_words import FORMAT_NAMES
from idverify.web.pages.said import Said, said
from idverify.web.pages.words import N_, Language, date_in_words, day_in_words, translate

_UNTIL: Final = N_("You have permission to be here until %(day)s")
_WITHOUT_END: Final = N_("You have permission to be here, without an end date")
_FROM: Final = N_("Your permission begins on %(day)s")
_ENDED: Final = N_("Your permission ended on %(day)s")
_WITHOUT: Final[Mapping[PersonStatus, str]] = {
    PersonStatus.NONE: N_("You have no permission on record"),
    PersonStatus.SUSPENDED: N_("Your permission is suspended"),
    PersonStatus.REVOKED: N_("Your permission was revoked"),
}

_WORK: Final[Mapping[Allowed, str]] = {
    Allowed.YES: N_("You may work."),
    Allowed.LIMITED: N_("You may work, with limits."),
    Allowed.NO: N_("You may not work."),
}
_STUDY: Final[Mapping[Allowed, str]] = {
    Allowed.YES: N_("You may study."),
    Allowed.LIMITED: N_("You may study, with limits."),
    Allowed.NO: N_("You may not study."),
}
_RENT: Final[Mapping[Allowed, str]] = {
    Allowed.YES: N_("You may rent a home."),
    Allowed.LIMITED: N_("You may rent a home, with limits."),
    Allowed.NO: N_("You may not rent a home."),
}
_TRAVEL: Final[Mapping[Allowed, str]] = {
    Allowed.YES: N_("A carrier may bring you here."),
    Allowed.LIMITED: N_("A carrier may bring you here, with limits."),
    Allowed.NO: N_("A carrier may not bring you here."),
}
_FUNDS: Final[Mapping[bool, str]] = {
    True: N_("You may claim public funds."),
    False: N_("You may not claim public funds."),
}
_SELF_EMPLOYED: Final[Mapping[bool, str]] = {
    True: N_("You may work for yourself."),
    False: N_("You may not work for yourself."),
}
_OCCUPATIONS: Final = N_("Occupations: %(text)s")
_HOURS: Final = N_("At most %(hours)s hours a week.")
_BENEFITS: Final = N_("Benefits: %(text)s")


@dataclass(frozen=True, slots=True)
class Standing:
    """``headline`` says it in one sentence; ``kind`` and ``rights`` are of a permission in force. All translated.

    ``kind`` is the officer's own words. ``holds`` is whether a copy can be collected now.
    """

    headline: str
    holds: bool
    kind: str = ""
    rights: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A document that a person was given: its name, what it says of them, and a sentence on when it runs.

    ``formats`` are those in which a copy can be collected now, by code and in words.
    """

    type: str
    name: str
    period: str
    lines: tuple[Said, ...]
    formats: tuple[tuple[str, str], ...]


_RUNS_UNTIL: Final = N_("It holds until %(day)s")
_RUNS_ON: Final = N_("It holds without an end date")
_RUNS_FROM: Final = N_("It holds from %(day)s")
_RAN_OUT: Final = N_("It ended on %(day)s")


def documents(
    language: Language, status: PersonStatus, permissions: Mapping[str, Mapping[str, Any]], now: int
) -> tuple[Held, ...]:
    """What a person holds, document by document; nothing of it can be collected unless their status is active."""
    return tuple(
        _held(language, CREDENTIAL_TYPES[type_id], part, status, now)
        for type_id, part in permissions.items()
        if status is not PersonStatus.REVOKED
    )


def _held(language: Language, kind: CredentialType, part: Mapping[str, Any], status: PersonStatus, now: int) -> Held:
    sentence, at, runs = _runs(kind.runs(kind.permission.model_validate(part)), now)
    period = translate(language, sentence)
    if at is not None:
        period %= {"day": day_in_words(language, at)}
    collects = formats_of(kind) if runs and status is PersonStatus.ACTIVE else ()
    names = tuple((name, FORMAT_NAMES.get(name, name)) for name in collects)
    return Held(kind.id, kind.name, period, said(part), names)


def _runs(runs: Runs, now: int) -> tuple[str, int | None, bool]:
    """The sentence, its day (Unix seconds), and whether it runs."""
    if now < runs.start:
        return _RUNS_FROM, runs.start, False
    if runs.end is None:
        return _RUNS_ON, None, True
    if now > runs.end:
        return _RAN_OUT, runs.end, False
    return _RUNS_UNTIL, runs.end, True


def standing(
    language: Language, status: PersonStatus, permission: Mapping[str, Any] | None, today: dt.date
) -> Standing:
    """A person's standing on a day (UTC). ``permission`` is that of the last decision which gave one."""
    if status is not PersonStatus.ACTIVE or permission is None:
        return Standing(translate(language, _WITHOUT.get(status, _WITHOUT[PersonStatus.NONE])), holds=False)
    held = ImmigrationPermission.model_validate(permission)
    sentence, day, holds = _period(held, today)
    headline = translate(language, sentence)
    if day is not None:
        headline %= {"day": date_in_words(language, day)}
    rights = tuple(translate(language, said) % values for said, values in _rights(held))
    return Standing(headline, holds, held.status_type.text, rights)


def _period(held: ImmigrationPermission, today: dt.date) -> tuple[str, dt.date | None, bool]:
    """The sentence, its date, and whether the permission runs."""
    if today < held.permission_start:
        return _FROM, held.permission_start, False
    if held.permission_end is None:
        return _WITHOUT_END, None, True
    if today > held.permission_end:
        return _ENDED, held.permission_end, False
    return _UNTIL, held.permission_end, True


def _rights(held: ImmigrationPermission) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from _working(held.work)
    yield _STUDY[held.study.allowed], {}
    yield _RENT[held.rent.allowed], {}
    yield _TRAVEL[held.travel.allowed], {}
    yield from _claiming(held.public_funds)


def _working(work: Work) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield _WORK[work.allowed], {}
    if work.occupations_text is not None:
        yield _OCCUPATIONS, {"text": work.occupations_text}
    if work.hours_per_week is not None:
        yield _HOURS, {"hours": work.hours_per_week}
    if work.self_employed is not None:
        yield _SELF_EMPLOYED[work.self_employed], {}


def _claiming(funds: PublicFunds) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield _FUNDS[funds.recourse], {}
    if funds.benefits_text is not None:
        yield _BENEFITS, {"text": funds.benefits_text}
