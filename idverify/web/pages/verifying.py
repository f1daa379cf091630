"""The verify page of officers and of organisations: paste or upload, ask the person's wallet, read the verdict.

What the asker may learn follows from who they are (``services.check``); the page is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import orjson
from pydantic import ConfigDict

from idverify.core.types import CREDENTIAL_TYPES
from idverify.errors import ClientError, Conflict, DocumentError, Gone, MalformedRequest, NotFound
from idverify.formats.handed_over import HandedOver, handed_over
from idverify.formats.verification_receipt import FILE_NAME, MAX_RECEIPT
from idverify.services import check as service
from idverify.services import present, receipt_pdf, verification_receipts
from idverify.services.looks import Answer
from idverify.web import submission
from idverify.web.body import MAX_BODY
from idverify.web.letters import PDF
from idverify.web.pages.act_words import TYPES
from idverify.web.pages.call import Download, PageCall, Redirect
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.render import Html
from idverify.web.pages.verdict_words import in_words
from idverify.web.pages.words import N_
from idverify.web.verify import file_name

# What follows a verify page's own path where the wallet is asked first
REQUEST: Final = "/request"
# And where its receipt is kept as a file
RECEIPT: Final = "/receipt"
RECEIPT_PDF: Final = RECEIPT + "/pdf"
MOST_POSTED: Final = submission.MAX_BODY
_NOTHING: Final = N_("Paste the document, or choose a file")
_CHOOSE: Final = N_("Choose the document")
_BOTH: Final = N_("Paste the document or choose a file, not both")
_ONE: Final = N_("Choose one file alone if it answers a request or has a receipt of its own")
_NOT_OURS: Final = N_("This verification request cannot be answered any more. Make a new one.")


class VerifyForm(Form):
    """A pasted document, and the request that it answers if the wallet was asked. A file may take its place."""

    model_config = ConfigDict(str_max_length=MAX_BODY)

    document: Annotated[str | None, Says(_NOTHING, _NOTHING)] = None
    verification_request: Annotated[str | None, Field(pattern=r"^[0-9a-f]{32}$"), Says(_NOT_OURS, _NOT_OURS)] = None
    signed: Annotated[Literal["yes"] | None, Says(_NOTHING, _NOTHING)] = None


class AskForm(Form):
    """Which document the wallet is asked for; without one the first that is offered."""

    type: Annotated[str | None, Says(_CHOOSE, _CHOOSE)] = None


class ReceiptForm(Form):
    """The receipt that stands on a verdict's page."""

    model_config = ConfigDict(str_max_length=MAX_RECEIPT)

    receipt: Annotated[str, Says(_NOTHING, _NOTHING)]


async def ask(call: PageCall) -> Html:
    """Ask for the document."""
    return _form(call, Filled[VerifyForm]())


async def ask_wallet(call: PageCall) -> Html:
    """Make a verification request for the person's wallet, and ask for its answer."""
    form = call.read(AskForm)
    wanted = (form.model and form.model.type) or _kinds(call)[0]
    made = await present.request_presentation(call.office, call.caller, wanted)
    handle = made.handle.hex()
    asked = {"verification_request": handle, "type": made.type, "nonce": made.nonce, "audience": made.audience}
    if call.caller.purpose is not None:  # from which a wallet sees what there is a need to show
        asked["purpose"] = call.caller.purpose.value
    text = orjson.dumps(asked, option=orjson.OPT_INDENT_2).decode()
    return _form(call, Filled[VerifyForm](), handle, {"text": text, "expires_at": made.expires_at})


async def check(call: PageCall) -> Html:
    """The verdict; of several files, a verdict on each."""
    form = call.read(VerifyForm)
    given = _given(form, call.posted.all_files("file"), call.posted.file("receipt"))
    if form.model is None or isinstance(given, str):
        wrong = form.with_error("document", given) if isinstance(given, str) else form
        return _form(call, wrong, form.typed.text("verification_request"))
    # The request on the page counts, not one that the answer names: somebody else may have been asked that.
    on_page = form.model.verification_request
    if on_page is not None:
        given = [replace(given[0], request=bytes.fromhex(on_page))]
    wishes = service.Wishes(receipt=bool(form.model.signed))
    answers = await service.check_all(call.office, call.caller, given, wishes)
    if len(answers) > 1:
        return _several(call, answers)
    (answer,) = answers
    if isinstance(answer, NotFound | Conflict | Gone):
        return _form(call, form.with_error("document", _NOT_OURS))
    if isinstance(answer, ClientError):
        raise answer
    context = {"verdict": in_words(call.language, answer), "receipt": _receipt(answer), **_paths(call)}
    return Html("verifying/verdict.html", context)


def _several(call: PageCall, answers: Sequence[Answer | ClientError]) -> Html:
    """What each file is, in their order; one that answers a request of nobody's says so."""
    shown = [
        {"refused": _NOT_OURS}
        if isinstance(answer, ClientError)
        else {"verdict": in_words(call.language, answer), "receipt": _receipt(answer)}
        for answer in answers
    ]
    return Html("verifying/verdicts.html", {"shown": shown, **_paths(call)})


def _receipt(answer: Answer) -> str:
    return "" if answer.receipt is None else answer.receipt.decode()


def _paths(call: PageCall) -> dict[str, str]:
    path = _path(call)
    return {"again": path, "download": path + RECEIPT}


async def download_receipt(call: PageCall) -> Download | Redirect:
    """The receipt that stands on a verdict's page, as a file: nothing but what this service signed becomes one."""
    form = call.read(ReceiptForm)
    if form.model is None:
        return Redirect(_path(call))
    encoded = form.model.receipt.encode("ascii", "replace")
    try:
        verification_receipts.said_by_us(call.office, encoded)
    except DocumentError as wrong:
        raise MalformedRequest("This is no receipt of this service.") from wrong
    return Download(FILE_NAME, "application/jwt", encoded)


async def download_receipt_pdf(call: PageCall) -> Download | Redirect:
    """The same receipt as a signed PDF, in the visitor's language."""
    form = call.read(ReceiptForm)
    if form.model is None:
        return Redirect(_path(call))
    made = await receipt_pdf.make(
        call.office, call.caller, form.model.receipt.encode("ascii", "replace"), call.language
    )
    return Download(file_name(made), PDF, made.pdf)


async def to_form(call: PageCall) -> Redirect:
    """Where the address of a request leads to that somebody opens by itself."""
    return Redirect(_path(call))


def _given(form: Filled[VerifyForm], files: Sequence[bytes], receipt: bytes | None) -> list[HandedOver] | str:
    """What was handed over, or the sentence that says what is wrong. A receipt of its own goes before one within."""
    pasted = form.typed.text("document").strip()
    if pasted and files:
        return _BOTH
    if not pasted and not files:
        return _NOTHING
    if len(files) > 1 and (receipt is not None or form.typed.text("verification_request")):
        return _ONE
    return [handed_over(one, receipt) for one in files or [pasted.encode()]]


def _form(call: PageCall, form: Filled[VerifyForm], request: str = "", shown: dict[str, Any] | None = None) -> Html:
    context = {"form": form, "path": _path(call), "verification_request": request, "shown": shown}
    context["megabytes"] = MOST_POSTED // 2**20
    context["kinds"] = [(kind, TYPES[kind]) for kind in _kinds(call)]
    return Html("verifying/ask.html", context, form.status)


def _kinds(call: PageCall) -> list[str]:
    """What the visitor may ask a wallet for: of an organisation the types of which its purpose may learn anything."""
    purpose = call.caller.purpose
    return [kind.id for kind in CREDENTIAL_TYPES.values() if purpose is None or kind.tells(purpose)]


def _path(call: PageCall) -> str:
    """The verify page of this desk."""
    return call.request.path.removesuffix(REQUEST).removesuffix(RECEIPT_PDF).removesuffix(RECEIPT)
