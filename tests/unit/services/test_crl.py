"""The revocation list: renewed before it ends, and never believed after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from idverify.core.verdict import CheckId, Outcome, Result
from idverify.formats.x509 import read_crl
from idverify.ledger.policy import Policy
from idverify.services.branches import BRANCHES
from idverify.services.establish import CRL_DAYS, CRL_RENEWED_DAYS, DAY, crl_is_due, renew_crl
from idverify.services.status_source import StatusSource
from idverify.services.verify import Submission, Verifier, verify
from idverify.stores import queries
from tests.simulators import credential_world as world
from tests.simulators.software_office import SoftwareOffice


async def test_it_is_renewed_in_its_last_days(served: SoftwareOffice) -> None:
    """Signed anew by the root, with the next number and a later end; then it is not due any more."""
    store, now = served.office.store, served.clock.now()
    late = now + (CRL_DAYS - CRL_RENEWED_DAYS) * DAY + 1
    assert (await crl_is_due(store, now), await crl_is_due(store, late)) == (False, True)

    await renew_crl(store, served.token, late)

    for branch in BRANCHES:
        row: Any = await store.fetch_one(queries.CRL_OF, {"root_role": branch.root_role})
        fresh = read_crl(row["der"], row["issuer_certificate"])
        assert (fresh.number, fresh.next_update, fresh.revoked) == (2, late + CRL_DAYS * DAY, frozenset())
    assert not await crl_is_due(store, late)


async def test_a_stale_list_is_never_green() -> None:
    """Past its end nobody knows whether the signer was revoked since: refer, whatever else holds."""
    trust = replace(world.TRUST, crl_ends={world.ROOT: world.NOW})
    document = Submission(world.present(world.issue()), expected=world.ASKED)

    verdict = (await verify(Verifier(trust, StatusSource(None), Policy(())), document, world.NOW)).verdict

    issuer = next(check for check in verdict.checks if check.id is CheckId.ISSUER_TRUSTED)
    assert (verdict.verdict, issuer.result) == (Outcome.REFER, Result.UNKNOWN)
