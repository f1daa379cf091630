"""The words of pages in the reader's language: gettext catalogues, and dates in words.

The English sentence is the message id. ``.ci/catalogues`` collects the sentences and compiles the catalogues.
"""

from __future__ import annotations

import datetime as dt
import gettext
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

LOCALE: Final = Path(__file__).parents[1] / "locale"
DOMAIN: Final = "idverify"


class Language(StrEnum):
    """Languages of the pages, by their BCP 47 tags."""

    EN = "en"
    CY = "cy"


# Each language in its own words, for the link that leads to it
OWN_NAMES: Final[Mapping[Language, str]] = {Language.EN: "English", Language.CY: "Cymraeg"}


def N_(sentence: str) -> str:  # noqa: N802  gettext's own name for a sentence that is translated where it is shown
    """Marks a sentence for the catalogue."""
    return sentence


MONTHS: Final = (
    N_("January"),
    N_("February"),
    N_("March"),
    N_("April"),
    N_("May"),
    N_("June"),
    N_("July"),
    N_("August"),
    N_("September"),
    N_("October"),
    N_("November"),
    N_("December"),
)
_MOMENT: Final = N_("%(date)s at %(time)s UTC")


@cache
def translations(language: Language) -> gettext.NullTranslations:
    """The catalogue of a language; English needs none."""
    if language is Language.EN:
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, LOCALE, [language])


def translate(language: Language, sentence: str) -> str:
    """The sentence in this language; as it stands where the catalogue does not have it."""
    return translations(language).gettext(sentence) if sentence else ""  # gettext answers "" with the file's header


def date_in_words(language: Language, date: dt.date | str) -> str:
    """``3 May 2026`` of a date or its ISO 8601 form."""
    day = dt.date.fromisoformat(date) if isinstance(date, str) else date
    return f"{day.day} {translate(language, MONTHS[day.month - 1])} {day.year}"


def day_in_words(language: Language, at: int) -> str:
    """The UTC day of a time in Unix seconds."""
    return date_in_words(language, dt.datetime.fromtimestamp(at, dt.UTC).date())


def moment_in_words(language: Language, at: int) -> str:
    """``3 May 2026 at 14:05 UTC`` of Unix seconds."""
    moment = dt.datetime.fromtimestamp(at, dt.UTC)
    parts = {"date": date_in_words(language, moment.date()), "time": f"{moment:%H:%M}"}
    return translate(language, _MOMENT) % parts
