"""Printed one-time codes: how many are left, and a new set, shown once to be printed."""

from __future__ import annotations

from typing import Final

from idverify.services import recovery_codes as service
from idverify.web.pages.call import PageCall
from idverify.web.pages.render import Html

PATH: Final = "/account/codes"


async def ask(call: PageCall) -> Html:
    """What the codes are for, how many are left, and the button for new ones."""
    left = await service.left(call.office, call.caller)
    return Html("account/codes.html", {"left": left, "few": service.FEW, "number": service.SET_SIZE})


async def make(call: PageCall) -> Html:
    """Make a new set, once confirmed, and show it this once."""
    made = await service.make(call.office, call.caller, call.given)
    return Html("account/codes_made.html", {"made": made, "address": f"{call.office.deployment.iss}/enrol"})
