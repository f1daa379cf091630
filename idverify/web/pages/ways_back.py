"""Help that needs no account: every way back for whoever cannot sign in."""

from __future__ import annotations

from typing import Final

from idverify.services.invite import DAY, TERMS, Kind
from idverify.web.pages.call import PageCall
from idverify.web.pages.render import Html

HOURS: Final = TERMS[Kind.RE_PROOFING].delay * 24 // DAY


async def lost_key(_: PageCall) -> Html:
    """The ways back, in the order in which they are quickest."""
    return Html("help/lost_key.html", {"hours": HOURS})
