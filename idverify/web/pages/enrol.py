"""Registering the first security key, with a one-time code from a slip or a link."""

from __future__ import annotations

from typing import Literal

from idverify.core.names import MOST_NAME
from idverify.core.policy import Principal, Role
from idverify.errors import ClientError, Conflict, MalformedRequest, NotYet, Unprocessable
from idverify.services import enrol as service
from idverify.services import keys
from idverify.web.form_body import Posted
from idverify.web.pages import signals
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.ceremony_form import shown
from idverify.web.pages.desks import home_of
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

_NO_CODE = N_("Enter the code from your slip or sheet")
_WRONG_CODE = N_("Enter the code as you got it: 20 letters and digits, or two parts of 16 and 12, the longer one first")
_NO_NAME = N_("Enter your name")
_ODD_BOX = N_("Tick the box or leave it")
KEY_NAME = N_("My security key")
SharedComputer = Annotated[Literal["yes"] | None, Says(_ODD_BOX, _ODD_BOX)]


class CodeForm(Form):
    """The code from a slip."""

    code: Annotated[str, Field(max_length=60), Says(_NO_CODE, _WRONG_CODE)]
    shared_computer: SharedComputer = None


class NameForm(CodeForm):
    """Who enrols, where the code does not say it, and what the key is called."""

    name: Annotated[
        str | None,
        Field(max_length=MOST_NAME),
        Says(_NO_NAME, N_("Enter a name of at most 100 characters")),
    ] = None
    key_name: Annotated[
        str | None,
        Field(max_length=60),
        Says(N_("Give the key a name"), N_("Give the key a name of at most 60 characters")),
    ] = None


async def ask_code(_call: PageCall) -> Html:
    """Ask for the code."""
    return Html("enrol/code.html", {"form": Filled[CodeForm]()})


async def to_code(_: PageCall) -> Redirect:
    """Where the address of the form leads to that somebody opens by itself."""
    return Redirect("/enrol")


async def open_code(call: PageCall) -> Answer:
    """Go on with a code that was typed. It stays in the form: others read a shared computer's addresses."""
    form = call.read(CodeForm)
    if form.model is None:
        return Html("enrol/code.html", {"form": form}, form.status)
    return await _opened(call, form.model.code)


async def open_link(call: PageCall) -> Answer:
    """Go on with the code of a link, which leaves the address at once (``static/address.js``)."""
    return await _opened(call, call.request.match_info["code"])


async def _opened(call: PageCall, code: str) -> Answer:
    """What comes first with this code: the name, or the key."""
    enrolment = await _usable(call, code)
    if isinstance(enrolment, Html):
        return enrolment
    asked = NameForm(code=code)
    form = Filled(asked, Posted((("code", code),)))
    return _ask_name(call, form) if enrolment.asks_name else await _begin(call, enrolment, form, asked)


async def register(call: PageCall) -> Answer:
    """Register a key with a code, which signs its owner in. Staff whose link has no name on it give theirs first."""
    form = call.read(NameForm)
    if "code" in form.errors:
        return Html("enrol/code.html", {"form": form}, form.status)
    code = call.posted.text("code")
    enrolment = await _usable(call, code)
    if isinstance(enrolment, Html):
        return enrolment
    if form.model is None:
        return _ask_name(call, form)
    if enrolment.asks_name and form.model.name is None:
        return _ask_name(call, form.with_error("name", _NO_NAME))
    if call.given is None:
        return await _begin(call, enrolment, form, form.model)
    key_name = form.model.key_name or call.translate(KEY_NAME)
    shared = _is_shared(call)
    opened = await service.finish(
        call.office, code, form.model.name, call.given, key_name, call.token, shared_computer=shared
    )
    return Redirect(await _landing(call, opened.principal), opened=opened)


async def _usable(call: PageCall, code: str) -> service.Enrolment | Html:
    """What the code is good for, or the page that says why it is not."""
    try:
        return await service.look_up(call.office, code)
    except NotYet as early:
        return _not_yet(early)
    except ClientError as refused:
        return _refused(Filled(typed=Posted((("code", code),))), refused)


async def _landing(call: PageCall, owner: Principal) -> str:
    """Where somebody goes from here. Citizens see their account number, which they may need and staff do not."""
    if len(await keys.mine(call.office, owner)) > 1:
        return "/account/keys?done=enrolled"
    return "/account/keys?done=first" if owner.role is Role.CITIZEN else home_of(owner.role)


async def _begin(call: PageCall, enrolment: service.Enrolment, form: Filled[NameForm], said: NameForm) -> Html:
    try:
        beginning = await service.begin(call.office, said.code, said.name, shared_computer=_is_shared(call))
    except (Conflict, Unprocessable) as wrong:
        return _ask_name(call, form.with_error("name", wrong.detail))
    context = {
        "ceremony": shown("create", beginning),
        "form": form,
        "restores_staff": enrolment.restores_staff,
        "shared_computer": _is_shared(call),
        "signals": signals.of_trouble(call.office.deployment.rp_id, call.trouble),
    }
    return call.ceremony_page("enrol/register.html", context)


def _is_shared(call: PageCall) -> bool:
    """What the visitor said of the computer, here or a form ago: before the options for the key are made."""
    return call.posted.text("shared_computer") == "yes"


def _ask_name(call: PageCall, form: Filled[NameForm]) -> Html:
    """The page for the name."""
    return Html("enrol/name.html", {"form": form, "shared_computer": _is_shared(call)}, form.status)


def _not_yet(early: NotYet) -> Html:
    """From when the code works, and that nothing else is needed."""
    return Html("enrol/not_yet.html", {"not_before": early.not_before}, early.status)


def _refused(form: Filled[CodeForm], refused: ClientError) -> Html:
    """The page for the code, with what is wrong with this one."""
    sentence = _WRONG_CODE if isinstance(refused, MalformedRequest) else refused.detail
    return Html("enrol/code.html", {"form": form.with_error("code", sentence)}, refused.status)
