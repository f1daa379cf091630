"""The rules in force are on the ledger, and every change of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from idverify.core import decision
from idverify.core.decision import DecisionKind
from idverify.core.policy import Role
from idverify.core.trust import TrustStore
from idverify.services import policy_record
from idverify.services.log_book import LogBook
from idverify.services.office import Office
from idverify.services.policy_record import POLICY_CHANGED, digest, policy, record_policy, recorded
from idverify.services.trust_book import TrustBook
from idverify.stores import tables
from tests.simulators.software_office import SoftwareOffice


async def _entries(office: Office) -> int:
    query = select(tables.ledger_record.c.type).where(tables.ledger_record.c.type == POLICY_CHANGED)
    return len(await office.store.fetch(query, {}))


async def test_the_first_start_records_the_rules(served: SoftwareOffice) -> None:
    """Once, and not again at a start at which they are the same."""
    assert await recorded(served.office) == digest(policy(served.office))

    assert not await record_policy(served.office)

    assert await _entries(served.office) == 1


@pytest.mark.parametrize("changed", ["keys", "two people", "issuers", "log", "recovery key"])
async def test_a_change_is_recorded(served: SoftwareOffice, changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weaker keys, one person for two, others to rely on, other witnesses, another recovery key: an entry each."""
    office: Any = served.office
    match changed:
        case "keys":
            soft = {**office.key_policies, Role.OFFICER: office.key_policies[Role.CITIZEN]}
            office = replace(office, key_policies=soft)
        case "two people":
            alone = replace(decision.EFFECTS[DecisionKind.REVOKE], two_people=False)
            monkeypatch.setattr(policy_record, "EFFECTS", {**decision.EFFECTS, DecisionKind.REVOKE: alone})
        case "issuers":
            office = replace(office, trust_book=TrustBook(TrustStore({}), office.doors))
        case "log":
            other = replace(office.log_book.policy_of(office.log.origin), text="quorum none\n")
            monkeypatch.setattr(LogBook, "policy_of", lambda _book, _origin: other)
        case "recovery key":
            monkeypatch.setattr(served.token, "recovery_key", b"theirs..")

    assert await record_policy(office)

    assert await _entries(served.office) == 2
    assert await recorded(office) == digest(policy(office))
