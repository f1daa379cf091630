"""Account numbers: printed for people, typed by people."""

from __future__ import annotations

import os
import re

import pytest

from idverify.auth import account_numbers
from idverify.errors import Unprocessable


def test_a_number_is_read_as_it_is_printed() -> None:
    """Four groups of four digits; spaces and hyphens make no difference."""
    for _ in range(200):
        number = account_numbers.make(os.urandom)
        assert re.fullmatch(r"[0-9]{4}( [0-9]{4}){3}", number)
        assert {account_numbers.read(typed) for typed in (number, number.replace(" ", "-"), f" {number} ")} == {number}
        assert account_numbers.read(number.replace(" ", "")) == number


def test_every_slip_of_a_finger_is_noticed() -> None:
    """One wrong digit, wherever it is, and two neighbours that changed places."""
    digits = account_numbers.make(os.urandom).replace(" ", "")
    slips = {digits[:at] + wrong + digits[at + 1 :] for at in range(16) for wrong in "0123456789"}
    slips |= {digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :] for at in range(15)}
    for slip in slips - {digits}:
        with pytest.raises(Unprocessable, match="16 digits"):
            account_numbers.read(slip)


@pytest.mark.parametrize("text", ["1", "0" * 16, "1" * 17, "9" * 100])
def test_other_digits_are_no_number(text: str) -> None:
    """Whoever types too few or too many is told so."""
    with pytest.raises(Unprocessable):
        account_numbers.read(text)


@pytest.mark.parametrize("text", ["", "Olive Officer", "Officer 7", "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦", "²³", "\x00"])
def test_what_is_no_number_may_be_a_name(text: str) -> None:
    """Also digits of other scripts, which we never print."""
    assert account_numbers.read(text) is None
