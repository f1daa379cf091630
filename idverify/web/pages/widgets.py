"""Filters for templates, and ``_``: what GOV.UK's macros take as dictionaries, made of what ours hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from idverify.web.pages import words
from idverify.web.pages.desks import DESKS
from idverify.web.pages.forms import Filled
from idverify.web.pages.words import Language

Item = dict[str, Any]


def install(environment: Environment, language: Language) -> None:
    """Give an environment ``_`` and the filters, in its language."""
    environment.globals["_"] = partial(gettext, language)
    environment.filters |= {
        "date": partial(words.date_in_words, language),
        "day": partial(words.day_in_words, language),
        "moment": partial(words.moment_in_words, language),
        "say": partial(say, language),
        "error_of": partial(error_of, language),
        "options_of": options_of,
        "navigation": partial(navigation, language),
    }


def gettext(language: Language, sentence: str, **values: object) -> Markup:
    """``_("Since %(day)s", day=...)``: the sentence and what is put into it, both escaped.

    Jinja's own i18n extension marks whatever it is given as safe; here a document may speak through a variable.
    """
    said = escape(words.translate(language, sentence))
    return said % values if values else said


def say(language: Language, sentence: str) -> str | Markup:
    """A sentence from the services in the reader's language, or marked as English where the catalogue has none."""
    said = words.translate(language, sentence)
    if language is Language.EN or said != sentence:
        return said
    return Markup('<span lang="en">{}</span>').format(sentence)


def error_of(language: Language, form: Filled[Any], name: str) -> Item | None:
    """A field's ``errorMessage``."""
    sentence = form.errors.get(name)
    if sentence is None:
        return None
    hidden = words.translate(language, words.N_("Error"))
    return {"text": words.translate(language, sentence), "visuallyHiddenText": hidden}


def options_of(choices: Mapping[str, str] | Iterable[tuple[str, str]]) -> list[Item]:
    """``items`` of radios, checkboxes and selects, of pairs of value and text."""
    pairs = choices.items() if isinstance(choices, Mapping) else choices
    return [{"value": value, "text": text} for value, text in pairs]


def navigation(language: Language, frame: Any) -> list[Item]:
    """The ``navigation`` of the visitor's desk."""
    return [
        {"href": path, "text": words.translate(language, text), "current": frame.back == path}
        for path, text in DESKS[frame.principal.role]
    ]
