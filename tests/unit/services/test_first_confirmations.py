"""Two people: what one of them and whoever writes to the database can make of a colleague's confirmation. Nothing."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any

import pytest

from idverify.auth import step_up
from idverify.auth.step_up import Context
from idverify.auth.webauthn import Expectation, KnownKey, check_assertion, check_registration
from idverify.core.action import Action, canonical_json
from idverify.core.policy import Role
from idverify.errors import Conflict
from idverify.services import administration, decide, enrol_staff
from idverify.services.invite import Invited
from idverify.stores.open import Location
from tests.simulators.databases import changed, rows
from tests.simulators.holder import holding
from tests.simulators.shards import enrol_admins
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import SoftwareOffice
from tests.simulators.two_parts import FIRST_HASH

ACTION = enrol_staff.action(Invited(Role.OFFICER, "Otto Officer"), FIRST_HASH)
MINE = os.urandom(16)


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _evidence(served: SoftwareOffice, account: bytes, key: bytes, action: Action) -> bytes:
    """Evidence that holds by itself: made with a key in software, for whatever account and act."""
    ours, now, software = served.office.deployment, served.clock.now(), PersonalKey()
    created = software.create(
        {"user": {"id": _b64(bytes(64))}, "challenge": _b64(bytes(32)), "rp": {"id": ours.rp_id}}, ours.iss
    )
    made = check_registration(Expectation(ours.rp_id, frozenset({ours.iss}), bytes(32)), created)
    named = [hashlib.sha256(one).hexdigest() for one in (account, bytes(16), key)]
    context, nonce = Context(*named, ours.rp_id, now, now + 120), os.urandom(32)
    challenge = step_up.challenge(nonce, action.digest(), context)
    known = KnownKey(made.credential_id, made.cose_key, 0, made.backup_eligible, bytes(64))
    expected = Expectation(ours.rp_id, frozenset({ours.iss}), challenge, account_known=True)
    answer = software.get({"challenge": _b64(challenge), "rpId": ours.rp_id}, ours.iss)
    asserted = check_assertion(expected, known, answer)
    return step_up.evidence(nonce, action.digest(), context, frozenset({ours.iss}), known, asserted)


def _written(location: Location, table: str, **values: Any) -> None:
    named = ", ".join(values)
    assert changed(location, f"INSERT INTO {table} ({named}) VALUES (:{', :'.join(values)})", values) == 1  # noqa: S608  ours


@pytest.mark.parametrize("key_of", ["Ada Admin", "Agnes Admin", "Olive Officer"])
async def test_an_admin_alone(key_of: str, served: SoftwareOffice, location: Location) -> None:
    """A proposal and its confirmation that were written in, by a colleague who confirmed nothing: no code is made."""
    await served.api.identity("officer")
    await enrol_admins(served)
    approver, now = await served.principal("other"), served.clock.now()
    found = "SELECT a.id, k.id FROM account a JOIN security_key k ON k.account_id = a.id WHERE a.actor = :actor"
    ((ada, _),), ((_, key),) = rows(location, found, {"actor": "Ada Admin"}), rows(location, found, {"actor": key_of})
    evidence = _evidence(served, ada, key, ACTION)
    assert step_up.verify_evidence(evidence).action_digest == ACTION.digest()
    _written(
        location,
        "authorisation",
        id=MINE,
        handle=MINE,
        ceremony_id=MINE,
        account_id=ada,
        security_key_id=key,
        act=ACTION.act,
        action_digest=ACTION.digest(),
        evidence=evidence,
        confirmed_at=now,
        ledger_shard=1,
        ledger_index=1,
    )
    _written(
        location,
        "admin_proposal",
        id=MINE,
        handle=MINE,
        act=ACTION.act,
        action=canonical_json(ACTION.to_json()),
        proposed_by="Ada Admin",
        proposed_by_account=ada,
        authorisation_id=MINE,
        created_at=now,
        expires_at=now + 3600,
    )

    with pytest.raises(Conflict, match="not what was proposed"):
        await administration.approve(served.office, approver, MINE, None)


async def test_a_decision_that_was_changed_after_it_was_proposed(served: SoftwareOffice, location: Location) -> None:
    """The second officer carries out what the first one signed, or nothing."""
    held = await holding(served.api)
    ruling = {"kind": "suspend", "reason": "under-review", "legal_basis": "Rules, part 9"}
    waiting = await served.api.ok("POST", f"/api/v1/people/{held.person}/decisions", "officer", ruling)
    assert changed(location, "UPDATE proposal SET kind = 'revoke', reason = 'fraud-found'") == 1

    with pytest.raises(Conflict, match="not what was proposed"):
        await decide.approve(served.office, await served.principal("second"), bytes.fromhex(waiting["proposal"]), None)
