"""Ordering another signing key: two admins, over the key that goes and the reason. The next ``up`` carries it out.

The new key's certificate takes the root's signature, and the root is offline while the service runs: so what two admins
do here is an order, and whoever has the root's token at hand is its executor (``services.key_ceremony``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from idverify.core import certificate_alarm, key_order, security_act
from idverify.core.action import Action
from idverify.core.key_order import Replacement
from idverify.core.policy import Act, Principal, require_may
from idverify.errors import Conflict, NotFound, Unprocessable
from idverify.formats.x509 import signs_until
from idverify.ports import EndingCertificate
from idverify.services import log_keys
from idverify.services.admin_act import AdminAct, Agreed, Done
from idverify.services.establish import CERTIFIED_ROLES
from idverify.services.office import RECEIPT_SIGNER, Office
from idverify.services.security_acts import deed
from idverify.stores import queries, tables
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Insert

ACT: Final = key_order.ACT
_FORM: Final = "A signing key is replaced by its id, with role and reason: expires, precaution or compromised."
_NOT_IN_USE: Final = "This signing key is not in use. Look at the list of signing keys again."
_ORDERED: Final = "The replacement of this key is ordered already. The next start carries it out."


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key in use that has a certificate; times in Unix seconds, ``ordered_at`` where its replacement is ordered.

    ``signs_until`` is when it ceases to sign: with its certificate, or long before; ``within_days`` is as in
    ``core.certificate_alarm``.
    """

    key_id: bytes
    role: str
    created_at: int
    signs_until: int
    ordered_at: int | None
    within_days: int | None


async def signing_keys(office: Office, admin: Principal) -> list[SigningKey]:
    """The keys that can be replaced, in the order of their roles' table."""
    require_may(admin, Act.ADMINISTER)
    rows: list[Any] = await office.store.fetch(queries.KEYS_IN_USE, {})
    orders: list[Any] = await office.store.fetch(queries.OPEN_KEY_ORDERS, {})
    ordered, now = {row["old_key_id"]: row["ordered_at"] for row in orders}, office.clock.now()
    return [
        SigningKey(
            row["key_id"],
            role,
            row["created_at"],
            until,
            ordered.get(row["key_id"]),
            certificate_alarm.alarm(until, now),
        )
        for role in CERTIFIED_ROLES
        for row in rows
        if row["role"] == role
        for until in (signs_until(row["certificate"]),)
    ]


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """A key in use that signs for the ledger, which is not replaced; ``software``: no token holds it yet."""

    role: str
    algorithm: str
    created_at: int
    software: bool


async def ledger_keys(office: Office, admin: Principal) -> list[LedgerKey]:
    """The ledger's keys, in the order of their roles."""
    require_may(admin, Act.ADMINISTER)
    rows: list[Any] = await office.store.fetch(queries.KEYS_IN_USE, {})
    return [
        LedgerKey(role, row["algorithm"], row["created_at"], row["sealed"] is not None)
        for role in (*log_keys.ROLES, RECEIPT_SIGNER)
        for row in rows
        if row["role"] == role
    ]


def ending_besides(
    office: Office, admin: Principal, keys: Collection[SigningKey]
) -> list[tuple[str, EndingCertificate]]:
    """Certificates of other keys that end before long, by what the tokens' inventories say; with the token's label."""
    require_may(admin, Act.ADMINISTER)
    known = {key.key_id for key in keys}
    return [(token.token, one) for token in office.tokens() for one in token.certificates if one.key_id not in known]


async def _check(office: Office, _admin: Principal, wanted: Action) -> None:
    rows = await office.store.fetch(queries.KEYS_IN_USE, {})
    _require_in_use(wanted, rows, await office.store.fetch(queries.OPEN_KEY_ORDERS, {}))


async def _carry_out(office: Office, wanted: Action, agreed: Agreed, transaction: Transaction) -> Done:
    rows = await transaction.fetch(queries.KEYS_IN_USE, {})
    old = _require_in_use(wanted, rows, await transaction.fetch(queries.OPEN_KEY_ORDERS, {}))
    row = {
        "id": office.new_id(),
        "handle": office.new_handle(),
        "role": old["role"],
        "reason": wanted.content["reason"],
        "old_key_id": old["key_id"],
        "authorisation_id": agreed.authorisation,
        "approval_id": agreed.approval,
        "ordered_at": office.clock.now(),
        "carried_out_at": None,
        "new_key_id": None,
    }
    return Done((Insert(tables.key_order, row),), deed(security_act.SIGNING_KEY_ORDERED, row, office.entropy))


def _require_in_use(wanted: Action, rows: list[Any], orders: list[Any]) -> Any:
    """The row of the key that the action names. Raises ``Unprocessable``, ``NotFound`` or ``Conflict``."""
    content = wanted.content
    known = content.keys() == {"role", "reason"} and content["reason"] in list(Replacement)
    if not known or content["role"] not in list(CERTIFIED_ROLES):
        raise Unprocessable(_FORM)
    old = next((row for row in rows if row["key_id"].hex() == wanted.subject), None)
    if old is None or key_order.action(old["key_id"], old["role"], content["reason"]) != wanted:
        raise NotFound(_NOT_IN_USE)
    if any(order["role"] == old["role"] for order in orders):
        raise Conflict(_ORDERED)
    return old


REPLACE: Final = AdminAct(_check, _carry_out)
