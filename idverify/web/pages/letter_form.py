"""The form of a letter on paper: what it shows, in which language and size, and whether its code holds a portrait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from idverify.core.credential_type import Purpose
from idverify.core.letter_choices import LetterChoices
from idverify.errors import Unprocessable
from idverify.services.letter import NoPortrait
from idverify.services.letter_pdf import LetterFile, LetterView
from idverify.services.letter_rights import LetterCode
from idverify.web.letters import PDF, RECEIPT, file_name, receipt_name
from idverify.web.pages.act_words import LETTER_PURPOSES, TYPES
from idverify.web.pages.call import Download, PageCall
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.record_words import COPIES
from idverify.web.pages.words import N_, OWN_NAMES, Language, moment_in_words, translate

_CHOOSE: Final = N_("Choose one of the answers")
_DOCUMENT: Final = N_("Choose the document")
_HANDLE: Final = "^[0-9a-f]{32}$"
# What else can be asked for
EXTRAS: Final[Mapping[str, str]] = {
    "large": N_("Large print"),
    "portrait": N_("A small photo in the code, which is larger then"),
}
_NO_PORTRAIT: Final = N_("There is no photo on record, or this purpose shows none: leave out the small photo")
MADE: Final = {"letter": N_("The letter is ready. It stands first in the list below: print it, or download it.")}

_SLIP_HEADING: Final = N_("Collect your letter at any counter")
_SLIP_STEPS: Final = (
    N_("Take this sheet to any counter of the authority. You need no phone, no e-mail and no computer."),
    N_("Show a document with your photo, or let the counter compare you with the photo on record."),
    N_("Say in which language you want the letter, whether in large print, and what it is for."),
    N_("You get the letter at once. Whoever you show it to can check it."),
)
_SLIP_ONCE: Final = N_("The code works once, until %(moment)s.")
_SLIP_CARE: Final = N_("If you lose this sheet, tell any counter: they give you another one.")


class ChoicesForm(Form):
    """How a letter is made."""

    purpose: Annotated[Purpose, Says(N_("Choose what the letter is for"), _CHOOSE)]
    language: Annotated[Language, Says(N_("Choose the language of the letter"), _CHOOSE)]
    extras: Annotated[tuple[Literal["large", "portrait"], ...], Says(_CHOOSE, _CHOOSE)] = ()

    def choices(self, type_id: str) -> LetterChoices:
        """What the service is asked for."""
        return LetterChoices(
            type=type_id,
            purpose=self.purpose,
            language="cy" if self.language is Language.CY else "en",
            large_print="large" in self.extras,
            portrait="portrait" in self.extras,
        )


class CodeForm(Form):
    """Which document a code is for."""

    type: Annotated[str, Says(_DOCUMENT, _DOCUMENT)]


class LetterForm(ChoicesForm, CodeForm):
    """Of which document, and how; ``replaces`` is a copy of one's own that is withdrawn with it.

    The fields of the base that stands last come first, on the page and among what is missing.
    """

    replaces: Annotated[str | None, Field(pattern=_HANDLE), Says(_CHOOSE, _CHOOSE)] = None


class _BroughtCode(Form):
    code: Annotated[
        str, Field(max_length=100), Says(N_("Type the code that is on the sheet"), N_("The code is too long"))
    ]


class CollectForm(ChoicesForm, _BroughtCode):
    """The code that somebody brought, and how the letter is made."""


M = TypeVar("M", bound=ChoicesForm)


def refused(form: Filled[M], wrong: Unprocessable, field: str) -> Filled[M]:
    """The form again, with why there may be no such letter: beside the photo, if it is that, else beside ``field``."""
    if isinstance(wrong, NoPortrait):
        return form.with_error("extras", _NO_PORTRAIT)
    return form.with_error(field, wrong.detail)


@dataclass(frozen=True, slots=True)
class LetterShown:
    """A letter in words; ``title`` and ``status`` are in the catalogue, times in Unix seconds."""

    handle: str
    title: str
    status: str
    at: int
    good_until: int


@dataclass(frozen=True, slots=True)
class SlipText:
    """The sheet's words in one language."""

    language: Language
    heading: str
    document: str
    steps: tuple[str, ...]
    once: str
    care: str


def options(call: PageCall) -> dict[str, list[tuple[str, str]]]:
    """The answers that the form offers."""
    return {
        "purposes": call.choices(LETTER_PURPOSES),
        "languages": [(language.value, name) for language, name in OWN_NAMES.items()],
        "extras": call.choices(EXTRAS),
    }


def shown(letters: list[LetterView]) -> list[LetterShown]:
    """Letters as they are listed."""
    return [
        LetterShown(one.handle.hex(), TYPES[one.type], COPIES[one.status], one.created_at, one.expires_at)
        for one in letters
    ]


def download(found: LetterFile) -> Download:
    """The letter as a file."""
    return Download(file_name(found.handle), PDF, found.pdf)


def receipt(handle: bytes, proof: bytes) -> Download:
    """The receipt of a letter as a file."""
    return Download(receipt_name(handle), RECEIPT, proof)


def slip(code: LetterCode) -> list[SlipText]:
    """The sheet in both languages: whoever takes it home may read either."""
    return [_slip_text(language, code) for language in Language]


def _slip_text(language: Language, code: LetterCode) -> SlipText:
    moment = {"moment": moment_in_words(language, code.expires_at)}
    return SlipText(
        language,
        translate(language, _SLIP_HEADING),
        translate(language, TYPES[code.type]),
        tuple(translate(language, step) for step in _SLIP_STEPS),
        translate(language, _SLIP_ONCE) % moment,
        translate(language, _SLIP_CARE),
    )
