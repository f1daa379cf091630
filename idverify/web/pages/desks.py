"""Where somebody's work begins, and what their desk leads to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from idverify.core.policy import Role
from idverify.web.pages.words import N_

_KEYS: Final = ("/account/keys", N_("Your security keys"))
_CONFIRMED: Final = ("/account/confirmations", N_("What was confirmed"))

# Path and text; the first is the desk itself
DESKS: Final[Mapping[Role, tuple[tuple[str, str], ...]]] = {
    Role.OFFICER: (
        ("/officer", N_("Officer's desk")),
        ("/officer/verify", N_("Check a document")),
        ("/officer/proposals", N_("Decisions that wait")),
        _CONFIRMED,
        _KEYS,
    ),
    Role.CITIZEN: (("/citizen", N_("Your status")), ("/citizen/wallet", N_("Demo wallet")), _KEYS),
    Role.RELYING_PARTY: (
        ("/relying-party", N_("Checks")),
        ("/relying-party/verify", N_("Check a document")),
        ("/relying-party/keys", N_("API keys")),
        ("/relying-party/usage", N_("Checks made")),
        _KEYS,
    ),
    Role.ADMIN: (("/admin", N_("Administration")), ("/admin/keys", N_("API keys")), _CONFIRMED, _KEYS),
}


def home_of(role: Role) -> str:
    """The path of a role's desk."""
    return DESKS[role][0][0]
