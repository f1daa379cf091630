"""A browser without JavaScript in memory, and a security key beside it: it opens pages, fills in forms, sends them.

Where a page asks for a security key, ``confirm`` does what ``static/ceremony.js`` does in a real browser.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any

from aiohttp import ClientResponse, ClientSession, FormData

from idverify.auth.software_key import SoftwareKey

_CHOICES = {"radio", "checkbox", "file"}
_VOID = {"input", "meta", "link", "br", "hr", "img", "path", "circle"}
Typed = str | bytes | tuple[str, ...] | tuple[bytes, ...]
Fields = Mapping[str, Typed]


@dataclass
class Sheet:
    """A form: where it goes, and what it holds before anybody types."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    files: bool = False


@dataclass
class Shown:
    """A page as it was answered: status, headers, HTML, and what a reader finds in it."""

    status: int
    headers: Mapping[str, str]
    html: str
    path: str
    heading: str = ""
    text: str = ""
    forms: list[Sheet] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ceremony: dict[str, Any] | None = None

    def form(self, action: str) -> Sheet:
        """The form that goes to this path."""
        return next(form for form in self.forms if form.action == action)


class _Reader(HTMLParser):
    """Finds forms, links, the heading, the text, and the ceremony's script."""

    def __init__(self, shown: Shown) -> None:
        super().__init__()
        self.shown, self._inside, self._said = shown, [], []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._inside.append((tag, given.get("id", "")))
        if tag == "form":
            self.shown.forms.append(Sheet(given.get("action", self.shown.path), files="enctype" in given))
        elif tag == "a":
            self.shown.links.append(given.get("href", ""))
        elif tag == "input" and "name" in given and (given.get("type") not in _CHOICES or "checked" in given):
            self.shown.forms[-1].fields[given["name"]] = given.get("value", "")
        if tag in _VOID:
            self._inside.pop()

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag, id_ = self._inside[-1] if self._inside else ("", "")
        if id_ == "ceremony":
            self.shown.ceremony = json.loads(data)
        elif tag != "script" and data.strip():
            self._said.append(" ".join(data.split()))
            if any(inside[0] == "h1" for inside in self._inside):
                self.shown.heading = f"{self.shown.heading} {data.strip()}".strip()
        self.shown.text = " ".join(self._said)


class PlainBrowser:
    """One person's browser, with their cookies and their security key."""

    def __init__(self, session: ClientSession, origin: str, language: str = "en") -> None:
        self.origin, self.key = origin, SoftwareKey()
        self.cookies: dict[str, str] = {}
        self.headers = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": language}
        self._session = session

    async def open(self, path: str, **headers: str) -> Shown:
        """Go to an address, and on to where it leads."""
        return await self._visit("GET", path, headers)

    async def send(self, path: str, fields: Fields, **headers: str) -> Shown:
        """Send a form with these fields; ``bytes`` are files. Headers: underscores stand for hyphens."""
        typed = [(name, one) for name, value in fields.items() for one in (value if type(value) is tuple else (value,))]
        form = FormData(default_to_multipart=any(isinstance(one, bytes) for _, one in typed))
        for name, one in typed:
            if isinstance(one, bytes):
                form.add_field(name, io.BytesIO(one), filename="chosen", content_type="application/octet-stream")
            else:
                form.add_field(name, one)
        sent = {"Origin": self.origin, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await self._visit("POST", path, sent, form)

    async def fill(self, page: Shown, action: str, **typed: Typed) -> Shown:
        """Fill in the form on a page that goes to ``action``, and send it. In names, ``__`` stands for a hyphen."""
        answers = {name.replace("__", "-"): value for name, value in typed.items()}
        return await self.send(action, {**page.form(action).fields, **answers})

    async def confirm(self, page: Shown, key: SoftwareKey | None = None, **changed: str) -> Shown:
        """Answer the page's ceremony with a security key and send the form; ``changed`` are fields tampered with."""
        assert page.ceremony is not None, page.text
        form = next(form for form in page.forms if "ceremony" in form.fields)
        return await self.send(form.action, {**form.fields, **self.answered(page, key), **changed})

    def answered(self, page: Shown, key: SoftwareKey | None = None) -> dict[str, str]:
        """What ``ceremony.js`` puts into the form."""
        assert page.ceremony is not None, page.text
        asked = self.key if key is None else key
        act = asked.create if page.ceremony["kind"] == "create" else asked.get
        return {"response": json.dumps(act(page.ceremony["public_key"], self.origin)), "browser_error": ""}

    async def enrol(self, code: str, **typed: str) -> Shown:
        """Register the key with a one-time code, with a name where it is asked for; the desk."""
        page = await self.open(f"/enrol/{code}")
        if page.ceremony is None:
            page = await self.fill(page, "/enrol/key", **typed)
        return await self.confirm(page)

    async def sign_in(self) -> Shown:
        """Sign in with the key; the desk."""
        return await self.confirm(await self.open("/sign-in"))

    async def _visit(self, method: str, path: str, headers: Mapping[str, str], form: FormData | None = None) -> Shown:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {**self.headers, **headers, **({"Cookie": cookie} if cookie else {})}
        async with self._session.request(
            method, self.origin + path, data=form, headers=sent, allow_redirects=False
        ) as response:
            self._keep_cookies(response)
            if response.status == 303:
                return await self.open(response.headers["Location"])
            return _read(response, path, await response.text())

    def _keep_cookies(self, response: ClientResponse) -> None:
        for line in response.headers.getall("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


def _read(response: ClientResponse, path: str, html: str) -> Shown:
    shown = Shown(response.status, response.headers, html, path)
    if response.content_type == "text/html":
        _Reader(shown).feed(html)
    return shown
