"""What is drawn is compared with what is said."""

from __future__ import annotations

import pytest

from idverify.core.letter import Line
from idverify.errors import DocumentError
from idverify.formats.pdf.visible_text import alike, require_states, spelled

LINES = (Line("Work", "Yes"), Line("Family name", "Jos\u00e9 O'Neill"), Line("Ends", "No end date"))
ROWS = [("Work", "Yes"), ("Family name", "Jose\u0301O'Neill"), ("Ends", "No enddate")]


def test_the_same_lines_in_the_same_order() -> None:
    """Spaces are where lines were broken, so they are not compared."""
    require_states(LINES, ROWS)
    require_states((), [])


def test_a_line_goes_on_over_pages() -> None:
    """In rows without a label, whose values follow on each other."""
    require_states(LINES, [*ROWS[:2], ("Ends", "No"), (" ", "end"), ("date",)])


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([("Work", "No"), *ROWS[1:]], "Line 1 of the letter says otherwise"),
        ([("Study", "Yes"), *ROWS[1:]], "Line 1 of the letter is not the one"),
        ([ROWS[1], ROWS[0], ROWS[2]], "Line 1 of the letter is not the one"),
        (ROWS[:2], "Line 3 of the letter is not the one"),
        ([("", "Work"), *ROWS[1:]], "Line 1 of the letter is not the one"),
        ([*ROWS, ("", "date")], "Line 3 of the letter says otherwise"),
        ([ROWS[0], ("", "No"), *ROWS[1:]], "Line 1 of the letter says otherwise"),
        ([*ROWS[:2], ("Ends", "end date"), ("", "No")], "Line 3 of the letter says otherwise"),
        ([("Work",), *ROWS[1:]], "Line 1 of the letter is not the one"),
        ([*ROWS, ("date",)], "Line 3 of the letter says otherwise"),
        ([*ROWS, ("", "", "")], "Line 4 of the letter states what"),
        ([*ROWS, ("Study", "Yes")], "Line 4 of the letter states what"),
        ([("Work", "Yes", ""), *ROWS[1:]], "Line 1 of the letter is not the one"),
        ([], "Line 1 of the letter is not the one"),
    ],
)
def test_any_other_line_is_told(rows: list[tuple[str, ...]], sentence: str) -> None:
    """Changed, exchanged, missing, added: each is found, and the line is named."""
    with pytest.raises(DocumentError, match=sentence) as refused:
        require_states(LINES, rows)

    assert refused.value.rule == "visible-text"


@pytest.mark.parametrize(
    ("said", "drawn", "same"),
    [
        ("office", "o\ufb03ce", True),
        ("A\u00adB\u200b C", "ABC", True),
        ("Smith\u2010Jones", "Smith-Jones", True),
        ("Anna", "\u0410nna", False),  # a Cyrillic letter looks like it
        ("12 May", "21 May", False),
        ("\u0645\u062d\u0645\u062f 12", "12 \u062f\u0645\u062d\u0645", True),
        ("\u0645\u062d\u0645\u062f 12", "13 \u062f\u0645\u062d\u0645", False),
        ("\u0645\u062d\u0645\u062f", "\u062f\u0645\u062d", False),
    ],
)
def test_what_counts_as_the_same(said: str, drawn: str, same: bool) -> None:  # noqa: FBT001 - a table row
    """Fonts join letters, and lines are broken; no letter may be another, and none may be missing."""
    assert alike(said, drawn) is same


def test_a_mark_spells_what_it_says() -> None:
    """Glyphs tell too little or in another order, and never a letter that is not there."""
    name = "\u0645\u062d\u0645\u062f 12"

    assert spelled("Nia", None) == "Nia"
    assert spelled("12 \u062f\u0645\u062d\u0645", name) == name
    assert spelled("\u0e19\u0e32", "\u0e19\u0e49\u0e33") == "\u0e19\u0e49\u0e33"
    with pytest.raises(DocumentError, match="shows other letters") as refused:
        spelled("13 \u062f\u0645\u062d\u0645", name)
    assert refused.value.rule == "visible-text"
