"""Texts as they stand on paper."""

from __future__ import annotations

import pytest

from idverify.core.letter import direction, printed


@pytest.mark.parametrize(
    ("text", "paper"),
    [
        ("Nia", "Nia"),
        (" a\n\tb\r\nc ", "a b c"),
        ("Anna\u202eevil\u202c\u2066x\u2069\u200f\ufeff", "Annaevilx"),
        ("e\u0301", "\u00e9"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("a\x00b\x1b[0mc\ud800", "a b [0mc"),
        ("\u200b", ""),
    ],
)
def test_what_shows_nothing_goes(text: str, paper: str) -> None:
    """One line, accents joined, no control; joiners that spelling needs stay."""
    assert printed(text) == paper
    assert printed(paper) == paper


@pytest.mark.parametrize(
    ("text", "way"),
    [("Nia \u0645", "ltr"), ("12 \u0645 Nia", "rtl"), ("(\u05d0)", "rtl"), ("12", "ltr"), ("", "ltr")],
)
def test_the_first_letter_gives_the_direction(text: str, way: str) -> None:
    """UAX #9, rules P2 and P3."""
    assert direction(text) == way
