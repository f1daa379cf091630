"""A person at a browser of their own: they go to addresses, fill in forms, press buttons and read what is there.

Whatever a page does that it must not do is a fault, and a visit with faults fails: a request to anywhere but the
service, an error on the console (a violation of the Content-Security-Policy is one), an exception in a script, an
answer that is the server's own failure, and what ``examination`` finds on a page that nobody examined yet.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from playwright.async_api import Browser, ConsoleMessage, FilePayload, Locator, Page, Request, Response
from playwright.async_api import Error as PlaywrightError

from idverify.web.pages.words import Language, translate
from tests.browser.examination import Examiner
from tests.browser.security_key import SecurityKey

PATIENCE_MS: Final = 20_000
# Chromium reports an answer of 4xx to a form as an error, too; the page it carries says why
_REFUSAL: Final = "Failed to load resource: the server responded with a status of 4"


@dataclass(frozen=True, slots=True)
class Town:
    """Where visits happen: the browser, the service's origin, and who examines its pages."""

    browser: Browser
    origin: str
    examiner: Examiner


class Visitor:
    """One person, at one page, reading one language. Sentences are given in English and looked up as they read."""

    def __init__(self, page: Page, town: Town, language: Language, *, scripts: bool) -> None:
        self.page, self.language, self.origin = page, language, town.origin
        self.faults: list[str] = []
        self._keys: list[SecurityKey] = []
        self._examiner = town.examiner if scripts else None  # axe-core is a script itself
        page.on("request", self._on_request)
        page.on("response", self._on_response)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(f"exception on {page.url}: {error}"))

    def words(self, sentence: str, **values: str) -> str:
        """A sentence as this person reads it."""
        said = translate(self.language, sentence)
        return said % values if values else said

    async def go(self, path: str) -> None:
        """Type an address of the service."""
        await self.page.goto(self.origin + path)
        await self._examine()

    async def speak(self, language: Language) -> None:
        """Read every page in this language from now on."""
        self.language = language
        await self.go(f"/language/{language}?back=/")

    async def press(self, name: str, **values: str) -> None:
        """Press a button, and wait for the page that it leads to."""
        await self.use(self.page.get_by_role("button", name=self.words(name, **values), exact=True))

    async def follow(self, name: str, **values: str) -> None:
        """Follow a link, and wait for the page that it leads to."""
        await self.use(self.page.get_by_role("link", name=self.words(name, **values), exact=True))

    async def use(self, control: Locator) -> None:
        """Press or follow whatever it is, and wait for the page that it leads to."""
        await self._there(control)
        async with self.page.expect_navigation():
            await control.click()
        await self._examine()

    async def fill(self, label: str, text: str) -> None:
        """Type into a field."""
        await (await self._there(self.page.get_by_label(self.words(label), exact=True))).fill(text)

    async def choose(self, question: str, answer: str) -> None:
        """Choose one of the answers to a question."""
        answers = self.page.get_by_role("group", name=self.words(question), exact=True)
        await (await self._there(answers.get_by_label(self.words(answer), exact=True))).check()

    async def tick(self, label: str) -> None:
        """Tick a box."""
        await (await self._there(self.page.get_by_label(self.words(label), exact=True))).check()

    async def choose_file(self, label: str, name: str, content: bytes) -> None:
        """Choose a file of this computer for a field."""
        file: FilePayload = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        await (await self._there(self.page.get_by_label(self.words(label), exact=True))).set_input_files(file)

    async def date(self, question: str, date: dt.date) -> None:
        """Type a date into its three fields."""
        fields = self.page.get_by_role("group", name=self.words(question), exact=True)
        for label, part in (("Day", date.day), ("Month", date.month), ("Year", date.year)):
            await (await self._there(fields.get_by_label(self.words(label), exact=True))).fill(str(part))

    async def click(self, name: str) -> None:
        """Press a button of a script, which stays on the page."""
        await (await self._there(self.page.get_by_role("button", name=self.words(name), exact=True))).click()

    async def save(self, name: str, role: Literal["link", "button"]) -> bytes:
        """Follow a link, or press a button, that gives a file; its content."""
        control = await self._there(self.page.get_by_role(role, name=self.words(name), exact=True))
        async with self.page.expect_download() as downloading:
            await control.click()
        return (await (await downloading.value).path()).read_bytes()

    async def reads(self, sentence: str, **values: str) -> None:
        """``AssertionError`` unless the sentence is on the page."""
        said, text = " ".join(self.words(sentence, **values).split()), await self.text()
        assert said in text, f"{said!r} is not on {self.page.url}:\n{text}"

    async def text(self) -> str:
        """What the page says, with every run of white space as one space."""
        return " ".join((await self.page.locator("body").inner_text()).split())

    async def plug_in(self, key: SecurityKey) -> None:
        """Put a key into this computer; it comes out when the person leaves."""
        await key.plug_in(self.page)
        self._keys.append(key)

    async def leave(self) -> None:
        """Take the keys along."""
        for key in self._keys:
            if key.is_plugged_in:
                await key.unplug()

    async def _examine(self) -> None:
        if self._examiner is not None:
            self.faults += await self._examiner.examine(self.page, self.language)

    async def _there(self, control: Locator) -> Locator:
        """The control, once it is there. ``AssertionError`` with what is there instead."""
        try:
            await control.wait_for()
        except PlaywrightError as missing:
            raise AssertionError(f"{control} on {self.page.url}: {missing.message}\n{await self.text()}") from None
        return control

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.faults.append(f"{self.page.url} asked for {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 500:
            self.faults.append(f"{response.request.method} {response.url} was answered {response.status}")

    def _on_console(self, message: ConsoleMessage) -> None:
        refusal = message.text.startswith(_REFUSAL) and message.location["url"] == self.page.url
        if message.type in {"error", "warning"} and not refusal:
            self.faults.append(f"console on {self.page.url}: {message.text}")


@asynccontextmanager
async def visit(town: Town, language: Language = Language.EN, **context: Any) -> AsyncIterator[Visitor]:
    """A person who sits down at a fresh browser. ``AssertionError`` when they leave, if a page had faults."""
    fresh = await town.browser.new_context(locale=language.value, service_workers="block", **context)
    fresh.set_default_timeout(PATIENCE_MS)
    try:
        scripts = context.get("java_script_enabled", True)
        visitor = Visitor(await fresh.new_page(), town, language, scripts=scripts)
        try:
            yield visitor
        except BaseException as error:
            error.add_note(f"Faults until then: {visitor.faults}")
            raise
        await visitor.leave()
        assert not visitor.faults, "\n".join(visitor.faults)
    finally:
        await fresh.close()
