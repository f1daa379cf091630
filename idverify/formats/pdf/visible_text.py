"""Whether what stands on a letter is what its credential says: row by row of its tables, as they are drawn.

Whoever writes a letter and whoever reads one make the lines of the claims in one way (``ports.Letterhead.lines``). The
reader takes the rows from the structure tree: per table row the text of its header cell and of its data cell, each
of what its marks spell (``spelled``). docs/letters.md says it in full.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from idverify.core.letter import Line
from idverify.errors import DocumentError

RULE: Final = "visible-text"
# Signs that fonts draw alike: a glyph tells only one of them.
_ALIKE: Final = str.maketrans("\u2010\u2011\u2043\u2212", "----")
_FROM_THE_RIGHT: Final = frozenset({"R", "AL"})
_UNSEEN: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


def spelled(glyphs: str, actual: str | None) -> str:
    """What one mark spells: ``glyphs`` by the font's ToUnicode, ``actual`` its ActualText where it has one.

    Glyphs of some scripts tell their letters in part, or in another order; they tell none that is not there. Raises
    ``DocumentError`` (``visible-text``) where a mark shows other letters than it says.
    """
    if actual is None:
        return glyphs
    if set(_parts(glyphs)) - set(_parts(actual)):
        raise DocumentError(RULE, "A text of the letter shows other letters than it says.")
    return actual


def _parts(text: str) -> str:
    return unicodedata.normalize("NFKD", as_compared(text))


def require_states(lines: Sequence[Line], rows: Sequence[Sequence[str]]) -> None:
    """The rows state these lines, in this order, and nothing else. Raises ``DocumentError`` (``visible-text``)."""
    for number, (line, row) in enumerate(zip_longest(lines, _whole(rows)), start=1):
        if line is None:
            raise DocumentError(RULE, f"Line {number} of the letter states what its credential does not say.")
        if row is None or len(row) != 2 or not alike(line.label, row[0]):
            raise DocumentError(RULE, f"Line {number} of the letter is not the one that its credential asks for.")
        if not alike(line.value, row[1]):
            raise DocumentError(RULE, f"Line {number} of the letter says otherwise than its credential.")


def _whole(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """A row that is longer than a page goes on in one whose label is empty, or is not on that page at all."""
    whole: list[Sequence[str]] = []
    for row in rows:
        if whole and len(whole[-1]) == 2 and (len(row) == 1 or (len(row) == 2 and not as_compared(row[0]))):
            label, value = whole.pop()
            whole.append((label, value + row[-1]))
        else:
            whole.append(row)
    return whole


def alike(said: str, read: str) -> bool:
    """Whether a cell says this.

    What runs from right to left is drawn from the left, all but its digits: of a text that has such letters every
    letter must be there, as often as it is said, in whatever order.
    """
    ours, theirs = as_compared(said), as_compared(read)
    if any(unicodedata.bidirectional(sign) in _FROM_THE_RIGHT for sign in ours):
        return sorted(ours) == sorted(theirs)
    return ours == theirs


def as_compared(text: str) -> str:
    """Without spaces, what shows nothing, ligatures and forms: line breaks and fonts change those."""
    plain = unicodedata.normalize("NFKC", text.translate(_ALIKE))
    return "".join(sign for sign in plain if unicodedata.category(sign) not in _UNSEEN)
