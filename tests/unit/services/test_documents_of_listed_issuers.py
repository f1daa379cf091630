"""mdocs of an authority that a VICAL named: relied on for what it is listed for, while it is, and explained by name."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest

from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.verdict import CheckId, Result
from idverify.formats import cose
from idverify.ledger.policy import Policy
from idverify.services.status_source import StatusSource
from idverify.services.trust_proposals import from_vical, withdrawal
from idverify.services.trusted_issuers import Register
from idverify.services.verify import Submission, Verifier, verify
from tests.simulators import credential_world as world
from tests.simulators import mdoc_world as mdocs
from tests.simulators import vical_world as vicals
from tests.simulators.foreign_issuer import NORTH, SOUTH, Foreign
from tests.unit.services.test_trust_proposals import after

NOW, DAY, ROOT = world.NOW, world.DAY, vicals.root()
LISTED = after(Register(), from_vical(Register(), vicals.signed(), ROOT, NOW - 100).change)


def licence(issuer: Foreign = NORTH, doc_type: str = mdocs.DOC_TYPE) -> bytes:
    """A driving licence that an authority signed."""
    said = mdocs.mso(docType=doc_type)
    covered = mdocs.embed(cbor2.dumps(said)).encoded
    signature = world.sign(issuer.signer_key, cose.sign1_input(mdocs.PROTECTED, covered))
    auth = cose.sign1(mdocs.PROTECTED, {cose.X5CHAIN: issuer.leaf()}, covered, signature)
    return mdocs.issuer_signed(auth=auth)


async def found(document: bytes, register: Register, check: CheckId, at: int = NOW) -> tuple[Result, dict[str, Any]]:
    """What a check finds, and its evidence."""
    issuers: dict[str, TrustedIssuer] = dict(register.issuers)
    verified = await verify(Verifier(TrustStore(issuers), StatusSource(None), Policy(())), Submission(document), at)
    one = next(one for one in verified.verdict.checks if one.id is check)
    return one.result, dict(one.evidence or {})


async def test_a_licence_of_a_listed_authority() -> None:
    """It is trusted, by a root whose list is named; its status, of which the list says nothing, is not known."""
    result, evidence = await found(licence(), LISTED, CheckId.ISSUER_TRUSTED)

    assert result is Result.PASS
    assert evidence["issuer"] == "Northland Authority"
    assert evidence["origin"] == "VICAL of Example Provider, issue 7, 2026-09-20"
    assert (await found(licence(), LISTED, CheckId.TYPE_ALLOWED))[0] is Result.PASS
    assert (await found(licence(), LISTED, CheckId.STATUS))[0] is Result.UNKNOWN


async def test_a_type_that_it_is_not_listed_for() -> None:
    """South may issue permits; North may not."""
    assert (await found(licence(SOUTH, vicals.PERMIT), LISTED, CheckId.TYPE_ALLOWED))[0] is Result.PASS
    result, evidence = await found(licence(NORTH, vicals.PERMIT), LISTED, CheckId.TYPE_ALLOWED)

    assert (result, evidence["why"], evidence["allowed"]) == (Result.FAIL, "type-not-allowed", [vicals.MDL])


@pytest.mark.parametrize(
    ("at", "why"),
    [(NOW - 200, "root-not-yet"), (NOW + DAY, "root-withdrawn"), (NOW, None)],
    ids=["before", "after", "then"],
)
async def test_its_time(at: int, why: str | None) -> None:
    """Before it was listed and after it was withdrawn its documents are refused, by name and day."""
    (key,) = (key for key, one in LISTED.issuers.items() if one.name == NORTH.name)
    register = after(LISTED, withdrawal(LISTED, key, NOW + 60))
    _, evidence = await found(licence(), register, CheckId.ISSUER_TRUSTED, at)

    assert evidence.get("why") == why
    if why is not None:
        assert evidence["root"]["of"] == NORTH.name
