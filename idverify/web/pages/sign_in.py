"""Signing in with a security key, and signing out, here or everywhere."""

from __future__ import annotations

from idverify.services import sessions
from idverify.services import sign_in as service
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.ceremony_form import shown
from idverify.web.pages.desks import home_of
from idverify.web.pages.local_path import local_path


async def sign_in(call: PageCall) -> Answer:
    """Ask for a key, and open a session for the owner of the key that answers."""
    wanted = call.posted.text("next") or call.request.query.get("next")
    shared = call.posted.text("shared_computer") == "yes"
    if call.given is not None:
        opened = await service.finish(call.office, call.given, call.token, shared_computer=shared)
        return Redirect(local_path(wanted, home_of(opened.principal.role)), opened=opened)
    ceremony = shown("get", await service.begin(call.office))
    context = {"ceremony": ceremony, "next": local_path(wanted, ""), "shared_computer": shared}
    return call.ceremony_page("sign_in.html", {**context, "signed_out": "signed-out" in call.request.query})


async def sign_out(call: PageCall) -> Redirect:
    """End this session."""
    await sessions.end(call.office, call.caller)
    return Redirect("/sign-in?signed-out", signed_out=True)


async def sign_out_everywhere(call: PageCall) -> Redirect:
    """End every session of the account."""
    await sessions.end_all(call.office, call.caller)
    return Redirect("/sign-in?signed-out", signed_out=True)
