"""Acts that bear on who may do what here, and the digest of each by which a ledger entry names its row.

The digest is SHA-256 over canonical JSON, which rows that stay can be held against.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from idverify.core.action import canonical_json

ACCOUNT_ENDED: Final = "security.account-ended"
API_KEY_MADE: Final = "security.api-key-made"
API_KEY_REVOKED: Final = "security.api-key-revoked"
ENROLMENT_CANCELLED: Final = "security.enrolment-cancelled"
AUTHENTICATORS_CHANGED: Final = "security.authenticators-changed"
ENROLMENT_MADE: Final = "security.enrolment-made"
RECOVERY_CODES_MADE: Final = "security.recovery-codes-made"
SIGNING_KEY_ORDERED: Final = "security.signing-key-ordered"
SIGNED_OUT: Final = "security.signed-out-everywhere"
ISSUERS_CHANGED: Final = "security.issuers-changed"
POLICY_CHANGED: Final = "policy.changed"
METADATA_LOADED: Final = "policy.metadata-loaded"
# What became of a key, of people's security keys and of ours; these stand behind the act that they belong to
BOUND: Final = "authenticator.bound"
REMOVED: Final = "authenticator.removed"
SUSPENDED: Final = "authenticator.suspended"
REINSTATED: Final = "authenticator.reinstated"
SIGNING_KEY_TAKEN: Final = "key.active"
SIGNING_KEY_RETIRED: Final = "key.retired"
METADATA_NUMBER: Final = "number "  # and it: the reason of such an entry

RIGHTS: Final = "rights 1"
_RIGHTS: Final = re.compile(f"{RIGHTS}, admins have ([1-9]) keys or more")
_HALF: Final = 16
_WITH_CODE: Final = "code "
_CONFIRMED: Final = "confirmed "
_CODE: Final = ("code_hash", "role", "actor", "purpose")
_ACCOUNT: Final = ("handle", "role", "actor", "purpose")
# What of its row an act is about: names that are there from the first and never change, with something random among
# them, so that nobody finds the object by trying.
NAMED: Final[Mapping[str, tuple[str, ...]]] = {
    ACCOUNT_ENDED: ("handle", "actor", "role"),
    API_KEY_MADE: ("id", "actor", "role", "purpose", "secret_hash"),
    API_KEY_REVOKED: ("id",),
    ENROLMENT_CANCELLED: _CODE,
    AUTHENTICATORS_CHANGED: ("version", "document"),
    ENROLMENT_MADE: (*_CODE, "kind", "account_id", "person_id", "not_before", "expires_at"),
    RECOVERY_CODES_MADE: ("handle",),
    ISSUERS_CHANGED: ("version", "document", "decided_at"),
    SIGNING_KEY_ORDERED: ("handle", "old_key_id", "role", "reason"),
    SIGNED_OUT: ("handle",),
}


def object_digest(kind: str, row: Any) -> bytes:
    """The digest of what an act of this kind did to this row; bytes are told in hex."""
    before_kinds = kind == ENROLMENT_MADE and row["kind"] is None  # of such a code no more was recorded
    return _digest(_CODE if before_kinds else NAMED[kind], row)


def rights_recorded(least_keys: int) -> str:
    """The reason of an entry of the rules: from here on entries say what gave a right; how many keys an admin needs."""
    return f"{RIGHTS}, admins have {least_keys} keys or more"


def least_admin_keys(reason: str | None) -> int | None:
    """How many keys an admin needs, by the reason of an entry of the rules; ``None`` for one of before."""
    found = _RIGHTS.fullmatch(reason or "")
    return None if found is None else int(found[1])


def with_code(code_hash: bytes) -> str:
    """What the entry of a bound security key says of how it came: with a one-time code."""
    return f"{_WITH_CODE}{code_hash.hex()}"


def with_confirmation(handle: bytes) -> str:
    """Likewise: after its owner confirmed it with another key; ``handle`` is that of the confirmation."""
    return f"{_CONFIRMED}{handle.hex()}"


def code_behind(reason: str | None) -> bytes | None:
    """The hash of the code that a key came with, if it came with one."""
    return _behind(_WITH_CODE, reason)


def confirmation_behind(reason: str | None) -> bytes | None:
    """The handle of the confirmation that a key came after, if it came after one."""
    return _behind(_CONFIRMED, reason)


def printed(code_hashes: Iterable[bytes]) -> str:
    """What the entry of a set of recovery codes says of which they are; the reason of an entry has room for eight."""
    return "".join(sorted(printed_half(one).hex() for one in code_hashes))


def printed_half(code_hash: bytes) -> bytes:
    """What stands for a code in the entry of its set: 128 bits of its hash."""
    return code_hash[:_HALF]


def printed_in(reason: str | None) -> frozenset[bytes]:
    """What stands for each code of a set; nothing in an entry of before."""
    try:
        said = bytes.fromhex(reason or "")
    except ValueError:
        said = b""
    return frozenset(said[start : start + _HALF] for start in range(0, len(said), _HALF))


def _behind(how: str, reason: str | None) -> bytes | None:
    if reason is None or not reason.startswith(how):
        return None
    try:
        return bytes.fromhex(reason.removeprefix(how))
    except ValueError:
        return None


def account_digest(account: Any) -> bytes:
    """What the entry of a bound security key says of whose it is: never the handle itself, since evidence shows it."""
    return _digest(_ACCOUNT, account)


def _digest(names: tuple[str, ...], row: Any) -> bytes:
    return hashlib.sha256(canonical_json({name: _text(row[name]) for name in names})).digest()


def _text(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
