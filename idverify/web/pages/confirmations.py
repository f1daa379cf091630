"""What was confirmed with security keys: one's own acts, for administrators those of all staff, each as a file."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from idverify.core.policy import Role
from idverify.errors import MalformedRequest
from idverify.services import confirmations
from idverify.services.confirmations import Confirmed
from idverify.web.pages.act_words import ACTS
from idverify.web.pages.call import PageCall
from idverify.web.pages.forms import Form
from idverify.web.pages.render import Html

LIST: Final = "/account/confirmations"
_HANDLE: Final = re.compile(r"[0-9a-f]{32}")


class EvidenceForm(Form):
    """Somebody wants the file: there is nothing to choose."""


@dataclass(frozen=True, slots=True)
class ConfirmationShown:
    """A confirmation: where its file is had, which act (in the catalogue), by whom, when (Unix seconds)."""

    path: str
    act: str
    actor: str
    confirmed_at: int


async def show(call: PageCall) -> Html:
    """The newest, and a link to older ones."""
    page = await confirmations.listed(call.office, call.caller, _before(call))
    context = {
        "confirmations": [_shown(confirmed) for confirmed in page.confirmations],
        "of_all": call.caller.role is Role.ADMIN,
        "older": None if page.before is None else f"{LIST}?before={page.before.hex()}",
    }
    return Html("account/confirmations.html", context)


async def export(call: PageCall) -> Html:
    """The file, once confirmed, inside the page that says what to do with it."""
    call.read(EvidenceForm)
    handle = call.handle("authorisation")
    file = await confirmations.export(call.office, call.caller, handle, call.given)
    context = {
        "file": "data:application/json;base64," + base64.b64encode(file).decode(),
        "name": f"evidence-{handle.hex()[:8]}.json",
        "back": LIST,
    }
    return Html("account/evidence.html", context)


def _before(call: PageCall) -> bytes | None:
    asked = call.request.query.get("before")
    if asked is None:
        return None
    if not _HANDLE.fullmatch(asked):
        raise MalformedRequest("Open the list again and start from there.")
    return bytes.fromhex(asked)


def _shown(confirmed: Confirmed) -> ConfirmationShown:
    path = f"{LIST}/{confirmed.handle.hex()}/evidence"
    return ConfirmationShown(path, ACTS.get(confirmed.act, confirmed.act), confirmed.actor, confirmed.confirmed_at)
