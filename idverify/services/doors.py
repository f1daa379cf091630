"""Rows that open doors: what gives somebody a right is believed only with a MAC that no writer of rows can make.

Sessions, ceremonies, one-time codes, offers, API keys and people's security keys are rows, and whoever may write to the
database could write one for themselves, or change whose it is. Each carries an HMAC over all of it that never changes,
under a secret that a token opens at start and the database does not hold. Nothing is asked of the token afterwards
(docs/decisions/0019).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Table

from idverify.core.action import canonical_json
from idverify.ports import Custodian
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Insert

SECRET_NAME: Final = b"deployment"
"""Under which the secret is wrapped, as people's keys are under their ids."""
SECRET_LABEL: Final = b"rows-that-open-doors|1"
"""What a token's look-up key was given to derive the secret, where it was made by one token alone."""
_WHOSE: Final = ("role", "actor", "purpose", "person_id")  # of the account: a row opens it as what it was

# What is bound together, by table: all that never changes, and of whoever it lets in, who they are.
BOUND_TOGETHER: Final[Mapping[str, tuple[str, ...]]] = {
    "api_key": ("id", "actor", "role", "purpose", "secret_hash", "authorisation_id", "created_at"),
    "ceremony": (
        *("id", "handle", "kind", "challenge", "account_id", "session_id", "enrolment_id", "user_handle", "nonce"),
        *("action_digest", "authorisation_handle", "created_at", "expires_at"),
    ),
    "enrolment": (
        *("id", "code_hash", "role", "actor", "purpose", "person_id", "created_by", "authorisation_id"),
        *("proposed_by_account", "created_at", "expires_at", "kind", "account_id", "not_before"),
    ),
    "offer": (
        *("id", "code_hash", "person_id", "type", "format", "nonce", "created_by", "authorisation_id", "replaces"),
        "expires_at",
    ),
    "security_key": ("id", "handle", "account_id", "credential_id", "cose_key", "user_handle", *_WHOSE),
    "session": (
        *("id", "handle", "token_hash", "csrf_key", "account_id", "security_key_id", "created_at", "expires_at"),
        *("shared_computer", *_WHOSE),
    ),
}
# Rows of before, which get their MAC at the first start: sessions, ceremonies and offers end with the migration.
_ADOPTED: Final = {
    tables.api_key: queries.UNBOUND_API_KEYS,
    tables.enrolment: queries.UNBOUND_ENROLMENTS,
    tables.security_key: queries.UNBOUND_SECURITY_KEYS,
}


class Doors:
    """Makes and checks the MACs of rows; a few microseconds each."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def inserting(self, table: Table, row: Mapping[str, Any], otherwise: Any = None, **whose: Any) -> Insert:
        """Inserts a row with its MAC; ``whose`` are columns of the account that it opens."""
        return Insert(table, {**row, "mac": self.mac(table, {**row, **whose})}, otherwise)

    def mac(self, table: Table, row: Any) -> bytes:
        """HMAC-SHA256 over the columns of ``BOUND_TOGETHER``; ``row`` has those of its account, too."""
        said = {name: _text(row[name]) for name in BOUND_TOGETHER[table.name]}
        return hmac.digest(self._secret, canonical_json({"table": table.name, **said}), "sha256")

    def derived(self, label: str) -> bytes:
        """32 bytes for something else that nobody outside may know, the same for the same label."""
        return hmac.digest(self._secret, b"derived|" + hashlib.sha256(label.encode()).digest(), "sha256")

    def holds(self, table: Table, row: Any) -> bool:
        """Whether the service wrote this row as it is; in constant time."""
        return row["mac"] is not None and hmac.compare_digest(row["mac"], self.mac(table, row))


async def doors(custodian: Custodian) -> Doors:
    """Made of the secret, which any token opens. Raises what the tokens do."""
    return Doors(await custodian.secret())


def whose(account: Any) -> dict[str, Any]:
    """The columns of an account that are bound into what opens it."""
    return {name: account[name] for name in _WHOSE}


async def adopt(store: Store, ours: Doors) -> None:
    """Give rows of an earlier version their MAC: only ever before the ledger says that rows have one."""

    async def all_of_them(transaction: Transaction) -> None:
        for table, query in _ADOPTED.items():
            update = f"UPDATE {table.name} SET mac = :mac WHERE id = :id AND mac IS NULL"  # noqa: S608  our own names
            for row in await transaction.fetch(query, {}):
                await transaction.connection.run(update, {"mac": ours.mac(table, row), "id": row["id"]})

    await store.write(all_of_them)


def _text(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
