"""The verify page of officers and of organisations: paste or upload, ask the person's wallet, read the verdict.

What the asker may learn follows from who they are (``services.check``); the page is the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import orjson
from pydantic import ConfigDict

from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.errors import Conflict, Gone, NotFound
from idverify.formats.handed_over import HandedOver, handed_over
from idverify.services import check as service
from idverify.services import present
from idverify.web.body import MAX_BODY
from idverify.web.pages.call import PageCall, Redirect
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.render import Html
from idverify.web.pages.verdict_words import in_words
from idverify.web.pages.words import N_

# What follows a verify page's own path where the wallet is asked first
REQUEST: Final = "/request"
_NOTHING: Final = N_("Paste the document, or choose a file")
_BOTH: Final = N_("Paste the document or choose a file, not both")
_NOT_OURS: Final = N_("This verification request cannot be answered any more. Make a new one.")


class VerifyForm(Form):
    """A pasted document, and the request that it answers if the wallet was asked. A file may take its place."""

    model_config = ConfigDict(str_max_length=MAX_BODY)

    document: Annotated[str | None, Says(_NOTHING, _NOTHING)] = None
    verification_request: Annotated[str | None, Field(pattern=r"^[0-9a-f]{32}$"), Says(_NOT_OURS, _NOT_OURS)] = None


async def ask(call: PageCall) -> Html:
    """Ask for the document."""
    return _form(call, Filled[VerifyForm]())


async def ask_wallet(call: PageCall) -> Html:
    """Make a verification request for the person's wallet, and ask for its answer."""
    made = await present.request_presentation(call.office, call.caller, IMMIGRATION_STATUS.id)
    handle = made.handle.hex()
    asked = {"verification_request": handle, "type": made.type, "nonce": made.nonce, "audience": made.audience}
    if call.caller.purpose is not None:  # from which a wallet sees what there is a need to show
        asked["purpose"] = call.caller.purpose.value
    text = orjson.dumps(asked, option=orjson.OPT_INDENT_2).decode()
    return _form(call, Filled[VerifyForm](), handle, {"text": text, "expires_at": made.expires_at})


async def check(call: PageCall) -> Html:
    """The verdict."""
    form = call.read(VerifyForm)
    given = _given(form, call.posted.file("file"), call.posted.file("receipt"))
    if form.model is None or isinstance(given, str):
        wrong = form if isinstance(given, HandedOver) else form.with_error("document", given)
        return _form(call, wrong, form.typed.text("verification_request"))
    # The request on the page counts, not one that the answer names: somebody else may have been asked that.
    on_page = form.model.verification_request
    request = given.request if on_page is None else bytes.fromhex(on_page)
    try:
        answer = await service.check(call.office, call.caller, replace(given, request=request))
    except (NotFound, Conflict, Gone):
        return _form(call, form.with_error("document", _NOT_OURS))
    return Html("verifying/verdict.html", {"verdict": in_words(call.language, answer), "again": _path(call)})


async def to_form(call: PageCall) -> Redirect:
    """Where the address of a request leads to that somebody opens by itself."""
    return Redirect(_path(call))


def _given(form: Filled[VerifyForm], file: bytes | None, receipt: bytes | None) -> HandedOver | str:
    """What was handed over, or the sentence that says what is wrong. A receipt of its own goes before one within."""
    pasted = form.typed.text("document").strip()
    if pasted and file is not None:
        return _BOTH
    if not pasted and file is None:
        return _NOTHING
    given = handed_over(file or pasted.encode())
    return given if receipt is None else replace(given, receipt=receipt)


def _form(call: PageCall, form: Filled[VerifyForm], request: str = "", shown: dict[str, Any] | None = None) -> Html:
    context = {"form": form, "path": _path(call), "verification_request": request, "shown": shown}
    return Html("verifying/ask.html", context, form.status)


def _path(call: PageCall) -> str:
    """The verify page of this desk."""
    return call.request.path.removesuffix(REQUEST)
