"""The trust bundle: what it carries, and for whom there is room in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idverify.core.verdict import CheckId, Result
from idverify.formats import status_list
from idverify.formats.trust_bundle import TrustBundle
from idverify.services import trust
from idverify.services.log_policy import NO_WITNESSES
from idverify.services.status_source import KeptList
from idverify.services.verify import Submission, verify
from tests.simulators import credential_world as world
from tests.simulators.foreign_issuer import NORTH
from tests.unit.formats.test_trust_bundle import PIN, crl, signed


def _kept(size: int) -> KeptList:
    return KeptList(status_list.pack(8, 1, {}), 0, None, 300, b"." * size)


def test_nobodys_lists_shut_out_everybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of others come along as far as there is room, ours always; a bundle too large would be refused whole."""
    monkeypatch.setattr(trust, "MOST_LISTS", 1000)
    base = "https://office.example/status"
    ours, large, small = f"{base}/1", "https://north.example/status/1", "https://north.example/status/2"
    lists = {large: _kept(900), small: _kept(400), ours: _kept(300)}

    assert trust._lists(lists, own=base).keys() == {ours, small}


BUNDLE = TrustBundle(
    world.ISS,
    world.NOW,
    (world.TRUSTED, NORTH.trusted()),
    ((world.ROOT, crl()),),
    (NO_WITNESSES,),
    {},
)


async def _trusted(opened: trust.Opened, at: int) -> Result:
    verified = await verify(opened.verifier, Submission(NORTH.document(at)), at)
    return next(check.result for check in verified.verdict.checks if check.id is CheckId.ISSUER_TRUSTED)


async def test_who_signed_the_bundle_may_have_been_revoked_since() -> None:
    """Once the list of the pinned root is out of date, nobody in the bundle is trusted for certain: others neither."""
    for at, found in ((world.NOW, Result.PASS), (world.NOW + 31 * world.DAY, Result.UNKNOWN)):
        assert await _trusted(trust.opened(signed(BUNDLE), PIN, at), at) is found


async def test_an_older_bundle_brings_nobody_back() -> None:
    """An issuer may have been withdrawn by the newer one that was seen."""
    newer = trust.opened(signed(replace(BUNDLE, issued_at=world.NOW + 1)), PIN, world.NOW)
    older = signed(BUNDLE)

    assert await _trusted(trust.opened(older, PIN, world.NOW), world.NOW) is Result.PASS
    assert await _trusted(trust.opened(older, PIN, world.NOW, newer.ages), world.NOW) is Result.UNKNOWN
