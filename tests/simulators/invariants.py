"""What must be true of a database at rest, whatever happened to the service that wrote it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from idverify.formats.sdjwt_vc import SdJwtVc
from idverify.ledger.audit import Report, fsck
from idverify.services.log_keys import log_keys
from idverify.stores.open import Location, open_log
from idverify.stores.row_rules import ROW_RULES
from tests.simulators.databases import rows

# At rest more holds than ``ROW_RULES``, which must hold at every moment.
RULES: Final[Mapping[str, str]] = {
    **ROW_RULES,
    "no issuance is open": "SELECT id FROM issuance WHERE state = 'open'",
    "an intent that was carried out has its answer": """
        SELECT handle FROM issuance WHERE state = 'issued' AND sealed_answer IS NULL""",
    "a void intent has its own entry": """
        SELECT 'void', voided, recorded FROM (SELECT count(*) AS voided FROM issuance WHERE state = 'void') AS v,
        (SELECT count(*) AS recorded FROM ledger_record WHERE type = 'issuance.void') AS r
        WHERE voided <> recorded""",
    "a status index is used once": """
        SELECT status_index FROM issuance GROUP BY status_list, status_index HAVING count(*) > 1""",
    "an offer gives one credential": """
        SELECT offer_id FROM issuance WHERE state = 'issued' GROUP BY offer_id HAVING count(*) > 1""",
    "an offer is used up by a credential and by nothing else": """
        SELECT o.id FROM offer o LEFT JOIN issuance i ON i.offer_id = o.id AND i.state = 'issued'
        WHERE (o.consumed_at IS NULL) <> (i.id IS NULL)""",
}
# PostgreSQL checks every reference when it is written, SQLite where it is told to.
SQLITE_RULES: Final[Mapping[str, str]] = {"references lead somewhere": "PRAGMA foreign_key_check"}


def broken(location: Location) -> list[str]:
    """Every rule that does not hold, with what breaks it; the audit's findings are among them."""
    rules = {**RULES, **SQLITE_RULES} if isinstance(location, Path) else RULES
    found = {rule: rows(location, query) for rule, query in rules.items()}
    return [f"{rule}: {some}" for rule, some in found.items() if some] + _ledger_findings(location)


def missing(location: Location, answers: list[dict[str, Any]]) -> list[str]:
    """Handles of acknowledged credentials that the database does not hold as they were acknowledged."""
    credentials = rows(location, "SELECT handle, ledger_index, issuer_signed_digest FROM credential")
    held = {handle.hex(): tuple(rest) for handle, *rest in credentials}
    return [answer["handle"] for answer in answers if held.get(answer["handle"]) != _acknowledged(answer)]


def _acknowledged(answer: dict[str, Any]) -> tuple[int, bytes]:
    presented = SdJwtVc().read(answer["credential"].encode())
    return answer["ledger"]["index"], hashlib.sha256(presented.issuer_signed).digest()


def _ledger_findings(location: Location) -> list[str]:
    source = open_log(location)
    try:
        origin = source.deployment()["log_origin"]
        verifier, *further = (key.verifier(origin) for key in log_keys(source.signing_keys()))
        *_, report = fsck(source, verifier, origin, further=further)
        assert isinstance(report, Report)
        return [*map(str, report.findings), *map(str, source.record_findings()), *map(str, source.row_findings())]
    finally:
        source.close()
