"""HTML from templates: one environment per language, the frame that every page has, and its headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from jinja2 import (
    BytecodeCache,
    ChainableUndefined,
    Environment,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    Undefined,
)
from jinja2.bccache import Bucket
from jinja2.loaders import BaseLoader, ChoiceLoader
from jinja2.utils import missing

from idverify.core.policy import Principal, Role
from idverify.web.pages import widgets, words
from idverify.web.pages.words import Language

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "text/html; charset=utf-8",
    # what one person was shown, the next at the same computer must not find with the back button
    "Cache-Control": "no-store",
    # no-referrer would make browsers send "Origin: null" with our own forms (Fetch Standard)
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "publickey-credentials-create=(self), publickey-credentials-get=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Html:
    """A page to be rendered. ``connects``: its script talks to the service, as the wallet's does."""

    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    connects: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """What every template sees as ``page``. ``path`` is its own; ``back`` is where the language switch returns to."""

    language: Language
    name: str
    demo: bool
    path: str
    back: str
    principal: Principal | None = None
    csrf: str = ""

    @property
    def who(self) -> str | None:
        """The name of whoever is signed in. Citizens have none here: theirs rests sealed."""
        return None if self.principal is None or self.principal.role is Role.CITIZEN else self.principal.actor

    @property
    def other_languages(self) -> list[tuple[Language, str]]:
        """The languages to switch to, each with its own name."""
        return [(language, name) for language, name in words.OWN_NAMES.items() if language is not self.language]


class Renderer:
    """The templates, compiled once and kept. ``asset`` gives the address of a style sheet or script by its name."""

    def __init__(self, asset: Callable[[str], str]) -> None:
        self._environments = {language: environment(language, _TEMPLATES) for language in Language}
        for each in self._environments.values():
            # GOV.UK's macros, written for Nunjucks, use the last two names of JavaScript
            each.globals |= {"asset": asset, "null": None, "undefined": ChainableUndefined()}

    def compile_all(self) -> None:
        """Compile every template now, which takes about a second, rather than each with its first visitor."""
        for environment in self._environments.values():
            for name in environment.list_templates(extensions=["html"]):
                environment.get_template(name)

    def render(self, page: Html, frame: Frame) -> str:
        """The HTML of a page."""
        template = self._environments[frame.language].get_template(page.template)
        return template.render(page.context, page=frame, failed=page.status >= 400)

    def respond(self, page: Html, frame: Frame) -> web.Response:
        """The page with the headers that every page carries."""
        policy = f"{_POLICY}; connect-src 'self'" if page.connects else _POLICY
        headers = {**HEADERS, "Content-Language": frame.language, "Content-Security-Policy": policy}
        return web.Response(body=self.render(page, frame).encode(), status=page.status, headers=headers)


def environment(language: Language, templates: BaseLoader) -> Environment:
    """Where templates speak a language: everything is escaped, ``_`` translates, dates are in words."""
    made = Environment(
        loader=templates,
        autoescape=True,
        undefined=_Undefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_COMPILED,
    )
    widgets.install(made, language)
    return made


class _Undefined(Undefined):
    """A name that was never passed is a mistake; a parameter that a GOV.UK macro was not given is none."""

    def __new__(  # type: ignore[misc]
        cls, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = None
    ) -> Undefined:
        # ``caller``: a macro that may be used with {% call %} or without
        lenient = name in (None, "caller") or isinstance(obj, dict | Undefined)
        kind = ChainableUndefined if lenient else StrictUndefined
        return kind(hint, obj, name) if exc is None else kind(hint, obj, name, exc)


class _Compiled(BytecodeCache):
    """Compiled templates in memory: no language and no application of this process compiles them again."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take the code of a template that was compiled already."""
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template."""
        self._code[bucket.key] = bucket.bytecode_to_string()


_COMPILED: Final = _Compiled()
_TEMPLATES: Final = ChoiceLoader(
    [
        PackageLoader("idverify.web.pages"),
        PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")}),
    ]
)
