"""``ports.Letterhead``: what the template of a letter or a receipt is given, and which lines state a letter's claims.

The environment, the catalogue and the labels are those of the pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import PackageLoader

from idverify.core.letter import Direction, LetterContent, Line, direction, printed
from idverify.core.printed_receipt import PrintedReceipt
from idverify.core.verdict import verdict_of
from idverify.formats.verification_receipt import FILE_NAME
from idverify.web.letter.receipt_words import facts
from idverify.web.pages.render import environment
from idverify.web.pages.said import Said, said
from idverify.web.pages.verdict_words import checks_in_words, headline
from idverify.web.pages.words import Language, date_in_words, translate

_DIRECTIONS: Final[Mapping[Language, Direction]] = {Language.EN: "ltr", Language.CY: "ltr"}
CODE_MM: Final = 45
"""How wide a code without a portrait is on paper, with its quiet zone."""

CODE_WITH_PORTRAIT_MM: Final = 76
"""Of one with a portrait: so many modules need so much room to be read from a scan."""


class PrintedLetterhead:
    """The templates, compiled once and kept."""

    def __init__(self) -> None:
        loader = PackageLoader("idverify.web.letter")
        self._environments = {language: environment(language, loader) for language in Language}
        for each in self._environments.values():
            each.filters |= {"printed": printed, "direction": direction}

    def html(self, content: LetterContent) -> str:
        """The letter. Its pictures are ``picture:code`` and, with a photo, ``picture:portrait``."""
        language = Language(content.language)
        template = self._environments[language].get_template(f"{content.template}.html")
        return template.render(
            letter=content,
            lines=self.lines(content.claims, content.language),
            language=language,
            base=_DIRECTIONS[language],
            code_mm=CODE_WITH_PORTRAIT_MM if content.portrait_in_code else CODE_MM,
        )

    def receipt(self, content: PrintedReceipt) -> str:
        """The sheet of a verification receipt. There is no picture on it."""
        language, verdict = Language(content.language), verdict_of(content.said["verdict"])
        word, sentence = headline(language, verdict)
        return (
            self._environments[language]
            .get_template("verification_receipt.html")
            .render(
                receipt=content,
                facts=tuple(facts(content.said, language)),
                attached=FILE_NAME,
                word=word,
                sentence=sentence,
                next_step=verdict.next_step,
                checks=checks_in_words(language, verdict),
                language=language,
                base=_DIRECTIONS[language],
            )
        )

    def lines(self, claims: Mapping[str, Any], language: str) -> tuple[Line, ...]:
        """The claims as they are printed, in the order in which they stand on the letter."""
        spoken = Language(language)
        return tuple(_line(line, spoken) for line in said(claims))


def _line(line: Said, language: Language) -> Line:
    if line.translated:
        value = translate(language, line.value)
    elif line.is_date:
        value = _date(line.value, language)
    else:
        value = line.value
    return Line(printed(translate(language, line.label)), printed(value))


def _date(value: str, language: Language) -> str:
    """In words. A letter that claims to be ours is read with this too: what is no date stands as it is."""
    try:
        return date_in_words(language, value)
    except ValueError:
        return value
