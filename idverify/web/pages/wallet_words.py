"""What the demo wallet's script needs from the page: every sentence it shows, and what each purpose needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from idverify.core.credential_type import Form
from idverify.core.form_parts import SD_JWT_VC
from idverify.core.types import CREDENTIAL_TYPES
from idverify.web.pages.act_words import PURPOSES, TYPES
from idverify.web.pages.part_form import YES_NO
from idverify.web.pages.said import ALLOWED, LABELS, NONE, NOT_STATED
from idverify.web.pages.words import MONTHS, N_, Language, translate

# By the names that static/wallet*.js gives
MESSAGES: Final[Mapping[str, str]] = {
    "other-issuer": N_("This offer is another service's. Open it in a wallet of your own."),
    "refused": N_("The offer is used up or has expired. Make a new one from the page with your status."),
    "try-again": N_("The service could not be reached or was busy. Try again: nothing is made twice."),
    "cannot-keep": N_(
        "This browser does not let the wallet keep anything. Use a window that is not private, or download the offer."
    ),
    "request-unreadable": N_("This is not a verification request. Paste all of the text that you were given."),
    "request-expired": N_("This request has expired. Ask whoever checks for a new one."),
    "no-such-copy": N_("You hold no document of the kind that was asked for. Collect one first."),
    "copied": N_("The answer is copied. Paste it where you were asked for it."),
    "removed": N_("The document is gone from this browser."),
    "removed-everything": N_("Nothing of yours is left in this browser. Now sign out."),
}
# Claims that are a picture, or made of lines none of which has the whole claim's name
_TITLES: Final[Mapping[str, str]] = {
    "picture": N_("Photo"),
    "travel_document": N_("Travel document"),
    "place_of_birth": N_("Place of birth"),
    "address": N_("Address"),
    "identity_assurance": N_("How the identity was checked"),
}
# By the text that JavaScript makes of a value; of an empty list it makes an empty one
_VALUES: Final[Mapping[str, str]] = {
    **ALLOWED,
    "true": YES_NO["yes"],
    "false": YES_NO["no"],
    "null": NOT_STATED,
    "": NONE,
}
# What it means that a claim has no value, where that is more than nothing
_WITHOUT: Final[Mapping[str, str]] = {"permission_end": N_("No end date")}


def wallet_words(language: Language, holder: str) -> dict[str, Any]:
    """For ``static/wallet-view.js``. ``holder`` tells apart the wallets of people who share a browser."""

    def translated(table: Mapping[Any, str]) -> dict[str, str]:
        return {str(code): translate(language, sentence) for code, sentence in table.items()}

    named = titles()
    return {
        "holder": holder,
        "messages": translated(MESSAGES),
        "types": translated(TYPES),
        "purposes": translated(PURPOSES),
        "views": {kind.id: _needed(form) for kind in CREDENTIAL_TYPES.values() if (form := kind.forms.get(SD_JWT_VC))},
        "titles": translated(named),
        "order": list(named),
        "lines": translated(LABELS),
        "values": translated(_VALUES),
        "without": translated(_WITHOUT),
        "months": [translate(language, month) for month in MONTHS],
    }


def titles() -> dict[str, str]:
    """What a whole claim is called: as its first line is. In the order in which people read them, the photo last."""
    first: dict[str, str] = {}
    for path, label in LABELS.items():
        name = path.partition(".")[0]
        first.setdefault(name, _TITLES.get(name, label))
    return {**first, **_TITLES}


def _needed(form: Form) -> dict[str, list[str]]:
    """What each purpose needs. One that leaves the choice to the holder needs nothing."""
    return {str(purpose): sorted({str(path[0]) for path in view or ()}) for purpose, view in form.views.items()}
