"""Names of staff and organisations: what may stand in one, and when two of them are one to whoever reads them.

Unicode has many ways to write what looks the same: characters that show nothing, other forms of a letter (UAX #15),
and letters of one script in the words of another (UTS #39).
"""

from __future__ import annotations

import unicodedata
from typing import Final

from idverify.errors import Unprocessable

MOST_NAME: Final = 100
_KINDS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"})  # letters, marks and digits
_SIGNS: Final = frozenset(" '\u02bb\u02bc\u2018\u2019-\u2010\u00b7\u30fb.,&+/()")  # apostrophes, hyphens, middle dots
# Of several signs that look alike, the one that stands for all.
_ONE_SIGN: Final = str.maketrans("\u02bb\u02bc\u2018\u2019\u2010\u30fb", "''''-\u00b7")
# Letters and marks that show nothing. Those of other kinds (Default_Ignorable_Code_Point) are of category Cf.
_SHOW_NOTHING: Final = frozenset(
    map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, *range(0xFE00, 0xFE10), 0xFFA0))
) | frozenset(map(chr, range(0xE0100, 0xE01F0)))
# Scripts that people write together (UTS #39 section 5.1, "augmented script sets"), by the first word of their
# characters' names: Japanese, Korean, Chinese, and Arabic with its digits.
_HAN: Final = frozenset({"CJK", "IDEOGRAPHIC"})
_TOGETHER: Final = (
    _HAN | {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"},
    _HAN | {"HANGUL"},
    _HAN | {"BOPOMOFO"},
    frozenset({"ARABIC", "ARABIC-INDIC", "EXTENDED"}),
)
_OF_NO_SCRIPT: Final = frozenset({"COMBINING", "DIGIT"})


def name_as_read(name: str) -> str:
    """A name as people read it: spaces, case, look-alike forms and what shows nothing make nobody a second person."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join("".join(filter(_shows, folded)).translate(_ONE_SIGN).split())


def require_name(name: str) -> str:
    """The name of an officer or organisation. Raises ``Unprocessable`` for what cannot be shown, or looks like another.

    Letters, marks and digits of one script, or of those that are written together; spaces and a few signs.
    """
    tidy = " ".join(name.split())
    if not 1 <= len(tidy) <= MOST_NAME or not tidy.isprintable():
        raise Unprocessable(f"A name must be 1 to {MOST_NAME} printable characters.")
    letters = unicodedata.normalize("NFKC", tidy)
    alone = any(unicodedata.category(word[0]).startswith("M") for word in letters.split())  # a mark, on no letter
    if alone or not all(map(_may_stand, tidy + letters)):
        raise Unprocessable("A name must be of letters, digits, spaces and the signs ' - . , & + / ( ) and \u00b7.")
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in letters if letter not in _SIGNS}
    scripts -= _OF_NO_SCRIPT
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
        raise Unprocessable("A name must be written in one script: a letter of another can look like one of this.")
    return tidy


def _may_stand(letter: str) -> bool:
    return letter in _SIGNS or (unicodedata.category(letter) in _KINDS and _shows(letter))


def _shows(letter: str) -> bool:
    return letter not in _SHOW_NOTHING and unicodedata.category(letter) != "Cf"


def root_name(authority: str, of: str = "documents") -> str:
    """The common name of an authority's root certificate (RFC 5280: at most 64 characters), for each branch another.

    >>> root_name("Utopia"), root_name("x" * 99, "time stamps")[40:]
    ('Utopia documents root', 'xxxxxxx time stamps root')
    """
    if of == "documents":
        return f"{authority} documents root"[:64]
    end = f" {of} root"
    return authority[: 64 - len(end)] + end
