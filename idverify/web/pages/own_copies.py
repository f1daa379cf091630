"""One copy of a citizen's document: to be withdrawn, or to be replaced by another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from idverify.core.decision import CopyStatus
from idverify.core.retirement import HOLDERS_REASONS, REASONS, Retirement
from idverify.services import letter_pdf, retire
from idverify.services.retire import OwnCopy
from idverify.web.pages.act_words import FORMAT_NAMES, TYPES
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.forms import Annotated, Filled, Form, Says
from idverify.web.pages.record_words import COPIES
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

PATH: Final = "/citizen/copies"
_PAPER: Final = N_("Showing it on paper (letter)")
_CHOICES: Final[Mapping[Retirement, str]] = {reason: REASONS[reason] for reason in HOLDERS_REASONS}


class RetirementForm(Form):
    """Why the copy is withdrawn."""

    reason: Annotated[
        Literal[Retirement.LOST, Retirement.UNWANTED],
        Says(N_("Choose why you withdraw this copy"), N_("Choose one of the answers")),
    ]


@dataclass(frozen=True, slots=True)
class CopyPage:
    """A copy in words; ``title``, ``kind`` and ``status`` are in the catalogue, times in Unix seconds."""

    handle: str
    type: str
    format: str
    title: str
    kind: str
    status: str
    collected_at: int
    good_until: int
    withdrawn: bool
    on_paper: bool


async def show(call: PageCall) -> Html:
    """The copy, and what can be done with it."""
    return await _page(call, Filled())


async def withdraw(call: PageCall) -> Answer:
    """Withdraw the copy, once confirmed."""
    form = call.read(RetirementForm)
    if form.model is None:
        return await _page(call, form)
    await retire.retire(call.office, call.caller, call.handle("copy"), form.model.reason, call.given)
    return Redirect("/citizen?done=withdrawn")


async def _page(call: PageCall, form: Filled[RetirementForm]) -> Html:
    copy = await retire.own_copy(call.office, call.caller, call.handle("copy"))
    letters = await letter_pdf.own_letters(call.office, call.caller)
    on_paper = any(one.copy == copy.handle for one in letters)
    context = {"copy": _shown(copy, on_paper=on_paper), "form": form, "reasons": call.choices(_CHOICES)}
    return Html("citizen/copy.html", context, form.status)


def _shown(copy: OwnCopy, *, on_paper: bool) -> CopyPage:
    return CopyPage(
        copy.handle.hex(),
        copy.type,
        copy.format,
        TYPES[copy.type],
        _PAPER if on_paper else FORMAT_NAMES[copy.format],
        COPIES[copy.status],
        copy.issued_at,
        copy.expires_at,
        copy.status is CopyStatus.INVALID,
        on_paper,
    )
