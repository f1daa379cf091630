"""Checking again, in an audit, what people confirmed with their security keys: signatures, not only columns."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from typing import Final

from idverify.auth.step_up import verify_evidence
from idverify.errors import IdverifyError
from idverify.ledger.commitment import SALT_SIZE, Record

_CONFIRMATIONS: Final = """
    SELECT a.ledger_index, a.action_digest, a.evidence, k.cose_key, r.person_id, r.opening FROM authorisation a
    LEFT JOIN security_key k ON k.id = a.security_key_id AND k.account_id = a.account_id
    JOIN ledger_record r ON r.shard = a.ledger_shard AND r.ledger_index = a.ledger_index AND r.handle = a.handle
    ORDER BY a.ledger_shard, a.ledger_index"""


def evidence_findings(connection: sqlite3.Connection) -> Iterator[tuple[int, str]]:
    """(ledger index, broken rule) for every confirmation whose evidence is not what its row and its entry say.

    What the entry of a confirmation about a person commits to rests sealed; only its holder can open it.
    """
    for row in connection.execute(_CONFIRMATIONS):
        try:
            proven = verify_evidence(row["evidence"])
        except IdverifyError:
            yield row["ledger_index"], "the evidence of a confirmation holds"
            continue
        if (proven.action_digest, proven.cose_key) != (row["action_digest"], row["cose_key"]):
            yield row["ledger_index"], "evidence is of the act and the key that its row names"
        committed = hashlib.sha256(row["evidence"]).digest()
        if row["person_id"] is None and Record.decode(row["opening"][SALT_SIZE:]).object_digest != committed:
            yield row["ledger_index"], "the entry of a confirmation commits to its evidence"
