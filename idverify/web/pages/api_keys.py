"""API keys of organisations: an admin makes them for anybody, an organisation for itself and its own purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from idverify.core.credential_type import Purpose
from idverify.core.names import MOST_NAME
from idverify.core.policy import Role
from idverify.errors import Unprocessable
from idverify.services import access
from idverify.web.pages.act_words import PURPOSES, ROLES
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.desks import home_of
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

_DONE: Final = {"revoked": N_("The API key is revoked. It opens nothing here any more.")}


class OwnKeyForm(Form):
    """An organisation asks for a key of its own: there is nothing to choose."""


class KeyForm(Form):
    """Whose key it is, and what they check for."""

    actor: Annotated[
        str,
        Field(max_length=MOST_NAME),
        Says(N_("Give the organisation's name"), N_("Use a name of at most 100 characters")),
    ]
    purpose: Annotated[Purpose, Says(N_("Choose what they check for"), N_("Choose a purpose from the list"))]


@dataclass(frozen=True, slots=True)
class ApiKeyShown:
    """A key as it is listed; times in Unix seconds, ``role`` and ``purpose`` in the catalogue."""

    id: str
    actor: str
    role: str
    purpose: str | None
    created_at: int
    revoked_at: int | None


async def list_keys(call: PageCall) -> Html:
    """The keys that the visitor keeps, those in use first."""
    return await _page(call, Filled())


async def create(call: PageCall) -> Answer:
    """A key for an organisation that an admin names, shown this once."""
    form = call.read(KeyForm)
    if form.model is None:
        return await _page(call, form)
    try:
        return await _made(call, form.model.actor, form.model.purpose)
    except Unprocessable as wrong:
        return await _page(call, form.with_error("actor", wrong.detail))


async def create_own(call: PageCall) -> Html:
    """A key for the visitor's own organisation, shown this once."""
    call.read(OwnKeyForm)
    purpose = call.caller.purpose
    assert purpose is not None  # no organisation is enrolled without one (services.enrol)
    return await _made(call, call.caller.actor, purpose)


async def revoke(call: PageCall) -> Redirect:
    """Revoke a key, once confirmed."""
    key = call.request.match_info["key"]
    await access.revoke_key_for(call.office, call.caller, key, call.given)
    return Redirect(f"{_path(call)}?done=revoked")


async def _made(call: PageCall, actor: str, purpose: Purpose) -> Html:
    token = await access.create_key_for(call.office, call.caller, actor, purpose, call.given)
    context = {"token": token, "actor": actor, "purpose": PURPOSES[purpose], "keys": _path(call)}
    return Html("api_keys/made.html", {**context, "iss": call.office.deployment.iss})


async def _page(call: PageCall, form: Filled[Any]) -> Html:
    rows = await access.keys_kept_by(call.office, call.caller)
    shown = sorted((_shown(row) for row in reversed(rows)), key=lambda key: key.revoked_at is not None)
    context = {
        "keys": shown,
        "path": _path(call),
        "form": form,
        "purposes": call.choices(PURPOSES),
        "for_others": call.caller.role is Role.ADMIN,
        "done": call.done(_DONE),
    }
    return Html("api_keys/list.html", context, form.status)


def _path(call: PageCall) -> str:
    return f"{home_of(call.caller.role)}/keys"


def _shown(row: Any) -> ApiKeyShown:
    purpose = None if row["purpose"] is None else PURPOSES[Purpose(row["purpose"])]
    return ApiKeyShown(row["id"], row["actor"], ROLES[Role(row["role"])], purpose, row["created_at"], row["revoked_at"])
