"""Administration: the service's own signing keys, and their replacement by two administrators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from idverify.core import key_order
from idverify.core.key_order import Replacement
from idverify.errors import NotFound
from idverify.services import administration, replace_signing_key
from idverify.services.replace_signing_key import SigningKey
from idverify.web.pages import admin_proposals
from idverify.web.pages.act_words import LEDGER_KEYS, REPLACEMENTS, SIGNED_TYPES, SIGNING_KEYS
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.forms import Annotated, Filled, Form, Says
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

PATH: Final = "/admin/signing-keys"
ALARMS: Final = {
    30: N_("Ends within 30 days"),
    7: N_("Ends within a week"),
    1: N_("Ends within a day"),
    0: N_("Has ended"),
}
"""Of ``core.certificate_alarm``."""
PLACES: Final = {False: N_("On a token"), True: N_("In software, sealed by a token")}


class ReplacementForm(Form):
    """Why the key is replaced."""

    reason: Annotated[Replacement, Says(N_("Choose why this key is replaced"), N_("Choose one of the answers"))]


@dataclass(frozen=True, slots=True)
class SigningKeyShown:
    """A signing key in use: its page, what it signs, of which type (both in the catalogue), times in Unix seconds.

    ``documents`` is the name of the type, ``None`` for a key that signs no documents. ``alarm``, in the catalogue, says
    that it ends before long.
    """

    path: str
    signs: str
    documents: str | None
    since: int
    ends: int
    ordered_at: int | None
    alarm: str | None


@dataclass(frozen=True, slots=True)
class LedgerKeyShown:
    """A key of the ledger's: what it signs and where it is, both in the catalogue; since when in Unix seconds."""

    signs: str
    algorithm: str
    since: int
    place: str


@dataclass(frozen=True, slots=True)
class KeysShown:
    """The signing keys, the ledger's, and further certificates that end: token, label of the key, Unix seconds."""

    keys: list[SigningKeyShown]
    ledger: list[LedgerKeyShown]
    ending: list[tuple[str, str, int]]


async def shown(call: PageCall) -> KeysShown:
    """The signing keys on the administrator's desk."""
    keys = await replace_signing_key.signing_keys(call.office, call.caller)
    besides = replace_signing_key.ending_besides(call.office, call.caller, keys)
    ledger = [
        LedgerKeyShown(LEDGER_KEYS[key.role], key.algorithm, key.created_at, PLACES[key.software])
        for key in await replace_signing_key.ledger_keys(call.office, call.caller)
    ]
    ending = [(token, one.label, one.not_after) for token, one in besides]
    return KeysShown([_shown(key) for key in keys], ledger, ending)


async def ask(call: PageCall) -> Html:
    """Ask why a key is to be replaced."""
    return _form(call, await _key(call), Filled())


async def propose(call: PageCall) -> Answer:
    """Propose it to another administrator, once confirmed."""
    key, form = await _key(call), call.read(ReplacementForm)
    if form.model is None:
        return _form(call, key, form)
    action = key_order.action(key.key_id, key.role, form.model.reason.value)
    await administration.propose(call.office, call.caller, action, call.given)
    return Redirect(f"{admin_proposals.PATH}?done=proposed")


async def _key(call: PageCall) -> SigningKey:
    keys, wanted = await replace_signing_key.signing_keys(call.office, call.caller), call.handle("signing_key")
    key = next((key for key in keys if key.key_id == wanted), None)
    if key is None:
        raise NotFound("There is no such signing key in use.")
    return key


def _form(call: PageCall, key: SigningKey, form: Filled[ReplacementForm]) -> Html:
    context = {"key": _shown(key), "form": form, "reasons": call.choices(REPLACEMENTS)}
    return Html("admin/replacement.html", context, form.status)


def _shown(key: SigningKey) -> SigningKeyShown:
    path = f"{PATH}/{key.key_id.hex()}"
    signs, documents = SIGNING_KEYS[key.role], SIGNED_TYPES.get(key.role)
    alarm = None if key.within_days is None else ALARMS[key.within_days]
    return SigningKeyShown(path, signs, documents, key.created_at, key.signs_until, key.ordered_at, alarm)
