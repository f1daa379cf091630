"""One visit of a page, as its handler sees it, and what a handler may answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from aiohttp import web

from idverify.core.policy import Principal
from idverify.services.ceremonies import Given
from idverify.services.office import Office
from idverify.services.sessions import Opened
from idverify.web.form_body import Posted
from idverify.web.pages.explanation import Explanation
from idverify.web.pages.forms import Filled, Form, fill
from idverify.web.pages.render import Html, Renderer
from idverify.web.pages.words import Language, translate


@dataclass(frozen=True, slots=True)
class Around:
    """What every page of this application shares. ``readable`` holds the paths that a browser can simply open."""

    renderer: Renderer
    demo: bool
    readable: frozenset[str]


AROUND: Final = web.AppKey("around", Around)
M = TypeVar("M", bound=Form)


@dataclass(frozen=True, slots=True)
class PageCall:
    """One visit.

    ``given`` is a security key's answer that came with the form, for the service that asks for it. ``trouble`` says
    why there is none although the visitor tried: the page shows it above the ceremony, which begins anew.
    """

    office: Office
    request: web.Request
    language: Language
    principal: Principal | None = None
    token: str | None = field(default=None, repr=False)
    csrf_token: str = field(default="", repr=False)
    posted: Posted = field(default_factory=Posted, repr=False)
    given: Given | None = field(default=None, repr=False)
    trouble: Explanation | None = None

    @property
    def on_shared_computer(self) -> bool:
        """Whether the visitor's session is one on a computer that others use too."""
        signed_in = None if self.principal is None else self.principal.signed_in
        return signed_in is not None and signed_in.shared_computer

    @property
    def caller(self) -> Principal:
        """The principal of a page that is for people who are signed in."""
        assert self.principal is not None
        return self.principal

    def handle(self, name: str) -> bytes:
        """A 128-bit handle from the path; the route's pattern has checked its form."""
        return bytes.fromhex(self.request.match_info[name])

    def read(self, form: type[M]) -> Filled[M]:
        """What was posted, read as this form."""
        return fill(form, self.posted)

    def done(self, table: Mapping[str, str]) -> str | None:
        """What the visitor was sent here to read: the sentence, in the catalogue, of what they have just done."""
        return table.get(self.request.query.get("done", ""))

    def translate(self, sentence: str) -> str:
        """A sentence of the catalogue in the visitor's language, where a template cannot do it."""
        return translate(self.language, sentence)

    def choices(self, table: Mapping[Any, str]) -> list[tuple[str, str]]:
        """A table of the catalogue's sentences as the pairs that radios and selects take, in the visitor's language."""
        return [(str(value), self.translate(sentence)) for value, sentence in table.items()]

    def carrying(self, name: str, value: str) -> PageCall:
        """The visit with one more field, which comes back with whatever form is shown of it."""
        others = (field for field in self.posted.fields if field[0] != name)
        return replace(self, posted=replace(self.posted, fields=(*others, (name, value))))

    def ceremony_page(self, template: str, context: Mapping[str, Any]) -> Html:
        """A page with a ceremony on it, and above it what went wrong the last time."""
        status = 200 if self.trouble is None else self.trouble.status
        return Html(template, {**context, "trouble": self.trouble}, status)


@dataclass(frozen=True, slots=True)
class Redirect:
    """See another page (303). ``opened`` gives the browser a session, ``signed_out`` takes it away."""

    path: str
    opened: Opened | None = None
    signed_out: bool = False


@dataclass(frozen=True, slots=True)
class Download:
    """A file to keep. ``file_name`` is ours: plain ASCII. ``body`` may come piece by piece, as it is made."""

    file_name: str
    content_type: str
    body: bytes | AsyncIterator[bytes] = field(repr=False)


Answer = Html | Redirect | Download
