"""The desk of an organisation that checks documents: where to check, by hand or by program, and what was checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from idverify.core.credential_type import Purpose
from idverify.services import access
from idverify.web.pages import notices
from idverify.web.pages.act_words import PURPOSES
from idverify.web.pages.call import PageCall
from idverify.web.pages.record_words import CHANNELS, FOUND
from idverify.web.pages.render import Html

USAGE_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class CheckMade:
    """A check, without whom it was about; ``at`` in Unix seconds, the words in the catalogue."""

    at: int
    channel: str
    purpose: str | None
    found: str


async def desk(call: PageCall) -> Html:
    """What the organisation may check for, and the ways to do it."""
    purpose = call.caller.purpose
    said = None if purpose is None else PURPOSES[purpose]
    told, iss = await notices.shown(call), call.office.deployment.iss
    context = {"actor": call.caller.actor, "purpose": said, "iss": iss, "notices": told}
    return Html("relying_party/desk.html", context)


async def usage(call: PageCall) -> Html:
    """The checks of the last days, by this page and by program."""
    since = call.office.clock.now() - USAGE_DAYS * 86_400
    checks = [
        CheckMade(
            row["looked_at"],
            CHANNELS[row["channel"]],
            None if row["purpose"] is None else PURPOSES[Purpose(row["purpose"])],
            FOUND[row["verdict"]],
        )
        for row in await access.usage(call.office, call.caller, since)
    ]
    return Html("relying_party/usage.html", {"checks": checks, "since": since})
