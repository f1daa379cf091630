"""What gave each right, held against the order of the ledger: a code, a confirmation, two admins, or the operator."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from idverify.core import security_act
from idverify.core.security_act import BOUND, REINSTATED, code_behind, confirmation_behind, printed_half
from idverify.stores.evidence import Findings, Rows
from idverify.stores.standing import AUTHORISATION, ENTRIES, KEYS, TWO, WAITING, Recorded, Standing, recorded

STAFF: Final = frozenset({"officer", "admin"})
ADD_KEY: Final = "add-security-key"
GIVEN: Final = "a security key of staff came with a code of its account, or after a confirmation of its owner's, once"
BY_TWO: Final = "what takes two admins names the confirmations of both"
ONE_ACT: Final = "the confirmation of whoever proposed something carries one act"
ALONE: Final = "once two admins are active, the operator gives no right to staff alone"
GONE: Final = "a security key confirms nothing once it was removed or suspended, or its account ended"
_TAKE_TWO: Final = {
    security_act.AUTHENTICATORS_CHANGED,
    security_act.ENROLMENT_MADE,
    security_act.ISSUERS_CHANGED,
    security_act.SIGNING_KEY_ORDERED,
    REINSTATED,
}
_OPERATORS: Final = {security_act.ENROLMENT_MADE, security_act.AUTHENTICATORS_CHANGED}
_CONFIRMED: Final = """
    SELECT a.handle, a.act, a.action_digest, a.account_id, a.security_key_id FROM authorisation a
    JOIN account o ON o.id = a.account_id WHERE o.role <> 'citizen'"""
_CODES: Final = "SELECT code_hash, role, account_id FROM enrolment WHERE role <> 'citizen'"


def entries_of(rows: Rows) -> list[Recorded]:
    """Every entry about ourselves that bears on rights, in order."""
    return recorded([*rows(ENTRIES), *rows(WAITING)])


def rights_since(entries: list[Recorded]) -> tuple[int, int] | None:
    """The place of the entry since which entries say what gave a right; ``None`` before there is one."""
    rules = (one for one in entries if one.type == security_act.POLICY_CHANGED)
    return next((one.place for one in rules if security_act.least_admin_keys(one.record.reason) is not None), None)


def printed_codes(entries: list[Recorded]) -> frozenset[bytes]:
    """What stands for every recovery code that an organisation printed, since entries say so."""
    sets = (one.record.reason for one in entries if one.type == security_act.RECOVERY_CODES_MADE)
    return frozenset(code for reason in sets for code in security_act.printed_in(reason))


def giver_findings(rows: Rows) -> Findings:
    """(ledger index, broken rule) of every right since entries say what gave it."""
    entries, keys = entries_of(rows), list(rows(KEYS))
    walk, standing = _Walk(rows, entries, keys), Standing(keys)
    for entry in entries:
        if standing.since is not None:
            for rule in walk.broken(entry, standing):
                yield entry.place[1], rule
        walk.after(entry)
        standing.after(entry)


class _Walk:
    """The ledger from its first entry on, and what was seen of it so far."""

    def __init__(self, rows: Rows, entries: list[Recorded], keys: list[Any]) -> None:
        self._roles = {security_act.account_digest(row): row["role"] for row in keys}
        self._accounts = {row["id"]: security_act.account_digest(row) for row in keys}
        self._keys = {row["key_id"]: row["cose_key"] for row in keys}
        self._confirmed = {row["handle"]: row for row in rows(_CONFIRMED)}
        self._codes = {row["code_hash"]: row for row in rows(_CODES)}
        self._came = {code_behind(one.record.reason): one.record.decision for one in entries if one.type == BOUND}
        self._by_handle = {one.handle: one for one in entries if one.type == AUTHORISATION}
        self._by_evidence: dict[bytes, Recorded] = {}
        self._made: dict[bytes, Recorded] = {}
        self._given: set[bytes] = set()
        self._firsts: set[bytes] = set()
        self._last: Recorded | None = None

    def after(self, entry: Recorded) -> None:
        """Go one entry further."""
        record = entry.record
        if entry.type == security_act.ENROLMENT_MADE and record.decision is not None:
            self._made[record.decision] = entry
        if entry.type == security_act.RECOVERY_CODES_MADE:
            self._made |= dict.fromkeys(security_act.printed_in(record.reason), entry)
        if entry.type == AUTHORISATION:
            self._by_evidence[record.object_digest] = entry
            self._firsts |= set() if record.decision is None else {record.decision}
        self._last = entry

    def broken(self, entry: Recorded, standing: Standing) -> Iterator[str]:
        """The rules that an entry breaks where it stands."""
        if entry.type == BOUND and not self._is_given(entry):
            yield GIVEN
        if entry.type == AUTHORISATION and entry.record.decision in self._firsts:
            yield ONE_ACT
        if entry.type == AUTHORISATION and self._is_of_a_key(entry, standing):
            yield GONE
        if entry.type in _TAKE_TWO and not self._is_agreed(entry):
            yield BY_TWO
        if self._is_the_operators(entry) and standing.active_admins() >= TWO:
            yield ALONE

    def _is_given(self, entry: Recorded) -> bool:
        """Whether what a bound key says that it came with was there, was of its account, and gave no other key."""
        code, confirmation = code_behind(entry.record.reason), confirmation_behind(entry.record.reason)
        right = code or confirmation
        if right is None or right in self._given:
            return False
        self._given.add(right)
        whose = entry.record.decision
        if code is None:
            row = self._confirmed.get(right)
            before = (one for one in self._by_evidence.values() if one.handle == right)
            ours = row is not None and row["act"] == ADD_KEY and self._accounts.get(row["account_id"]) == whose
            return ours and any(before)
        row = self._codes.get(code)
        made = code in self._made or printed_half(code) in self._made
        return made and row is not None and self._leads_to(row, whose)

    def _leads_to(self, code: Any, account: bytes | None) -> bool:
        of_account = code["account_id"] is None or self._accounts.get(code["account_id"]) == account
        return of_account and code["role"] == self._roles.get(account or b"")

    def _is_of_a_key(self, entry: Recorded, standing: Standing) -> bool:
        """Whether a confirmation is by a key that was gone by then."""
        row = self._confirmed.get(entry.handle)
        key = None if row is None else self._keys.get(row["security_key_id"])
        return key is not None and standing.gone(hashlib.sha256(key).digest())

    def _is_agreed(self, entry: Recorded) -> bool:
        """Whether two admins confirmed it, or it is one of those that the operator or one person gives."""
        if entry.type == security_act.ENROLMENT_MADE and self._role_of(entry) not in STAFF:
            return True
        second = self._confirmation_of(entry)
        if second is None:
            return entry.type in _OPERATORS
        first = self._by_evidence.get(second.record.decision or b"")
        rows = [self._confirmed.get(one.handle) for one in (first, second) if one is not None]
        return len(rows) == TWO and None not in rows and _by_two(*rows)

    def _confirmation_of(self, entry: Recorded) -> Recorded | None:
        """The confirmation of a deed stands right behind it; what an act changed, behind the confirmation."""
        if entry.type != REINSTATED:
            return self._by_handle.get(entry.confirmed_by or b"")
        shard, index = entry.place
        last = self._last
        return last if last is not None and last.place == (shard, index - 1) and last.type == AUTHORISATION else None

    def _is_the_operators(self, entry: Recorded) -> bool:
        """Whether it is a link or a list of the operator's, or a key that came with such a link."""
        if entry.type == BOUND:
            code = code_behind(entry.record.reason)
            made = None if code is None else self._made.get(code)
            of_staff = self._roles.get(entry.record.decision or b"") in STAFF
            return of_staff and made is not None and made.confirmed_by is None
        of_staff = entry.type != security_act.ENROLMENT_MADE or self._role_of(entry) in STAFF
        return entry.type in _OPERATORS and of_staff and entry.confirmed_by is None

    def _role_of(self, entry: Recorded) -> str | None:
        """Of whom a code makes somebody: as its row says, or, if that is gone, as the account that came of it does."""
        code = entry.record.decision or b""
        row = self._codes.get(code)
        return self._roles.get(self._came.get(code) or b"") if row is None else row["role"]


def _by_two(first: Any, second: Any) -> bool:
    same = (first["act"], first["action_digest"]) == (second["act"], second["action_digest"])
    return bool(
        same and first["account_id"] != second["account_id"] and first["security_key_id"] != second["security_key_id"]
    )
