"""The field for files: dropped on, several at once, of any kind; and the receipt that is saved from the verdict."""

from __future__ import annotations

import base64

from idverify.core.trust import TrustStore
from idverify.formats import verification_receipt
from idverify.web.pages.words import Language
from tests.browser.conftest import Newcomer
from tests.browser.people import Person, sign_in
from tests.browser.visitor import Visitor
from tests.simulators.printed_letters import attached

# What a person does who drags files from a folder: the browser hands them to the field below the pointer
_DROP = """(field, files) => {
    const carried = new DataTransfer();
    for (const [name, text] of files) {
        const bytes = Uint8Array.from(atob(text), character => character.charCodeAt(0));
        carried.items.add(new File([bytes], name));
    }
    field.files = carried.files;
}"""
FILES = {"mdoc.cbor": b"\xa2\x00\xff\n", "letter.txt": b"eyJ.eyJ.sig~\n", "photo": bytes(range(256))}


async def _officer(newcomer: Newcomer, olive: Person) -> Visitor:
    officer = await newcomer()
    await sign_in(officer, olive.key)
    await officer.go("/officer/verify")
    return officer


async def test_several_files_are_dropped(newcomer: Newcomer, olive: Person) -> None:
    """Each has its verdict, in the officer's language; the list at the top leads to each."""
    officer = await _officer(newcomer, olive)
    dropped = [[name, base64.b64encode(content).decode()] for name, content in FILES.items()]
    for language in Language:
        await officer.speak(language)
        await officer.go("/officer/verify")
        await officer.page.locator("#file").evaluate(_DROP, dropped)
        await officer.press("Check")
        await officer.reads("%(number)s documents checked", number="3")
        await officer.reads("Document %(number)s of %(all)s", number="3", all="3")
        assert await officer.page.locator(".idv-verdict__word").count() == 3


async def test_by_keyboard_alone(newcomer: Newcomer, olive: Person) -> None:
    """From the text on: Tab leads to the files, to the tick for a receipt and to the button, in this order."""
    officer = await _officer(newcomer, olive)
    page = officer.page
    await page.locator("#document").focus()
    await page.keyboard.type("eyJ.eyJ.sig~")
    places = []
    for _ in range(4):
        await page.keyboard.press("Tab")
        places.append(await page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert places == ["file", "receipt", "signed", "Check"]
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await officer.reads("Rejected")
    await officer.reads("Save the signed receipt")


async def test_a_receipt_is_saved(newcomer: Newcomer, olive: Person) -> None:
    """As a file of its own name, which is a receipt; also without JavaScript."""
    elsewhere = await _officer(newcomer, olive)
    officer = await newcomer(java_script_enabled=False)
    await officer.page.context.add_cookies(await elsewhere.page.context.cookies())
    await officer.go("/officer/verify")
    await officer.fill("Paste the document or the wallet's answer", "eyJ.eyJ.sig~")
    await officer.page.get_by_label("Make a signed receipt of this check").check()
    await officer.press("Check")
    async with officer.page.expect_download() as saving:
        await officer.page.get_by_role("button", name="Save the signed receipt").click()
    saved = await saving.value
    assert saved.suggested_filename == "verification-receipt.jwt"
    content = (await saved.path()).read_bytes()
    await elsewhere.go("/officer/verify")
    await elsewhere.fill("Paste the document or the wallet's answer", "eyJ.eyJ.sig~")
    await elsewhere.page.get_by_label("Make a signed receipt of this check").check()
    await elsewhere.press("Check")
    async with officer.page.expect_download() as printing, elsewhere.page.expect_download() as with_script:
        await officer.page.get_by_role("button", name="Save the receipt to print (PDF)").click()
        await elsewhere.page.get_by_role("button", name="Save the receipt to print (PDF)").click()
    for printed in (await printing.value, await with_script.value):
        assert printed.suggested_filename.startswith("verification-receipt-")
        pdf = (await printed.path()).read_bytes()
        assert attached(pdf).keys() == {"verification-receipt.jwt"}
    assert attached((await (await printing.value).path()).read_bytes())["verification-receipt.jwt"] == content
    verdict, _ = verification_receipt.check(content, TrustStore({}), 2**40)
    held = {check.id.value: check.result.value for check in verdict.checks}
    assert (held["format"], held["signature"], held["issuer_trusted"]) == ("pass", "pass", "fail")
