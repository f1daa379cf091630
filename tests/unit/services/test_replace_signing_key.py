"""Another signing key: ordered by two admins, carried out with the root at hand, in one transaction."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509 as cryptography_x509

from idverify.core import key_order
from idverify.core.action import Action
from idverify.core.key_order import Replacement
from idverify.core.policy import Principal, Role
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.errors import Conflict, NotAllowed, NotFound, SetupError, Unprocessable
from idverify.formats.x509 import key_id, read_crl
from idverify.services import administration, replace_signing_key
from idverify.services.administration import Waiting
from idverify.services.establish import CERTIFIED_ROLES, CRL_DAYS, DAY, ROOT_ROLE, crl_is_due, renew_crl
from idverify.services.invite import Invited
from idverify.services.key_ceremony import KeyOrder, open_orders
from idverify.services.office import STATUS_SIGNER, load_keys
from idverify.services.revoked_keys import require_listed
from idverify.services.trust_book import load_trust
from idverify.stores import queries
from idverify.stores.open import Location, open_log
from tests.simulators.databases import changed
from tests.simulators.software_office import SoftwareOffice, software_office

SIGNER = IMMIGRATION_STATUS.key_role


async def _admins(served: SoftwareOffice) -> None:
    await served.api.identity("admin")
    await served.api.enrol("abel", await served.api.deployment.invite(Invited(Role.ADMIN, "Abel Admin")))


def _action(served: SoftwareOffice, role: str = SIGNER, reason: str = "precaution") -> Action:
    return key_order.action(served.office.keys.issuer(role).key_id, role, reason)


async def _proposed(served: SoftwareOffice, action: Action) -> Waiting:
    return await served.confirmed("admin", lambda who, given: administration.propose(served.office, who, action, given))


async def _approved(served: SoftwareOffice, waiting: Waiting) -> None:
    await served.confirmed("abel", lambda who, given: administration.approve(served.office, who, waiting.handle, given))


async def _ordered(served: SoftwareOffice, role: str = SIGNER, reason: str = "precaution") -> KeyOrder:
    await _approved(served, await _proposed(served, _action(served, role, reason)))
    (order,) = await open_orders(served.office.store)
    return order


async def _rows(served: SoftwareOffice, role: str = SIGNER) -> dict[bytes, Any]:
    rows: list[Any] = await served.office.store.fetch(queries.SIGNING_KEYS, {})
    return {row["key_id"]: row for row in rows if row["role"] == role}


async def test_two_admins_order_another_key(served: SoftwareOffice) -> None:
    """Nothing is replaced by it; the desk's list says that it is ordered."""
    await _admins(served)
    before = await _rows(served)
    order = await _ordered(served)

    assert (order.role, order.reason, [order.old_key_id]) == (SIGNER, Replacement.PRECAUTION, list(before))
    assert list(await _rows(served)) == list(before)
    listed = await replace_signing_key.signing_keys(served.office, await served.principal("abel"))
    assert {key.role: key.ordered_at for key in listed} == {
        role: served.clock.now() if role == SIGNER else None for role in CERTIFIED_ROLES
    }


async def test_nobody_orders_alone(served: SoftwareOffice) -> None:
    """Neither does the proposer approve it, nor does an officer or a program take part."""
    await _admins(served)
    action = _action(served)
    waiting = await _proposed(served, action)
    officer, program = await served.principal("officer"), Principal("key", "Monitoring", Role.ADMIN, None)

    for wrong in (await served.principal("admin"), officer, program):
        with pytest.raises(NotAllowed):
            await administration.approve(served.office, wrong, waiting.handle, None)
    for wrong in (officer, program):
        with pytest.raises(NotAllowed):
            await administration.propose(served.office, wrong, action, None)
    with pytest.raises(NotAllowed):
        await replace_signing_key.signing_keys(served.office, officer)
    assert await open_orders(served.office.store) == []


async def test_a_key_is_ordered_once(served: SoftwareOffice) -> None:
    """A second order is refused, when it is proposed and when it was proposed before; of another role, it is taken."""
    await _admins(served)
    action = _action(served)
    earlier = await _proposed(served, _action(served, reason="compromised"))
    await _approved(served, await _proposed(served, action))

    with pytest.raises(Conflict, match="ordered already"):
        await _proposed(served, action)
    with pytest.raises(Conflict, match="ordered already"):
        await _approved(served, earlier)
    await _approved(served, await _proposed(served, _action(served, STATUS_SIGNER)))
    assert [order.role for order in await open_orders(served.office.store)] == [SIGNER, STATUS_SIGNER]


async def test_a_key_that_is_replaced_is_not_replaced_again(served: SoftwareOffice) -> None:
    """A proposal names the key that goes: what was agreed of the old one does not take the new one away."""
    await _admins(served)
    earlier = await _proposed(served, _action(served, reason="compromised"))
    await served.ceremony().carry_out(await _ordered(served), served.token.generate(SIGNER))

    with pytest.raises(NotFound, match="not in use"):
        await _approved(served, earlier)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"role": SIGNER, "reason": "boredom"}, Unprocessable),
        ({"role": SIGNER, "reason": ["expires"]}, Unprocessable),
        ({"role": SIGNER}, Unprocessable),
        ({"role": SIGNER, "reason": "expires", "more": 1}, Unprocessable),
        ({"role": ROOT_ROLE, "reason": "expires"}, Unprocessable),
        ({"role": "receipt-signer", "reason": "expires"}, Unprocessable),
        ({"role": {}, "reason": "expires"}, Unprocessable),
        ({"role": STATUS_SIGNER, "reason": "expires"}, NotFound),
    ],
)
async def test_what_cannot_be_ordered(served: SoftwareOffice, content: dict[str, Any], error: type[Exception]) -> None:
    """Another role than the key's, one without a certificate, an unknown reason."""
    action = Action("replace-signing-key", _action(served).subject, content)
    with pytest.raises(error):
        await administration.propose(served.office, await served.principal("admin"), action, None)


@pytest.mark.parametrize("subject", [None, "00" * 8, "x", "AB" * 8])
async def test_a_key_that_is_not_there(served: SoftwareOffice, subject: str | None) -> None:
    """Whatever is sent in the place of its id."""
    action = Action("replace-signing-key", subject, _action(served).content)
    with pytest.raises(NotFound, match="not in use"):
        await administration.propose(served.office, await served.principal("admin"), action, None)


@pytest.mark.parametrize("reason", list(Replacement))
async def test_an_order_is_carried_out(served: SoftwareOffice, reason: Replacement) -> None:
    """The new key is certified and in use; the old one retires, and is on the revocation list if it was compromised."""
    await _admins(served)
    (old,) = (await _rows(served)).values()
    order, fresh = await _ordered(served, reason=reason), served.token.generate(SIGNER)
    await served.ceremony().carry_out(order, fresh)

    rows, compromised = await _rows(served), reason is Replacement.COMPROMISED
    assert {key: row["state"] for key, row in rows.items()} == {
        old["key_id"]: "revoked" if compromised else "retiring",
        fresh.key_id: "active",
    }
    issuer = (await load_keys(served.office.store, served.office.deployment.iss)).issuer(SIGNER)
    assert (issuer.key_id, key_id(issuer.chain[0])) == (fresh.key_id, fresh.key_id)
    assert await open_orders(served.office.store) == []
    revoked = {serial for _, serial in (await load_trust(served.office.store, served.office.doors)).revoked_serials}
    serial = cryptography_x509.load_der_x509_certificate(old["certificate"]).serial_number
    assert revoked == ({serial} if compromised else set())


async def test_the_entry_names_the_transcript_of_the_ceremony(tmp_path: Path, location: Location) -> None:
    """The auditor finds it on the ledger, for that key; one transcript for two keys is no ceremony of either."""
    rule, transcript = "the entry of a key names the transcript of its own ceremony", b"\1" * 32
    async with software_office(tmp_path, location) as served:
        await _admins(served)
        for role in (SIGNER, STATUS_SIGNER):
            assert rule not in _found(location)
            fresh = replace(served.token.generate(role), transcript=transcript)
            await served.ceremony().carry_out(await _ordered(served, role), fresh)
            with closing(open_log(location)) as log:
                *_, newest = [one for one in log.entries_of("key.active") if one.record.decision is not None]
            assert (newest.record.kid, newest.record.decision) == (fresh.key_id, transcript)

        assert rule in _found(location)
        changed(location, "UPDATE ledger_record SET opening = handle WHERE type = 'key.active'")
        with closing(open_log(location)) as log:
            assert list(log.entries_of("key.active")) == []


async def test_an_order_is_carried_out_once(served: SoftwareOffice) -> None:
    """Whoever comes second changes nothing, and the revocation list is not renewed for them."""
    await _admins(served)
    order = await _ordered(served, reason="compromised")
    ceremony, fresh = served.ceremony(), served.token.generate(SIGNER)
    await ceremony.carry_out(order, fresh)
    (listed,) = await served.office.store.fetch(queries.CRL_OF, {"root_role": ROOT_ROLE})

    with pytest.raises(Conflict, match="changed meanwhile"):
        await ceremony.carry_out(order, served.token.generate(SIGNER))
    assert await served.office.store.fetch(queries.CRL_OF, {"root_role": ROOT_ROLE}) == [listed]


async def test_what_is_revoked_stays_so(served: SoftwareOffice) -> None:
    """When the list is renewed, with the date on which it was: nobody may forget a key by waiting."""
    await _admins(served)
    await served.ceremony().carry_out(await _ordered(served, reason="compromised"), served.token.generate(SIGNER))
    at = served.clock.now()
    served.clock.advance(CRL_DAYS * DAY)
    await renew_crl(served.office.store, served.token, served.clock.now())

    (row,) = await served.office.store.fetch(queries.CRL_OF, {"root_role": ROOT_ROLE})
    listed = read_crl(row["der"], row["issuer_certificate"])
    assert (listed.number, [when for _, when in listed.entries]) == (3, [at])


def _against(location: Location, order: KeyOrder) -> list[str]:
    with closing(open_log(location)) as log:
        return list(log.order_findings(order.id))


def _found(location: Location) -> set[str]:
    with closing(open_log(location)) as log:
        return {rule for _, rule in log.row_findings()}


async def test_the_root_is_not_opened_for_an_order_that_was_written_in(tmp_path: Path, location: Location) -> None:
    """Two admins gave the one; of the other there is a row, and neither signature nor entry."""
    async with software_office(tmp_path, location) as served:
        await _admins(served)
        given = await _ordered(served)
        assert _against(location, given) == []
        written = """
            INSERT INTO key_order (id, handle, role, reason, old_key_id, authorisation_id, approval_id, ordered_at)
            SELECT handle, id, role, 'compromised', old_key_id, {0}, {1}, ordered_at FROM key_order"""
        for first, second in (("handle", "id"), ("authorisation_id", "approval_id"), ("approval_id", "approval_id")):
            changed(location, written.format(first, second))
            (order,) = [one for one in await open_orders(served.office.store) if one.reason == "compromised"]
            assert _against(location, order)
            changed(location, "DELETE FROM key_order WHERE reason = 'compromised'")

        assert _against(location, given) == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE key_order SET reason = 'compromised'", "a confirmation is not of this order, or does not hold"),
        ("UPDATE key_order SET approval_id = authorisation_id", "it was not confirmed by two admins"),
        ("UPDATE account SET role = 'officer' WHERE actor = 'Abel Admin'", "it was not confirmed by two admins"),
        ("UPDATE authorisation SET evidence = action", "a confirmation is not of this order, or does not hold"),
        ("UPDATE key_order SET handle = id", "the ledger has no entry of it with the second admin's confirmation"),
        (
            "UPDATE ledger_record SET type = 'cover' WHERE type = 'authenticator.bound'",
            "the ledger does not say that these two confirmed it, with keys that are theirs",
        ),
    ],
)
async def test_an_order_that_was_changed(change: str, why: str, tmp_path: Path, location: Location) -> None:
    """Whatever is missing is said; the order stays for whoever looks into it."""
    async with software_office(tmp_path, location) as served:
        await _admins(served)
        order = await _ordered(served)
        assert changed(location, change) > 0

        assert why in _against(location, order)


async def test_an_older_revocation_list_is_put_back(tmp_path: Path, location: Location) -> None:
    """The compromised key stays revoked, nothing is served over such a list, and the root's next one has the key."""
    async with software_office(tmp_path, location) as served:
        store = served.office.store
        await _admins(served)
        (older,) = await store.fetch(queries.CRL_OF, {"root_role": ROOT_ROLE})
        order = await _ordered(served, reason="compromised")
        await served.ceremony().carry_out(order, served.token.generate(SIGNER))
        revoked = (await load_trust(store, served.office.doors)).revoked_serials
        assert len(revoked) == 1
        await require_listed(store)
        assert _found(location) == set()

        values = {name: older[name] for name in ("der", "number", "next_update")}
        values["of"] = older["issuer_key_id"]
        older_one = "UPDATE crl SET der = :der, number = :number, next_update = :next_update WHERE issuer_key_id = :of"
        changed(location, older_one, values)
        assert (await load_trust(store, served.office.doors)).revoked_serials == revoked
        with pytest.raises(SetupError, match="older list"):
            await require_listed(store)
        assert _found(location) == {"a signing key that was compromised is on the revocation list"}
        assert await crl_is_due(store, served.clock.now())

        changed(location, "UPDATE signing_key SET state = 'retiring' WHERE state = 'revoked'")
        assert (await load_trust(store, served.office.doors)).revoked_serials == revoked
        changed(location, "UPDATE signing_key SET state = 'revoked' WHERE state = 'retiring'")
        await renew_crl(store, served.token, served.clock.now())
        await require_listed(store)
        assert _found(location) == set()


@pytest.mark.parametrize("column", ["name", "country"])
async def test_another_name(column: str, tmp_path: Path, location: Location) -> None:
    """Whose deployment it is stands in its root certificate, which is on the ledger."""
    async with software_office(tmp_path, location):
        assert _found(location) == set()
    changed(location, f"UPDATE deployment SET {column} = 'XX'")  # noqa: S608  ours

    assert _found(location) == {"the deployment has the name and the country of its root"}
