"""A letter on paper: what it says, and which of its lines state which claims."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Direction = Literal["ltr", "rtl"]
# Zero-width non-joiner and joiner: Persian and the scripts of India are spelled with them.
_JOINERS: Final = frozenset("\u200c\u200d")
_BREAKS: Final = frozenset({"Cc", "Zs", "Zl", "Zp"})
_NOTHING: Final = frozenset({"Cf", "Cs"})
_STRONG: Final[Mapping[str, Direction]] = {"L": "ltr", "R": "rtl", "AL": "rtl"}


@dataclass(frozen=True, slots=True)
class Line:
    """One claim as a letter prints it: what it is, and what it says, in the letter's language."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class LetterContent:
    """What a letter says of one copy.

    ``claims`` are those of the SD-JWT VC that is embedded, all of them, by its names; ``authority`` is who speaks.
    ``template`` is the type's ``letter_template``, ``type_name`` what people call the type; ``language`` a BCP 47 tag
    that the pages have; ``large``: in large print. ``portrait_in_code``: the code holds a portrait, and is larger.
    ``reference`` is by what the letter is asked for, ``check_at`` the address where it is checked, as typed,
    ``expires_on`` the last day on which its copy can be relied on.
    """

    template: str
    type_name: str
    claims: Mapping[str, Any]
    authority: str
    language: str
    large: bool
    portrait_in_code: bool
    reference: str
    issued_on: dt.date
    expires_on: dt.date
    check_at: str
    demo: bool = False

    @property
    def has_photo(self) -> bool:
        """Whether the person's photo is on it; whoever did not want one has an empty one."""
        return bool(self.claims.get("picture"))


def printed(text: str) -> str:
    """A text as it stands on paper, on one line: what shows nothing goes, line breaks are spaces, accents are joined.

    Marks that turn the reading direction would let a value rearrange what stands beside it.
    """
    kept = (" " if (kind := unicodedata.category(sign)) in _BREAKS else _shown(sign, kind) for sign in text)
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))


def _shown(sign: str, kind: str) -> str:
    return sign if kind not in _NOTHING or sign in _JOINERS else ""


def direction(text: str) -> Direction:
    """In which direction a text is read: that of its first letter that has one (UAX #9, rules P2 and P3)."""
    return next((_STRONG[kind] for kind in map(unicodedata.bidirectional, text) if kind in _STRONG), "ltr")
