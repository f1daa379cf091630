"""Every act has one form on the ledger: what follows what in public says no more than the coarse types do."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
import pytest_asyncio

from idverify.ledger.entry import EntryType
from idverify.services.records import ENTRY_TYPES, PUBLIC_TYPES
from tests.simulators.acts import Mark, every_act
from tests.simulators.software_office import software_office

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMINISTRATION, STATUS, KEY = EntryType.ADMINISTRATION, EntryType.STATUS, EntryType.KEY
ACT = (ADMINISTRATION, ADMINISTRATION)
# Behind the two entries of an act stands what it changed: nothing, a key, or one copy (here everybody has one).
FORMS = {ACT, (*ACT, KEY), (*ACT, STATUS)}
ALONE = {(EntryType.CREDENTIAL,), (EntryType.POLICY,)}
# A copy that takes the place of another commits together with what becomes of that one.
REPLACING = {(EntryType.CREDENTIAL, *ACT, STATUS)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def marks(tmp_path_factory: pytest.TempPathFactory) -> list[Mark]:
    """What each act left."""
    folder: Path = tmp_path_factory.mktemp("office")
    async with software_office(folder) as served:
        return await every_act(served)


async def test_every_true_type_has_its_act(marks: list[Mark]) -> None:
    """No type is without an emitter, and none is emitted that the table does not know; set-up makes the others."""
    of_set_up = {name for name, public in ENTRY_TYPES.items() if public in PUBLIC_TYPES}

    assert {kind for mark in marks for kind in mark.types} == ENTRY_TYPES.keys() - of_set_up


async def test_acts_have_one_form(marks: list[Mark]) -> None:
    """Two entries of administration, then what was changed; issuing and rules stand alone."""
    assert {mark.act: mark.public for mark in marks if mark.public not in FORMS | ALONE | REPLACING} == {}


async def test_what_may_follow_is_the_same_for_all(marks: list[Mark]) -> None:
    """Types behind which the same stands are as many as can be: none of them is alone in its form."""
    deeds = defaultdict(set)
    for mark in marks:
        deeds[mark.public].add(mark.types[0])

    assert deeds[ACT] >= {
        "cover", "decision.grant", "erasure", "security.account-ended", "security.api-key-made",
        "security.api-key-revoked", "security.authenticators-changed", "security.enrolment-cancelled",
        "security.enrolment-made", "security.issuers-changed", "security.recovery-codes-made",
        "security.signed-out-everywhere", "security.signing-key-ordered",
    }  # fmt: skip
    assert deeds[*ACT, STATUS] == {
        "cover", "decision.vary", "decision.suspend", "decision.reinstate", "decision.revoke",
    }  # fmt: skip
    assert {mark.types[2] for mark in marks if mark.public == (*ACT, KEY)} == {
        "authenticator.bound", "authenticator.removed", "authenticator.suspended", "authenticator.reinstated",
        "key.active",
    }  # fmt: skip
