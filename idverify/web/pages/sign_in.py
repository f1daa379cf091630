"""Signing in with a security key, and signing out, here or everywhere."""

from __future__ import annotations

from dataclasses import replace

from idverify.errors import Unprocessable
from idverify.services import sessions
from idverify.services import sign_in as service
from idverify.web.pages import signals
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.ceremony_form import shown
from idverify.web.pages.desks import home_of
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.local_path import local_path
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_


class AccountForm(Form):
    """Which account the key is for."""

    account: Annotated[
        str,
        Field(max_length=100),
        Says(N_("Enter your account number or your name"), N_("Enter a name of at most 100 characters")),
    ]


async def sign_in(call: PageCall) -> Answer:
    """Ask for a key, and open a session for the owner of the key that answers."""
    if call.given is not None:
        opened = await service.finish(call.office, call.given, call.token, shared_computer=_is_shared(call))
        return Redirect(local_path(_wanted(call), home_of(opened.principal.role)), opened=opened)
    return await _ask_key(call, call.posted.text("account"))


async def sign_in_to_account(call: PageCall) -> Answer:
    """Ask for a key of one account: some keys do not know theirs."""
    form = call.read(AccountForm)
    if form.model is None:
        return await _ask_key(call, "", form)
    try:
        return await _ask_key(call, form.model.account)
    except Unprocessable as wrong:
        return await _ask_key(call, "", form.with_error("account", wrong.detail))


async def _ask_key(call: PageCall, account: str, form: Filled[AccountForm] | None = None) -> Html:
    """The page that asks for a key: of ``account``, or of whoever comes."""
    form = Filled[AccountForm]() if form is None else form
    ceremony = shown("get", await service.begin(call.office, account or None))
    page = call.ceremony_page(
        "sign_in.html",
        {
            "ceremony": ceremony,
            "account": account,
            "form": form,
            "next": local_path(_wanted(call), ""),
            "shared_computer": _is_shared(call),
            "signed_out": "signed-out" in call.request.query,
            "ended": call.request.method == "GET" and "ended" in call.request.query,
            "signals": signals.of_trouble(call.office.deployment.rp_id, call.trouble),
        },
    )
    return replace(page, status=max(page.status, form.status))


def _wanted(call: PageCall) -> str | None:
    return call.posted.text("next") or call.request.query.get("next")


def _is_shared(call: PageCall) -> bool:
    return call.posted.text("shared_computer") == "yes"


async def sign_out(call: PageCall) -> Redirect:
    """End this session."""
    await sessions.end(call.office, call.caller)
    return Redirect("/sign-in?signed-out", signed_out=True)


async def sign_out_everywhere(call: PageCall) -> Redirect:
    """End every session of the account."""
    await sessions.end_all(call.office, call.caller)
    return Redirect("/sign-in?signed-out", signed_out=True)
