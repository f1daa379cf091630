"""The catalogues: everything that pages say is there, translated, and compiled."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from idverify.core.decision import REASONS
from idverify.core.verdict import _NEXT_STEP_ON_FAIL, _NEXT_STEP_ON_UNKNOWN
from idverify.services.verify import STATUS_SENTENCES
from idverify.web.pages import words
from idverify.web.pages.words import Language, translate

ROOT = Path(words.__file__).parents[3]
PLACEHOLDER = re.compile(r"%\([a-z_]+\)s")
OTHERS = [language for language in Language if language is not Language.EN]


def catalogue(language: Language) -> dict[str, str]:
    """Every message of a catalogue with its translation."""
    path = words.LOCALE / language / "LC_MESSAGES" / f"{words.DOMAIN}.po"
    with path.open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id}


def test_the_catalogues_are_those_of_the_sources() -> None:
    """The script has nothing to change, and no sentence lacks its translation."""
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "catalogues", "--check"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


@pytest.mark.parametrize("language", OTHERS)
def test_every_placeholder_is_in_the_translation(language: Language) -> None:
    """No date and no name is lost, none is asked for that is not given."""
    messages = catalogue(language)
    odd = {
        sentence: translation
        for sentence, translation in messages.items()
        if sorted(PLACEHOLDER.findall(sentence)) != sorted(PLACEHOLDER.findall(translation))
    }

    assert len(messages) > 300
    assert odd == {}


@pytest.mark.parametrize("language", OTHERS)
def test_a_sentence_stays_a_sentence(language: Language) -> None:
    """What ends in a full stop, a colon or a question mark does so in both languages."""
    messages = catalogue(language)
    ends = {sentence: (sentence[-1], said[-1]) for sentence, said in messages.items() if sentence[-1] in ".:?"}

    assert {sentence: pair for sentence, pair in ends.items() if pair[0] != pair[1]} == {}


@pytest.mark.parametrize(
    "sentence",
    [
        *(said for reasons in REASONS.values() for said in reasons.values()),
        *_NEXT_STEP_ON_FAIL.values(),
        *_NEXT_STEP_ON_UNKNOWN.values(),
        *STATUS_SENTENCES.values(),
        "There is no such code. Check every character, or ask for a new one.",
    ],
)
def test_what_the_core_and_services_say_is_translated(sentence: str) -> None:
    """Sentences that nobody marked are found all the same."""
    assert translate(Language.CY, sentence) != sentence
