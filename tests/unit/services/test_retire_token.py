"""A token is retired: another has all its keys, everybody's key opens there, and the ledger says what went."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from idverify.core import key_order
from idverify.core.key_order import ACTIVE, RETIRING, REVOKED
from idverify.errors import Conflict, SetupError
from idverify.formats.x509 import read_certificate, read_crl
from idverify.services.audit_sample import draw, judge
from idverify.services.cosigning_key import make_cosigning_key
from idverify.services.establish import CERTIFIED_ROLES, Ceremony, TokenKey, add_keys, certify_keys
from idverify.services.key_ceremony import open_orders
from idverify.services.log_keys import CHECKPOINT_COSIGNER, CHECKPOINT_SIGNER
from idverify.services.office import ENTRIES_SIGNER, PAPER_SIGNER, RECEIPT_SIGNER, load_keys
from idverify.services.retire_token import TOKEN_RETIRED, Retirement, carry_out, require_wrapped, retirement
from idverify.services.wrap_again import wrap_again
from idverify.stores import queries
from idverify.stores.open import Location
from tests.simulators.invariants import broken
from tests.simulators.shards import enrol_admins
from tests.simulators.software_office import LABEL, SoftwareOffice, software_office

SECOND: Final = "second"
ROLES: Final = (*CERTIFIED_ROLES, CHECKPOINT_SIGNER, CHECKPOINT_COSIGNER, RECEIPT_SIGNER)


@pytest.fixture
async def served(tmp_path: Path, location: Location) -> AsyncIterator[SoftwareOffice]:
    """An office whose roles have keys on a second token, too; whatever was done, ledger and rows hold at the end."""
    async with software_office(tmp_path, location) as made:
        await _second_token(made)
        yield made
    assert broken(location) == []


async def _second_token(served: SoftwareOffice) -> None:
    office, token, clock = served.office, served.token, served.clock
    clock.advance(1)  # which is the second shows in when its keys came
    roles = (*CERTIFIED_ROLES, CHECKPOINT_SIGNER, RECEIPT_SIGNER)
    keys = [replace(token.generate(role), token=SECOND) for role in roles]
    rows: list[Any] = await office.store.fetch(queries.KEYS_IN_USE, {})
    roots = tuple(
        TokenKey(row["role"], row["token"], row["key_id"], row["algorithm"], row["public_key"])
        for row in rows
        if row["role"].startswith("root/")
    )
    certified = tuple(key for key in keys if key.role in CERTIFIED_ROLES)
    ceremony = Ceremony(roots, certified, token)
    await certify_keys(office.store, office.deployment, ceremony, clock, office.entropy)
    plain = [*(key for key in keys if key.role not in CERTIFIED_ROLES), await make_cosigning_key(token, SECOND)]
    await add_keys(office.store, plain, clock, office.entropy)


async def _retirement(served: SoftwareOffice, token: str = LABEL) -> Retirement:
    store = served.office.store
    return await retirement(store, token, (LABEL, SECOND), ROLES, await open_orders(store))


async def _states(served: SoftwareOffice) -> dict[tuple[str, str], str]:
    rows: list[Any] = await served.office.store.fetch(queries.SIGNING_KEYS, {})
    return {(row["token"], row["role"]): row["state"] for row in rows}


async def test_its_keys_make_nothing_new(served: SoftwareOffice) -> None:
    """All at once; the root that has its label stays, certificates and keys of the log stay published."""
    office = served.office
    before = await load_keys(office.store, office.deployment.iss)
    await carry_out(office.store, await _retirement(served), None, served.clock, office.entropy)

    states = await _states(served)
    assert {state for (token, role), state in states.items() if token == LABEL and role in ROLES} == {RETIRING}
    assert {state for (token, role), state in states.items() if token == SECOND or role.startswith("root/")} == {ACTIVE}
    after = await load_keys(office.store, office.deployment.iss)
    assert {role: after.issuers[role] for role in CERTIFIED_ROLES} == {
        role: further for role, (further,) in before.further.items()
    }
    assert {key.key_id for key in after.log} == {key.key_id for key in before.log}
    assert [key.active for key in after.log] == [True, False, True, False], "those that sign come first of each kind"
    assert (after.receipts, after.former_receipts) == (before.receipts[1:], before.receipts[:1])
    verifying: list[Any] = await office.store.fetch(queries.KEYS_THAT_VERIFY, {"at": served.clock.now()})
    assert {(row["token"], row["role"]) for row in verifying} >= {(LABEL, role) for role in CERTIFIED_ROLES}
    entries: list[Any] = await office.store.fetch(queries.OF_TYPE, {"type": "key.retired"})
    assert len(entries) == len(ROLES)
    with pytest.raises(SetupError, match="no keys in use on a token in memory"):
        await _retirement(served)
    with pytest.raises(SetupError, match="No other token"):
        await _retirement(served, SECOND)


async def test_an_auditor_is_shown_what_became_of_each_key(served: SoftwareOffice) -> None:
    """Every entry of it opens to the key that it names, which is out of use."""
    office = served.office
    await carry_out(office.store, await _retirement(served), None, served.clock, office.entropy)
    await office.publisher.publish_once()
    drawn = await draw(office, office.publisher._seen.size)
    judged = [one async for one in judge(office, drawn)]
    assert [one.index for one in judged if not one.holds] == []
    retired = [one for one in judged if one.type == "key.retired"]
    assert len(retired) == len(ROLES)
    assert all(one.checks["it is out of use"] for one in retired)


async def test_orders_that_wait_for_it_are_closed_with_it(served: SoftwareOffice) -> None:
    """Of a compromised key the certificate is revoked, for which the root is needed; the others hold."""
    await enrol_admins(served)
    office = served.office
    wanted = ((PAPER_SIGNER, "compromised", REVOKED), (ENTRIES_SIGNER, "expires", RETIRING))
    for role, reason, _ in wanted:
        action = key_order.action(office.keys.issuers[role].key_id, role, reason)
        await served.agreed(action, second="other")
    with pytest.raises(SetupError, match="Bring the root's token"):
        await carry_out(office.store, await _retirement(served), None, served.clock, office.entropy)
    assert RETIRING not in (await _states(served)).values(), "nothing was done"

    seen = await _retirement(served)
    await carry_out(office.store, seen, served.token, served.clock, office.entropy)
    with pytest.raises(Conflict, match="Nothing was done"):
        await carry_out(office.store, seen, served.token, served.clock, office.entropy)

    states = await _states(served)
    for role, _, state in wanted:
        assert (states[LABEL, role], states[SECOND, role]) == (state, ACTIVE)
    assert await open_orders(office.store) == []
    gone = read_certificate(office.keys.issuers[PAPER_SIGNER].chain[0])
    lists: list[Any] = await office.store.fetch(queries.CRLS, {})
    revoked = [read_crl(row["der"], row["issuer_certificate"]).revoked for row in lists]
    assert frozenset().union(*revoked) == {(gone.issuer.rfc4514_string(), gone.serial_number)}
    reasons = {row["reason"] for row in await office.store.fetch(queries.KEY_ORDERS, {})}
    assert TOKEN_RETIRED not in reasons


async def test_nobody_is_left_behind(served: SoftwareOffice) -> None:
    """Refused while anybody's key, or the deployment's own, opens under this token alone."""
    office = served.office
    await served.api.person_with_status()
    await wrap_again(office.store, office.vault, office.custodian)
    with pytest.raises(SetupError, match="wrapped for this token alone"):
        await require_wrapped(office.store, [b"the other"])
    await require_wrapped(office.store, [b"the other", b"wrapping"])
    served.token.wrapping_keys |= {b"the other"}
    await wrap_again(office.store, office.vault, office.custodian)
    await require_wrapped(office.store, [b"the other"])
