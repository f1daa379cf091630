"""People of one organisation: a link for whoever of them lost their keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from idverify.services import restore_access
from idverify.web.pages.call import PageCall
from idverify.web.pages.render import Html

PATH: Final = "/relying-party/people"


@dataclass(frozen=True, slots=True)
class ColleagueShown:
    """Another account of the organisation; times in Unix seconds."""

    handle: str
    created_at: int
    last_used_at: int | None


async def list_colleagues(call: PageCall) -> Html:
    """The other accounts of the visitor's organisation."""
    listed = [
        ColleagueShown(row["handle"].hex(), row["created_at"], row["last_used_at"])
        for row in await restore_access.colleagues(call.office, call.caller)
    ]
    return Html("relying_party/people.html", {"colleagues": listed})


async def restore(call: PageCall) -> Html:
    """A link that adds a key to a colleague's account, once confirmed, shown this once."""
    made = await restore_access.restore_colleague(call.office, call.caller, call.handle("account"), call.given)
    context = {"link": f"{call.office.deployment.iss}/enrol/{made.code}", "expires_at": made.expires_at}
    return Html("relying_party/link.html", context)
