"""Keys that never leave a PKCS#11 token, for asyncio programs.

    from hsm import Algorithm, Hsm, TokenConfig

    async with Hsm(TokenConfig(module, label="documents", serial=None, pin_file=pin_file)) as hsm:
        signature = await hsm.sign(key, message)

`python -m hsm --help` makes tokens and looks after them.
"""

from hsm.admission import Priority
from hsm.client import Hsm
from hsm.config import TokenConfig
from hsm.errors import (
    HsmAmbiguous,
    HsmBusy,
    HsmDecryptFailed,
    HsmError,
    HsmInventoryRefused,
    HsmKeyMissing,
    HsmKeyRefused,
    HsmModuleMissing,
    HsmOutcomeUnknown,
    HsmPinMissing,
    HsmPinRefused,
    HsmPolicy,
    HsmSharesRefused,
    HsmTimeout,
    HsmTokenMissing,
    HsmUnavailable,
)
from hsm.health import BreakerState, HsmHealth, HsmState
from hsm.keys import Algorithm, KeyInfo
from hsm.roles import KeyRole, RoleKey, Roles, RoleSignature
from hsm.sealed import SealedKey
from hsm.token_set import TokenSet
from hsm.tokens import init_token

__all__ = [
    "Algorithm",
    "BreakerState",
    "Hsm",
    "HsmAmbiguous",
    "HsmBusy",
    "HsmDecryptFailed",
    "HsmError",
    "HsmHealth",
    "HsmInventoryRefused",
    "HsmKeyMissing",
    "HsmKeyRefused",
    "HsmModuleMissing",
    "HsmOutcomeUnknown",
    "HsmPinMissing",
    "HsmPinRefused",
    "HsmPolicy",
    "HsmSharesRefused",
    "HsmState",
    "HsmTimeout",
    "HsmTokenMissing",
    "HsmUnavailable",
    "KeyInfo",
    "KeyRole",
    "Priority",
    "RoleKey",
    "RoleSignature",
    "Roles",
    "SealedKey",
    "TokenConfig",
    "TokenSet",
    "init_token",
]
