"""The verify page: whatever is handed over gets a verdict or a clear page, and the request on the page counts."""

from __future__ import annotations

import base64
import re
from html import unescape

import orjson
import pytest

from idverify.core.types import CREDENTIAL_TYPES
from idverify.formats import verification_receipt
from idverify.web.pages.verifying import MOST_POSTED
from tests.simulators.holder import Holding, holding, holding_with_receipt
from tests.simulators.plain_browser import PlainBrowser, Shown, Typed
from tests.unit.web.pages.conftest import People

VERIFY = "/officer/verify"
NOT_ONE: tuple[tuple[dict[str, Typed], str], ...] = (
    ({}, "Paste the document, or choose a file"),
    ({"file": b""}, "Paste the document, or choose a file"),
    ({"document": "a", "file": b"b"}, "Paste the document or choose a file, not both"),
    ({"file": (b"a", b"b")}, "Choose one file alone if it answers a request or has a receipt of its own"),
)


async def asked(officer: PlainBrowser, verify: str = VERIFY) -> tuple[Shown, dict[str, str]]:
    """The page with a request for the wallet, and the request."""
    page = await officer.fill(await officer.open(verify), f"{verify}/request")
    request: dict[str, str] = orjson.loads("{" + page.text.partition("{")[2].partition("}")[0] + "}")
    return page, request


def answer(held: Holding, request: dict[str, str]) -> bytes:
    """What the wallet prints."""
    shown = held.present(request, ["family_name", "given_name", "birthdate", "work", "permission_end"])
    printed = {"document": shown, "receipt": None, "verification_request": request["verification_request"]}
    return orjson.dumps(printed)


@pytest.mark.parametrize("way", ["document", "file"])
async def test_a_wallets_answer_is_accepted(people: People, way: str) -> None:
    """Pasted or uploaded, the answer to the request on the page is accepted, with what the holder showed."""
    held = await holding(people.served.api)
    officer = await people.staff("second")
    page, request = await asked(officer)
    given = answer(held, request)
    verdict = await officer.fill(page, VERIFY, **{way: given.decode() if way == "document" else given})
    assert verdict.status == 200
    assert verdict.heading == "Accepted"
    for said in ("SPECIMEN", "12 August 1974", "With limits"):
        assert said in verdict.text


async def test_an_organisation_sees_what_its_purpose_allows(people: People) -> None:
    """On the same page, somebody who checks the right to work is not shown the date of birth."""
    held = await holding(people.served.api)
    partner, verify = await people.staff("partner"), "/relying-party/verify"
    page, request = await asked(partner, verify)
    verdict = await partner.fill(page, verify, document=answer(held, request).decode())
    assert verdict.heading == "Accepted"
    assert "SPECIMEN" in verdict.text
    assert "1974" not in verdict.text


@pytest.mark.parametrize("kind", CREDENTIAL_TYPES)
async def test_a_wallet_is_asked_for_any_kind_of_document(people: People, kind: str) -> None:
    """The page lets the officer choose each type, and the request names it."""
    officer = await people.staff("second")
    page = await officer.open(VERIFY)
    assert f'<option value="{kind}"' in page.html
    asked_page = await officer.fill(page, f"{VERIFY}/request", type=kind)
    assert f'"type": "{kind}"' in unescape(asked_page.html)


async def test_a_kind_that_is_not_issued_here_cannot_be_asked_for(people: People) -> None:
    """Whatever else is sent as the kind is refused, with the kinds that there are."""
    officer = await people.staff("second")
    refused = await officer.fill(await officer.open(VERIFY), f"{VERIFY}/request", type="library card")
    assert refused.status == 422
    assert "urn:eudi:pid:1" in refused.text


async def test_an_answer_is_good_once(people: People) -> None:
    """The second time, the page says that the request is over and asks for a new one."""
    held = await holding(people.served.api)
    officer = await people.staff("second")
    page, request = await asked(officer)
    given = answer(held, request).decode()
    await officer.fill(page, VERIFY, document=given)
    again = await officer.fill(page, VERIFY, document=given)
    assert again.status == 400
    assert "This verification request cannot be answered any more." in again.text
    assert "verification_request" not in again.form(VERIFY).fields


async def test_the_request_on_the_page_counts(people: People) -> None:
    """An answer to another request of the same officer is not taken for the one to this."""
    held = await holding(people.served.api)
    officer = await people.staff("second")
    _, earlier = await asked(officer)
    page, _ = await asked(officer)
    verdict = await officer.fill(page, VERIFY, document=answer(held, earlier).decode())
    assert verdict.heading == "Rejected"


async def test_somebody_elses_request_answers_nothing(people: People) -> None:
    """A request that another made is as good as none."""
    held = await holding(people.served.api)
    _, request = await asked(await people.staff("partner"), "/relying-party/verify")
    officer = await people.staff("second")
    page = await officer.fill(await officer.open(VERIFY), VERIFY, document=answer(held, request).decode())
    assert page.status == 400
    assert "This verification request cannot be answered any more." in page.text


async def test_a_document_without_its_holder_is_checked_by_hand(people: People) -> None:
    """The credential itself, handed over, proves nobody: the word is to check by hand."""
    held = await holding(people.served.api)
    officer = await people.staff("second")
    verdict = await officer.fill(await officer.open(VERIFY), VERIFY, document=f"\n{held.credential}\n")
    assert verdict.heading == "Check by hand"
    assert "compare the name with a travel document" in verdict.text
    assert "compare the photo" not in verdict.text


async def test_junk_is_rejected_not_a_fault(people: People) -> None:
    """Whatever bytes a file holds, the answer is a verdict."""
    officer = await people.staff("officer")
    page = await officer.open(VERIFY)
    for junk in (b"\x00\xff\xfe", b"{" * 1000, b"%PDF-1.7", b"x" * 70_000, "\U0001f600".encode(), b"a.b.c~d~"):
        verdict = await officer.fill(page, VERIFY, file=junk)
        assert (verdict.status, verdict.heading) == (200, "Rejected"), junk


async def test_an_oversized_upload_is_a_clear_page(people: People) -> None:
    """A file over what a scan may have is not read; the page says how large it may be."""
    officer = await people.staff("officer")
    page = await officer.fill(await officer.open(VERIFY), VERIFY, file=bytes(MOST_POSTED))
    assert page.status == 413
    assert "the form says how large it may be" in page.text
    assert f"At most {MOST_POSTED // 2**20} megabytes" in (await officer.open(VERIFY)).text


async def test_one_document_at_a_time(people: People) -> None:
    """Nothing, or two things, are asked about again; a request made before stays good for the next try."""
    officer = await people.staff("officer")
    page, request = await asked(officer)
    for given, sentence in NOT_ONE:
        again = await officer.fill(page, VERIFY, **given)
        assert again.status == 400
        assert sentence in again.text
        assert again.form(VERIFY).fields["verification_request"] == request["verification_request"]


async def test_several_files_are_checked_each_by_itself(people: People) -> None:
    """A credential, bytes that are none, base64, and an answer to nobody's request: four results on one page."""
    held = await holding(people.served.api)
    officer = await people.staff("second")
    stray = orjson.dumps({"document": held.credential, "verification_request": "0" * 32})
    files = (held.credential.encode(), b"\xa2\x00\x0a", base64.b64encode(held.credential.encode()), stray)

    page = await officer.fill(await officer.open(VERIFY), VERIFY, file=files)

    assert (page.status, page.heading) == (200, "4 documents checked")
    words = re.findall(r'<h3 class="idv-verdict__word" id="verdict-\d">([^<]+)</h3>', page.html)
    assert words == ["Check by hand", "Rejected", "Check by hand"]
    assert "Document 4 of 4" in page.text
    assert "This verification request cannot be answered any more." in page.text
    assert page.html.count("<h1") == 1
    desk = await officer.open("/officer")
    assert desk.text.count("Checked a document:") == 3


async def test_several_files_in_welsh(people: People) -> None:
    """The same page, the same numbers."""
    officer = await people.staff("second", "cy")
    page = await officer.fill(await officer.open(VERIFY), VERIFY, file=(b"a", b"b"))
    assert page.heading == "Gwiriwyd 2 ddogfen"


@pytest.mark.parametrize(("who", "verify"), [("second", VERIFY), ("partner", "/relying-party/verify")])
async def test_a_signed_receipt_is_saved_from_the_page(people: People, who: str, verify: str) -> None:
    """Whoever ticks it finds the receipt below the verdict, and saves it as a file; the service keeps none."""
    visitor = await people.staff(who)
    verdict = await visitor.fill(await visitor.open(verify), verify, document="junk", signed="yes")
    receipt = verdict.form(f"{verify}/receipt").fields["receipt"]

    saved = await visitor.fill(verdict, f"{verify}/receipt")

    assert (saved.status, saved.html) == (200, receipt)
    assert saved.headers["Content-Disposition"] == 'attachment; filename="verification-receipt.jwt"'
    office = people.served.office
    word, said = verification_receipt.check(receipt.encode(), office.trust, office.clock.now())
    assert (word.verdict.value, said is not None and said["verdict"]["verdict"]) == ("accept", "reject")
    without = await visitor.fill(await visitor.open(verify), verify, document="junk")
    assert all(form.action != f"{verify}/receipt" for form in without.forms)


async def test_only_what_was_signed_here_becomes_a_file(people: People) -> None:
    """A page of somebody else's cannot have this service hand out what they wrote."""
    officer = await people.staff("second")
    verdict = await officer.fill(await officer.open(VERIFY), VERIFY, document="junk", signed="yes")
    receipt = verdict.form(f"{VERIFY}/receipt").fields["receipt"]

    for forged in ("<script>", receipt[:-6] + "AAAAAA", "a.b.c", "\U0001f600", "x" * 60_000):
        assert (await officer.fill(verdict, f"{VERIFY}/receipt", receipt=forged)).status == 400
    assert (await officer.fill(verdict, f"{VERIFY}/receipt", receipt="")).heading == "Check a document"
    assert (await officer.open(f"{VERIFY}/receipt")).heading == "Check a document"


async def test_a_check_is_in_the_history_of_the_shift(people: People) -> None:
    """What was checked and what came out stands on the officer's desk, without whom it was about."""
    held = await holding(people.served.api)
    officer = await people.staff("second")
    await officer.fill(await officer.open(VERIFY), VERIFY, document=held.credential)
    desk = await officer.open("/officer")
    assert "Checked a document: Check by hand" in desk.text
    assert "SPECIMEN" not in desk.text


async def test_a_verdict_says_why_a_document_was_withdrawn(people: People) -> None:
    """After two officers revoked, the one sentence that matters names the day and the reason."""
    held = await holding(people.served.api)
    revoked = {"kind": "revoke", "reason": "fraud-found", "legal_basis": "Rules, part 9"}
    api = people.served.api
    made = await api.ok("POST", f"/api/v1/people/{held.person}/decisions", "officer", revoked)
    await api.ok("POST", f"/api/v1/proposals/{made['proposal']}/approval", "second")
    officer = people.browser("cy")
    await officer.enrol(await people.invite_officer("Vera Verifier"))
    verdict = await officer.fill(await officer.open(VERIFY), VERIFY, document=held.credential)
    assert verdict.heading == "Gwrthodwyd"
    assert "Diddymwyd ar" in verdict.text
    assert "Fe'i cafwyd trwy ddatganiad neu ddogfen ffug." in verdict.text
    assert "SPECIMEN" not in verdict.text


@pytest.mark.parametrize(("whose", "said"), [("its own", "Check by hand"), ("another's", "Rejected")])
async def test_a_receipt_as_a_file_of_its_own(people: People, whose: str, said: str) -> None:
    """Document and receipt, downloaded apart, are handed over together; the receipt of another document rejects it."""
    held, other = await holding_with_receipt(people.served), await holding_with_receipt(people.served)
    officer = await people.staff("second")
    receipt = (held if whose == "its own" else other).answer["receipt"].encode()
    verdict = await officer.fill(await officer.open(VERIFY), VERIFY, file=held.credential.encode(), receipt=receipt)
    assert verdict.heading == said
    assert ("stands on the issuer's public ledger" in verdict.text) is (whose == "its own")
