"""The page that asks for a security key's signature over one act: what it is, in plain words, and the form again."""

from __future__ import annotations

from typing import Final

from idverify.core.action import Action
from idverify.core.person import PersonDetails
from idverify.core.policy import Role
from idverify.services import people, step_up
from idverify.web.pages.act_words import in_words
from idverify.web.pages.call import PageCall
from idverify.web.pages.ceremony_form import shown
from idverify.web.pages.render import Html

# Acts on somebody's record: whoever confirms one sees whom it is about, which is a look like any other.
_ON_PEOPLE: Final = frozenset({"decide", "offer-credential", "enrol-citizen", "print-letter", "offer-letter"})


async def ask(call: PageCall, action: Action) -> Html:
    """The act, its fields and a challenge for it. The form goes to where it came from, with every field in it.

    Nothing of what was posted is trusted for being here: the service makes up the act anew from what comes back, and
    refuses it if that is not what was signed.
    """
    about = await _about(call, action)
    beginning = await step_up.begin(call.office, call.caller, action)
    act = in_words(action, call.caller.role)
    context = {"act": act, "about": about, "fields": call.posted.fields, "ceremony": shown("get", beginning)}
    return call.ceremony_page("confirm.html", context)


async def _about(call: PageCall, action: Action) -> PersonDetails | None:
    if call.caller.role is not Role.OFFICER or action.act not in _ON_PEOPLE or action.subject is None:
        return None
    return await people.identify(call.office, call.caller, bytes.fromhex(action.subject))
