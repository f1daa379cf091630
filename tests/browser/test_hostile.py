"""What a browser can be made to send: other sites' forms, forms changed on the way, files that are none."""

from __future__ import annotations

import html
import os

import pytest
from playwright.async_api import Page

from idverify.web.pages.verifying import MOST_POSTED
from tests.browser import desks
from tests.browser.conftest import Newcomer
from tests.browser.desks import Subject
from tests.browser.people import Person, confirm, sign_in
from tests.browser.stranger import stranger

NOTHING_DONE = "Nothing was done, to keep you safe"
FILES = (
    ("noise.bin", os.urandom(4096), "Rejected"),
    ("empty.txt", b"", "Paste the document, or choose a file"),
    ("large.txt", b"a" * (MOST_POSTED + 1), "This is too large"),
    ('..\\..\\"; rm -rf ~ #<script>alert(1)</script>\u202etxt.exe', b"eyJ.eyJ.sig~", "Rejected"),
    ("nul\x00\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>", b"eyJ.eyJ.sig~", "Rejected"),
    ("json.txt", b'{"document": {"document": 1}, "verification_request": 5}', "Rejected"),
)


@pytest.mark.parametrize("field", ["legal_basis", "reason"])
async def test_an_act_that_was_swapped_after_it_was_shown_is_refused(
    newcomer: Newcomer, olive: Person, field: str
) -> None:
    """The key signs what the page said; a form that says something else by then does nothing."""
    officer, subject = await newcomer(), Subject("SWAPPED", field.upper().replace("_", " "), f"SW{len(field)}")
    await sign_in(officer, olive.key)
    await desks.record(officer, subject)
    await desks.grant(officer)
    await officer.page.locator(f"input[name={field}]").evaluate(
        "(input, value) => { input.value = value }", "appeal-allowed"
    )
    await confirm(officer)
    await officer.reads("What was sent is not the act that was to be confirmed. Nothing was done; start again.")
    await desks.find(officer, subject)
    await officer.reads("No permission was ever granted.")


async def test_a_confirmation_does_not_serve_another_act(newcomer: Newcomer, olive: Person) -> None:
    """The key's signature over one act, sent with the form of another, does nothing."""
    officer, subject = await newcomer(), Subject("LENT", "SIGNATURE", "LS1")
    await sign_in(officer, olive.key)
    await desks.record(officer, subject)
    path = officer.page.url.removeprefix(officer.origin)
    await desks.grant(officer)
    form = officer.page.locator("#ceremony-form")
    await form.evaluate("(form, action) => { form.action = action }", f"{path}/enrolment")
    for name in await form.locator("input").evaluate_all("inputs => inputs.map(input => input.name)"):
        if name not in {"csrf", "ceremony", "response", "browser_error"}:
            await form.locator(f"input[name={name}]").evaluate("input => input.remove()")
    await confirm(officer)
    await officer.reads("What was sent is not the act that was to be confirmed. Nothing was done; start again.")


@pytest.mark.parametrize(
    ("host", "answer"),
    [("localhost", NOTHING_DONE), ("127.0.0.1", "Sign in with your security key")],
    ids=["same site, other origin", "other site"],
)
async def test_a_form_on_another_site_does_nothing(newcomer: Newcomer, olive: Person, host: str, answer: str) -> None:
    """With a page of the same site the cookie comes along, and is not enough; with another site's it does not come."""
    officer = await newcomer()
    await sign_in(officer, olive.key)
    csrf = await officer.page.locator("input[name=csrf]").first.input_value()
    forged = f"""<form method="post" action="{officer.origin}/account/sign-out-everywhere">
        <input name="csrf" value="{html.escape(csrf)}"><button>Win a prize</button></form>"""
    async with stranger(forged, host) as elsewhere:
        victim = await officer.page.context.new_page()
        await _win_a_prize(victim, elsewhere)
        said = await victim.locator("body").inner_text()
    assert answer in said
    await officer.go("/officer")
    await officer.reads("Since you signed in")


async def test_a_form_without_the_sessions_token_does_nothing(newcomer: Newcomer, olive: Person) -> None:
    """A form that stayed open while somebody else signed in at the same browser is not theirs."""
    officer = await newcomer()
    await sign_in(officer, olive.key)
    await officer.go("/account/keys")
    await officer.page.locator("main input[name=csrf]").evaluate_all(
        "inputs => { for (const input of inputs) input.value = 'A'.repeat(43) }"
    )
    await officer.press("Sign out everywhere")
    await officer.reads(NOTHING_DONE)
    await officer.go("/officer")
    await officer.reads("Since you signed in")


async def test_our_pages_cannot_be_framed(newcomer: Newcomer) -> None:
    """Nobody lays our buttons under their own."""
    visitor = await newcomer()
    async with stranger(f'<iframe src="{visitor.origin}/sign-in"></iframe>') as elsewhere:
        page = await visitor.page.context.new_page()
        await page.goto(elsewhere)
        [framed] = page.main_frame.child_frames
        assert await framed.get_by_role("button").count() == 0


async def test_any_file_gets_an_answer(newcomer: Newcomer, olive: Person) -> None:
    """A verdict or a clear sentence, whatever was dropped and whatever it is called; its name is shown nowhere."""
    officer = await newcomer()
    await sign_in(officer, olive.key)
    for name, content, answer in FILES:
        await officer.go("/officer/verify")
        await officer.choose_file("Or choose files", name, content)
        await officer.press("Check")
        await officer.reads(answer)
        assert "alert(1)" not in await officer.page.content()


async def test_markup_in_a_name_is_text(newcomer: Newcomer, olive: Person) -> None:
    """What somebody is called is shown as it is written, on every page that shows it."""
    officer, subject = await newcomer(), Subject("<img src=x onerror=alert(1)>", "{{7*7}}%(day)s", "MARKUP1")
    await sign_in(officer, olive.key)
    await desks.record(officer, subject)
    await officer.reads(subject.family_name)
    await officer.reads(subject.given_name)
    await desks.open_grant(officer)
    await officer.reads(subject.family_name)


async def _win_a_prize(victim: Page, elsewhere: str) -> None:
    await victim.goto(elsewhere)
    async with victim.expect_navigation():
        await victim.get_by_role("button").click()
