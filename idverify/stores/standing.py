"""Who had which security key at each moment, as the ledger alone says: what a right of that moment is judged by.

Rows say how things are now, and whoever may write to the database makes them say otherwise for a minute. Entries keep
their order, so of each it can be told which keys worked, and how many admins there were, when it was recorded.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.core import security_act
from idverify.core.policy import Role
from idverify.core.security_act import BOUND, POLICY_CHANGED, REINSTATED, REMOVED, SUSPENDED
from idverify.ledger.commitment import SALT_SIZE, Record
from idverify.ledger.errors import LedgerError

AUTHORISATION: Final = "authorisation"
TWO: Final = 2
_TYPES: Final = (
    *(BOUND, REMOVED, SUSPENDED, REINSTATED, AUTHORISATION, POLICY_CHANGED),
    *(security_act.ACCOUNT_ENDED, security_act.AUTHENTICATORS_CHANGED, security_act.ENROLMENT_MADE),
    *(security_act.ISSUERS_CHANGED, security_act.RECOVERY_CODES_MADE, security_act.SIGNING_KEY_ORDERED),
)
_NAMED: Final = ", ".join(f"'{name}'" for name in _TYPES)
# What is recorded of ourselves, and the entry right behind each: a deed is followed by its confirmation.
ENTRIES: Final = f"""
    SELECT r.shard, r.ledger_index, r.type, r.handle, r.opening, n.type AS next_type, n.handle AS next_handle
    FROM ledger_record r LEFT JOIN ledger_record n ON n.shard = r.shard AND n.ledger_index = r.ledger_index + 1
    WHERE r.person_id IS NULL AND r.type IN ({_NAMED}) ORDER BY r.shard, r.ledger_index"""  # noqa: S608  our own names
# What waits for the next log comes after all that is in one.
WAITING: Final = f"""
    SELECT {2**62} AS shard, r.position AS ledger_index, r.type, r.handle, r.opening, n.type AS next_type,
    n.handle AS next_handle FROM ledger_waiting r LEFT JOIN ledger_waiting n ON n.position = r.position + 1
    WHERE r.person_id IS NULL AND r.type IN ({_NAMED}) ORDER BY r.position"""  # noqa: S608  our own names
_MAKES_ACTIVE: Final = frozenset({BOUND, REINSTATED, POLICY_CHANGED})
# Keys of staff and organisations, with their accounts.
KEYS: Final = """
    SELECT k.id AS key_id, k.cose_key, k.removed_at, k.suspended_at, a.id, a.handle, a.role, a.actor, a.purpose
    FROM account a LEFT JOIN security_key k ON k.account_id = a.id WHERE a.role <> 'citizen' ORDER BY k.id"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry about ourselves, and what stands right behind it; the place is (shard, index)."""

    place: tuple[int, int]
    type: str
    handle: bytes
    record: Record
    next_type: str | None
    next_handle: bytes | None

    @property
    def confirmed_by(self) -> bytes | None:
        """The handle of the confirmation of this deed; ``None`` where nobody confirmed it, as on the command line."""
        return self.next_handle if self.next_type == AUTHORISATION else None


def recorded(rows: Iterable[Any]) -> list[Recorded]:
    """The entries of rows of ``ENTRIES`` and ``WAITING``, in order; any that cannot be read is the audit's to find."""
    return list(_read(rows))


def record_in(opening: bytes) -> Record | None:
    """The record of an unsealed opening, if it is one."""
    try:
        return Record.decode(opening[SALT_SIZE:])
    except LedgerError:
        return None


class Standing:
    """How things stand after the entries that it was told; ``keys`` are rows of ``KEYS``.

    They say which account an entry names, and whose a key is of which no entry says so. ``since`` is the entry from
    which on entries say what gave each right: what is older cannot.
    """

    def __init__(self, keys: Iterable[Any]) -> None:
        rows = list(keys)
        known = {security_act.account_digest(row): row for row in rows}
        self._of_rows = {_digest(row["cose_key"]): security_act.account_digest(row) for row in rows if row["cose_key"]}
        self._roles: Mapping[bytes, str] = {digest: row["role"] for digest, row in known.items()}
        self._by_end = {security_act.object_digest(security_act.ACCOUNT_ENDED, row): one for one, row in known.items()}
        self._held: defaultdict[bytes | None, Counter[bytes]] = defaultdict(Counter)
        self._bound, self._removed = Counter[bytes](), Counter[bytes]()
        self._stopped, self._ended, self._active = set[bytes](), set[bytes](), set[bytes]()
        self._whose: dict[bytes, bytes | None] = {}
        self._least = TWO
        self.since: Recorded | None = None

    def after(self, entry: Recorded) -> None:
        """Take one more entry into account."""
        key = entry.record.object_digest
        match entry.type:
            case security_act.BOUND:
                self._bound[key] += 1
                whose = entry.record.decision or self._of_rows.get(key)
                self._whose[key] = whose
                self._held[whose][key] += 1
            case security_act.REMOVED:
                self._removed[key] += 1
                self._held[self._whose.get(key)][key] -= 1
            case security_act.SUSPENDED:
                self._stopped.add(key)
            case security_act.REINSTATED:
                self._stopped.discard(key)
            case security_act.ACCOUNT_ENDED:
                self._ended |= {self._by_end[key]} if key in self._by_end else set()
            case security_act.POLICY_CHANGED:
                self._new_rules(entry)
        if entry.type in _MAKES_ACTIVE:
            self._active |= {one for one in self._roles if len(self._usable(one)) >= self._least}

    def gone(self, key: bytes) -> bool:
        """Whether a key (its SHA-256) was removed or suspended by then, or its account ended."""
        removed = 0 < self._removed[key] >= self._bound[key]
        return removed or key in self._stopped or self._whose.get(key) in self._ended

    def active_admins(self) -> int:
        """How many could sign in: who had as many keys as they need, and still had one that worked."""
        admins = {one for one in self._active - self._ended if self._roles[one] == Role.ADMIN}
        return sum(bool(self._usable(one)) for one in admins)

    def _usable(self, account: bytes) -> set[bytes]:
        held = self._held[account] if account in self._held else Counter[bytes]()
        return {key for key, number in held.items() if number > 0 and key not in self._stopped}

    def _new_rules(self, entry: Recorded) -> None:
        least = security_act.least_admin_keys(entry.record.reason)
        if least is not None:
            self._least = least
            self.since = self.since or entry


def _digest(cose_key: bytes) -> bytes:
    return hashlib.sha256(cose_key).digest()


def _read(rows: Iterable[Any]) -> Iterator[Recorded]:
    for row in rows:
        if (record := record_in(row["opening"])) is not None:
            place = row["shard"], row["ledger_index"]
            yield Recorded(place, row["type"], row["handle"], record, row["next_type"], row["next_handle"])
