"""What whoever asks for a letter on paper chooses."""

from __future__ import annotations

from typing import Literal

from idverify.core.credential_type import Purpose
from idverify.core.declared import Declared


class LetterChoices(Declared):
    """Which document, what of it for which purpose, and how it is printed. ``portrait``: a small one in the code."""

    type: str
    purpose: Purpose = Purpose.CHOSEN
    language: Literal["en", "cy"] = "en"
    large_print: bool = False
    portrait: bool = False
