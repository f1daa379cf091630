"""A citizen's desk: what they may do, what was decided, their copies, and who looked."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from idverify.core.decision import PersonStatus
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.errors import NotFound
from idverify.services import keys, offer, people, recovery_codes
from idverify.web.pages import notices
from idverify.web.pages.call import PageCall
from idverify.web.pages.forms import Annotated, Field, Form, Says
from idverify.web.pages.offer_file import as_wallets_read, data_url
from idverify.web.pages.record_words import in_words
from idverify.web.pages.render import Html
from idverify.web.pages.standing import standing
from idverify.web.pages.wallet_words import wallet_words
from idverify.web.pages.words import N_

# A copy speaks of the one status that there is; another type would be chosen here.
_COLLECTED: Final = offer.Wanted(IMMIGRATION_STATUS.id)

_DONE: Final = {"withdrawn": N_("The copy is withdrawn. Within minutes nobody accepts it any more.")}
_NO_COPY: Final = N_("Choose one of your copies")


class CollectForm(Form):
    """Which copy the new one takes the place of, if it takes one's."""

    replaces: Annotated[str | None, Field(pattern="^[0-9a-f]{32}$"), Says(_NO_COPY, _NO_COPY)] = None


async def desk(call: PageCall) -> Html:
    """Everything that is held on the visitor."""
    held = await people.own_record(call.office, call.caller)
    today = dt.datetime.fromtimestamp(call.office.clock.now(), dt.UTC).date()
    now = standing(call.language, PersonStatus(held["status"]), held["permissions"].get(IMMIGRATION_STATUS.id), today)
    held_keys, codes = await keys.mine(call.office, call.caller), await recovery_codes.left(call.office, call.caller)
    context = {"record": in_words(held), "standing": now, "has_one_way_in": len(held_keys) == 1 and not codes}
    done = _DONE.get(call.request.query.get("done", ""))
    return Html("citizen/desk.html", {**context, "done": done, "notices": await notices.shown(call)})


async def collect(call: PageCall) -> Html:
    """Make the right to collect one copy, once confirmed, and show it this once."""
    form = call.read(CollectForm)
    if form.model is None:
        raise NotFound("You have no such copy.")
    replaces = None if form.model.replaces is None else bytes.fromhex(form.model.replaces)
    made = await offer.offer_to_self(call.office, call.caller, _COLLECTED, call.given, replaces)
    context = {
        "offer": as_wallets_read(made),
        "expires_at": made.expires_at,
        "download": data_url(made),
        "words": await _words(call),
        "on_shared_computer": call.on_shared_computer,
    }
    return Html("citizen/offer.html", context, connects=not call.on_shared_computer)


async def wallet(call: PageCall) -> Html:
    """The demo wallet, which lives in the browser alone; closed where the next visitor would find it."""
    if call.on_shared_computer:
        return Html("citizen/wallet_elsewhere.html")
    return Html("citizen/wallet.html", {"words": await _words(call)}, connects=True)


async def _words(call: PageCall) -> dict[str, Any]:
    """What the wallet's script needs; each person has a wallet of their own, also in a shared browser."""
    person = await people.own_person(call.office, call.caller)
    return wallet_words(call.language, person.handle.hex())
