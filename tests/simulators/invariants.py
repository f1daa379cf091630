"""What must be true of a database at rest, whatever happened to the service that wrote it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from idverify.formats.sdjwt_vc import SdJwtVc
from idverify.ledger.audit import Report, fsck
from idverify.services.log_keys import log_keys
from idverify.stores.row_rules import ROW_RULES
from idverify.stores.sqlite import connect
from idverify.stores.sqlite_ledger import SqliteLogSource

# At rest more holds than ``ROW_RULES``, which must hold at every moment.
RULES: Final[Mapping[str, str]] = {
    **ROW_RULES,
    "no issuance is open": "SELECT hex(id) FROM issuance WHERE state = 'open'",
    "an intent that was carried out has its answer": """
        SELECT hex(handle) FROM issuance WHERE state = 'issued' AND sealed_answer IS NULL""",
    "a void intent has its own entry": """
        SELECT 'void', voided, recorded FROM (SELECT count(*) voided FROM issuance WHERE state = 'void'),
        (SELECT count(*) recorded FROM ledger_record WHERE type = 'issuance.void') WHERE voided <> recorded""",
    "a status index is used once": """
        SELECT status_index FROM issuance GROUP BY status_list, status_index HAVING count(*) > 1""",
    "an offer gives one credential": """
        SELECT hex(offer_id) FROM issuance WHERE state = 'issued' GROUP BY offer_id HAVING count(*) > 1""",
    "an offer is used up by a credential and by nothing else": """
        SELECT hex(o.id) FROM offer o LEFT JOIN issuance i ON i.offer_id = o.id AND i.state = 'issued'
        WHERE (o.consumed_at IS NULL) <> (i.id IS NULL)""",
    "references lead somewhere": "PRAGMA foreign_key_check",
}


def broken(database: Path) -> list[str]:
    """Every rule that does not hold, with what breaks it; the audit's findings are among them."""
    connection = connect(database, read_only=True)
    try:
        rows = {rule: [tuple(row) for row in connection.execute(query)] for rule, query in RULES.items()}
    finally:
        connection.close()
    return [f"{rule}: {found}" for rule, found in rows.items() if found] + _ledger_findings(database)


def missing(database: Path, answers: list[dict[str, Any]]) -> list[str]:
    """Handles of acknowledged credentials that the database does not hold as they were acknowledged."""
    connection = connect(database, read_only=True)
    try:
        held = {
            row["handle"].hex(): (row["ledger_index"], row["issuer_signed_digest"])
            for row in connection.execute("SELECT handle, ledger_index, issuer_signed_digest FROM credential")
        }
    finally:
        connection.close()
    return [answer["handle"] for answer in answers if held.get(answer["handle"]) != _acknowledged(answer)]


def _acknowledged(answer: dict[str, Any]) -> tuple[int, bytes]:
    presented = SdJwtVc().read(answer["credential"].encode())
    return answer["ledger"]["index"], hashlib.sha256(presented.issuer_signed).digest()


def _ledger_findings(database: Path) -> list[str]:
    source = SqliteLogSource(database)
    try:
        origin = source.deployment()["log_origin"]
        verifier = log_keys(source.signing_keys())[0].verifier(origin)
        *_, report = fsck(source, verifier, origin)
        assert isinstance(report, Report)
        return [*map(str, report.findings), *map(str, source.record_findings()), *map(str, source.row_findings())]
    finally:
        source.close()
