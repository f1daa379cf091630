"""One's own security keys: what there is, what they are called, another one, one less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from idverify.core.policy import ALLOWED, Act, require_person
from idverify.errors import NotFound
from idverify.services import keys as service
from idverify.services import recovery_codes
from idverify.web.pages import notices, signals
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.ceremony_form import shown
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

LIST = "/account/keys"
_DONE = {
    "added": N_("The key is registered. You can sign in with it from now on."),
    "first": N_("Your key is registered, and you are signed in. Write your account number down and keep it."),
    "enrolled": N_("Your new key is registered. If you lost a key, remove it here now: that also ends what it opened."),
    "renamed": N_("The key has its new name."),
    "cancelled": N_("The code is cancelled. It opens nothing. That it was made stays on record."),
    "removed": N_("The key is removed. It opens nothing here any more."),
}


class KeyNameForm(Form):
    """What a key is called."""

    key_name: Annotated[
        str,
        Field(max_length=60),
        Says(N_("Give the key a name that you will know it by"), N_("Give the key a name of at most 60 characters")),
    ]


async def list_keys(call: PageCall) -> Html:
    """The keys that open this account, for its owner and for their browser."""
    account, rp_id = await service.account(call.office, call.caller), call.office.deployment.rp_id
    ids = [row["credential_id"] for row in await service.mine(call.office, call.caller)]
    context = {
        "keys": await _keys(call),
        "number": account["number"] if account["name_as_read"] is None else None,  # staff are asked for by name
        "done": call.done(_DONE),
        "codes_left": await _codes_left(call),
        "notices": await notices.shown(call),
        "signals": signals.accepted_credentials(rp_id, account["user_handle"], ids),
    }
    return Html("account/keys.html", context)


async def one_key(call: PageCall) -> Html:
    """One key, to be renamed or removed."""
    return await _one_key(call, Filled())


async def lost_key(call: PageCall) -> Html:
    """Ask which key was lost, to remove it at once."""
    return Html("account/lost.html", {"keys": await _keys(call)})


async def rename_key(call: PageCall) -> Answer:
    """Call a key something else."""
    form = call.read(KeyNameForm)
    if form.model is None:
        return await _one_key(call, form)
    await service.rename(call.office, call.caller, call.handle("key"), form.model.key_name)
    return Redirect(f"{LIST}?done=renamed")


async def remove_key(call: PageCall) -> Redirect:
    """Remove a key, once confirmed. Whoever removes the key that they signed in with is signed out."""
    mine = (await _key(call))["is_current"]
    await service.remove(call.office, call.caller, call.handle("key"), call.given)
    return Redirect("/sign-in?signed-out", signed_out=True) if mine else Redirect(f"{LIST}?done=removed")


async def ask_new_key(call: PageCall) -> Html:
    """Ask what another key is to be called."""
    return _new_key(call, Filled())


async def begin_new_key(call: PageCall) -> Html:
    """Register another key, once a key that is known confirmed it."""
    form = call.read(KeyNameForm)
    if form.model is None:
        return _new_key(call, form)
    beginning = await service.begin_adding(call.office, call.caller, call.given)
    context = {"ceremony": shown("create", beginning), "key_name": form.model.key_name}
    return Html("account/register_key.html", {**context, "on_shared_computer": call.on_shared_computer})


async def add_key(call: PageCall) -> Answer:
    """Keep the key that was just registered. Where it was not, everything starts again: confirmations are used up."""
    form = call.read(KeyNameForm)
    if call.given is None or form.model is None:
        return _new_key(call, form)
    await service.finish_adding(call.office, call.caller, call.given, form.model.key_name)
    return Redirect(f"{LIST}?done=added")


async def _one_key(call: PageCall, form: Filled[KeyNameForm]) -> Html:
    is_only = len(await _keys(call)) == 1
    context = {"key": await _key(call), "form": form, "is_only": is_only, "codes_left": await _codes_left(call)}
    return Html("account/key.html", context, form.status)


async def _codes_left(call: PageCall) -> int | None:
    """How many printed codes the visitor has left; ``None`` for whoever comes back another way."""
    if Act.PRINT_CODES not in ALLOWED[call.caller.role]:
        return None
    return await recovery_codes.left(call.office, call.caller)


def _new_key(call: PageCall, form: Filled[KeyNameForm]) -> Html:
    """The page for another key's name; whoever needs one before they can do anything else is told so."""
    context = {
        "form": form,
        "is_needed": not require_person(call.caller).active,
        "signals": signals.of_trouble(call.office.deployment.rp_id, call.trouble),
    }
    page = call.ceremony_page("account/new_key.html", context)
    return replace(page, status=form.status) if form.errors else page


async def _keys(call: PageCall) -> list[dict[str, Any]]:
    signed_in = call.caller.signed_in
    assert signed_in is not None
    return [
        {
            "handle": row["handle"].hex(),
            "name": row["name"],
            "created_at": row["created_at"],
            "last_used_at": row["last_used_at"],
            "is_current": row["id"] == signed_in.security_key,
            "suspended_at": row["suspended_at"],
        }
        for row in await service.mine(call.office, call.caller)
    ]


async def _key(call: PageCall) -> dict[str, Any]:
    asked = call.request.match_info["key"]
    found = next((key for key in await _keys(call) if key["handle"] == asked), None)
    if found is None:
        raise NotFound("You have no such key.")
    return found
