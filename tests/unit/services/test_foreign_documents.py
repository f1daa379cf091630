"""What a foreign issuer's genuine document can do here: be verified, and nothing to anybody's record."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from sqlalchemy import select

from idverify.core.trust import TrustedIssuer
from idverify.formats import cose
from idverify.stores import tables
from tests.simulators import credential_world as world
from tests.simulators import mdoc_world as mdocs
from tests.simulators.foreign_issuer import NORTH
from tests.simulators.holder import holding
from tests.simulators.software_office import SoftwareOffice

EARLY = dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=14)))


def _rely_on(served: SoftwareOffice, issuer: TrustedIssuer) -> None:
    """As two admins decided."""
    book = served.office.trust_book
    book.current = replace(book.current, issuers={**book.current.issuers, issuer.key: issuer})


async def _verified(served: SoftwareOffice, who: str, *documents: str) -> tuple[int, Any]:
    body = {"documents": [{"document": document} for document in documents], "verification_receipt": True}
    return await served.api.call("POST", "/api/v1/verify", who, body)


@pytest.mark.parametrize("end", ["/1", "/\0"])
async def test_it_names_no_copy_of_ours(served: SoftwareOffice, end: str) -> None:
    """A status of somebody here that it points to leaves no look at them, and the others are none the worse."""
    now, held = served.clock.now(), await holding(served.api)
    _rely_on(served, NORTH.trusted(now - 1))
    (own,) = await served.office.store.fetch(select(tables.credential), {})
    listed = {"idx": own["status_index"], "uri": own["status_list"].removesuffix("/1") + end}
    foreign = NORTH.document(now, status={"status_list": listed})

    status, answer = await _verified(served, "employer", foreign.decode(), held.credential)
    looks = await served.office.store.fetch(select(tables.look).where(tables.look.c.channel == "document"), {})

    assert (status, [one["verdict"] for one in answer["results"]]) == (200, ["refer", "refer"])
    assert [look["status_index"] for look in looks] == [None, own["status_index"]]


async def test_a_time_that_the_calendar_has_not_in_utc(served: SoftwareOffice) -> None:
    """It is told as it was signed, and is nobody's failure."""
    now = served.clock.now()
    _rely_on(
        served,
        replace(
            NORTH.trusted(),
            root_terms=(),
            type_terms=(),
            iss="",
            roots=(NORTH.root(),),
            types=frozenset({mdocs.DOC_TYPE}),
        ),
    )
    items = {"org.example": [mdocs.item(1, "since", EARLY)]}
    days = dict(zip(("signed", "validFrom", "validUntil"), map(mdocs.time, (now, now, now + 60)), strict=True))
    said = mdocs.mso(valueDigests=mdocs.digests(items, {"org.example": (1,)}), validityInfo=days)
    covered = mdocs.embed(cbor2.dumps(said)).encoded
    signature = world.sign(NORTH.signer_key, cose.sign1_input(mdocs.PROTECTED, covered))
    auth = cose.sign1(mdocs.PROTECTED, {cose.X5CHAIN: NORTH.leaf()}, covered, signature)

    headers = {**await served.api.identity("officer"), "Content-Type": "application/octet-stream"}
    url = served.api.deployment.url + "/api/v1/verify?verification_receipt=1"
    async with served.api.session.post(url, data=mdocs.issuer_signed(items, auth=auth), headers=headers) as response:
        told = await response.json()

    assert response.status == 200
    assert told["claims"] == {"org.example": {"since": "0001-01-01T00:00:00+14:00"}}
