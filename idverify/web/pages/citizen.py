"""A citizen's desk: what they may do, what was decided, their copies, and who looked."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from idverify.core.decision import PersonStatus
from idverify.core.form_parts import SD_JWT_VC
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.errors import NotFound
from idverify.services import keys, offer, people, recovery_codes
from idverify.web.pages import notices
from idverify.web.pages.act_words import TYPES
from idverify.web.pages.call import PageCall
from idverify.web.pages.forms import Annotated, Field, Form, Says
from idverify.web.pages.offer_file import as_wallets_read, data_url
from idverify.web.pages.record_words import in_words
from idverify.web.pages.render import Html
from idverify.web.pages.standing import documents, standing
from idverify.web.pages.wallet_words import wallet_words
from idverify.web.pages.words import N_

_CHOOSE: Final = N_("Choose the document")


_DONE: Final = {"withdrawn": N_("The copy is withdrawn. Within minutes nobody accepts it any more.")}
_NO_COPY: Final = N_("Choose one of your copies")


class CollectForm(Form):
    """Which document, in which format, and which copy it takes the place of, if it takes one's.

    Without type and format the immigration status in its usual form.
    """

    type: Annotated[str | None, Says(_CHOOSE, _CHOOSE)] = None
    format: Annotated[str | None, Says(_CHOOSE, _CHOOSE)] = None
    replaces: Annotated[str | None, Field(pattern="^[0-9a-f]{32}$"), Says(_NO_COPY, _NO_COPY)] = None


async def desk(call: PageCall) -> Html:
    """Everything that is held on the visitor."""
    held = await people.own_record(call.office, call.caller)
    status, at = PersonStatus(held["status"]), call.office.clock.now()
    today = dt.datetime.fromtimestamp(at, dt.UTC).date()
    now = standing(call.language, status, held["permissions"].get(IMMIGRATION_STATUS.id), today)
    held_keys, codes = await keys.mine(call.office, call.caller), await recovery_codes.left(call.office, call.caller)
    context = {"record": in_words(held), "standing": now, "has_one_way_in": len(held_keys) == 1 and not codes}
    done = _DONE.get(call.request.query.get("done", ""))
    context["told_above"] = IMMIGRATION_STATUS.id  # in sentences of its own
    context["documents"] = documents(call.language, status, held["permissions"], at)
    return Html("citizen/desk.html", {**context, "done": done, "notices": await notices.shown(call)})


async def collect(call: PageCall) -> Html:
    """Make the right to collect one copy, once confirmed, and show it this once."""
    form = call.read(CollectForm)
    if form.model is None:
        raise NotFound("You have no such copy.")
    asked, replaces = form.model, None if form.model.replaces is None else bytes.fromhex(form.model.replaces)
    wanted = offer.Wanted(asked.type or IMMIGRATION_STATUS.id, asked.format)
    made = await offer.offer_to_self(call.office, call.caller, wanted, call.given, replaces)
    context = {
        "title": TYPES[made.type],
        "for_this_browser": made.format == SD_JWT_VC,
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
