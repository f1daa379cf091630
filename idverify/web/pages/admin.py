"""Administration: who works here, and the one-time links that let staff and organisations register a key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from idverify.core.credential_type import Purpose
from idverify.core.names import MOST_NAME, require_name
from idverify.core.policy import Role, require_person
from idverify.errors import Conflict, NotFound, Unprocessable
from idverify.services import enrol_staff, staff
from idverify.services import invite as service
from idverify.services import restore_access as ways_back
from idverify.services.enrol import STAFF, require_free
from idverify.services.first_admins import others_than
from idverify.services.invite import Invitation, Invited
from idverify.web.pages import admin_proposals, erasures, ledger, notices, signing_keys
from idverify.web.pages.act_words import PURPOSES, ROLES
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

# Citizens get their code from an officer, who sees them.
_INVITED: Final[Mapping[Role, str]] = {role: ROLES[role] for role in Role if role is not Role.CITIZEN}
_DONE: Final = {
    "ended": N_("The account has ended, and every session of it."),
    "log-proposed": N_("A new log is proposed. Another administrator must approve it."),
    "log-opened": N_("A new log is open. What the ledger records goes there from now on."),
    **erasures.DONE,
}
_GIVE_NAME: Final = N_("Give the name")
_START_AGAIN: Final = N_("Fill in the form again")
_CHOOSE_PURPOSE: Final = N_("Choose a purpose for a checking organisation, and none for anybody else")


class InvitationForm(Form):
    """Who may enrol."""

    role: Annotated[
        Literal[Role.OFFICER, Role.RELYING_PARTY, Role.ADMIN],
        Says(N_("Choose what they do here"), N_("Choose one of the answers")),
    ]
    name: Annotated[
        str | None,
        Field(max_length=MOST_NAME),
        Says(_GIVE_NAME, N_("Use a name of at most 100 characters")),
    ] = None
    purpose: Annotated[Purpose | None, Says(_CHOOSE_PURPOSE, _CHOOSE_PURPOSE)] = None
    # Comes along from the page that asks for the confirmation
    first_part: Annotated[str | None, Field(max_length=40), Says(_START_AGAIN, _START_AGAIN)] = None


@dataclass(frozen=True, slots=True)
class AccountShown:
    """An account of staff or of an organisation; ``role`` and ``purpose`` are in the catalogue."""

    handle: str
    name: str
    role: str
    purpose: str | None
    created_at: int
    ended_at: int | None
    is_own: bool
    is_staff: bool


async def desk(call: PageCall) -> Html:
    """Who is enrolled, what waits for another admin, and how the ledger stands."""
    rows = await staff.accounts(call.office, call.caller)
    context = {
        "accounts": [_shown(call, row) for row in rows],
        "done": call.done(_DONE),
        "waiting": len(await admin_proposals.waiting(call)),
        "signing_keys": await signing_keys.shown(call),
        "ledger": await ledger.shown(call),
    }
    return Html("admin/desk.html", {**context, "notices": await notices.shown(call)})


async def end_account(call: PageCall) -> Redirect:
    """End an account, once confirmed."""
    await staff.end(call.office, call.caller, call.handle("account"), call.given)
    return Redirect("/admin?done=ended")


async def restore_access(call: PageCall) -> Html:
    """Propose a code for the account of somebody of staff who lost every key, once confirmed."""
    rows = await staff.accounts(call.office, call.caller)
    row = next((row for row in rows if row["handle"] == call.handle("account")), None)
    if row is None:
        raise NotFound("There is no such account.")
    wanted = partial(ways_back.staff_action, row)
    nobody_approves = not await others_than(call.office.store, row["id"], require_person(call.caller).account)
    return await admin_proposals.propose_code(
        call, wanted, Role(row["role"]), row["actor"], nobody_approves=nobody_approves
    )


async def ask_invitation(call: PageCall) -> Html:
    """Ask who is to be enrolled."""
    return _form(call, Filled())


async def invite(call: PageCall) -> Answer:
    """An organisation's link is made, once confirmed, and shown this once; staff's is proposed to another admin."""
    form = call.read(InvitationForm)
    if form.model is None:
        return _form(call, form)
    asked = form.model
    if (asked.role is Role.RELYING_PARTY) != (asked.purpose is not None):
        return _form(call, form.with_error("purpose", _CHOOSE_PURPOSE))
    if asked.name is None:
        return _form(call, form.with_error("name", _GIVE_NAME))
    try:
        name = require_name(asked.name)
        if asked.role in STAFF:
            await require_free(call.office.store, name)
    except (Conflict, Unprocessable) as wrong:
        return _form(call, form.with_error("name", wrong.detail))
    invited = Invited(asked.role, name, asked.purpose)
    if asked.role in STAFF:
        return await admin_proposals.propose_code(call, partial(enrol_staff.action, invited), asked.role, name)
    made = await service.invite_organisation(call.office, call.caller, invited, call.given)
    return _link(call, made, asked.role, name)


def _link(call: PageCall, invitation: Invitation, role: Role, name: str) -> Html:
    address = f"{call.office.deployment.iss}/enrol/{invitation.code}"
    context = {"link": address, "expires_at": invitation.expires_at, "role": ROLES[role], "name": name}
    return Html("admin/link.html", context)


def _form(call: PageCall, form: Filled[Any]) -> Html:
    context = {"form": form, "roles": call.choices(_INVITED), "purposes": call.choices(PURPOSES)}
    return Html("admin/invitation.html", context, form.status)


def _shown(call: PageCall, row: Any) -> AccountShown:
    own = require_person(call.caller).account == row["id"]
    purpose = None if row["purpose"] is None else PURPOSES[Purpose(row["purpose"])]
    handle, role, staffer = row["handle"].hex(), ROLES[Role(row["role"])], row["role"] in STAFF
    return AccountShown(handle, row["actor"], role, purpose, row["created_at"], row["ended_at"], own, staffer)
