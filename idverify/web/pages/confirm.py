"""The page that asks for a security key's signature over one act: what it is, in plain words, and the form again."""

from __future__ import annotations

from idverify.core.action import Action
from idverify.services import step_up
from idverify.web.pages.act_words import in_words
from idverify.web.pages.call import PageCall
from idverify.web.pages.ceremony_form import shown
from idverify.web.pages.render import Html


async def ask(call: PageCall, action: Action) -> Html:
    """The act, its fields and a challenge for it. The form goes to where it came from, with every field in it.

    Nothing of what was posted is trusted for being here: the service makes up the act anew from what comes back, and
    refuses it if that is not what was signed.
    """
    beginning = await step_up.begin(call.office, call.caller, action)
    context = {"act": in_words(action), "fields": call.posted.fields, "ceremony": shown("get", beginning)}
    return call.ceremony_page("confirm.html", context)
