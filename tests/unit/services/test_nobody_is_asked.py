"""What a document says never makes the service connect to anybody; what is fetched depends on the list alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import web

from idverify.core.credential import Issuer, StatusReference
from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.verdict import CheckId, Result
from idverify.formats import status_list, x509
from idverify.formats.status_list import StatusListClaims
from idverify.ledger.policy import Policy
from idverify.services.status_source import StatusSource
from idverify.services.verify import Submission, Verified, Verifier, verify
from idverify.web.fetch import MEDIA_TYPES, HttpStatusFetcher, open_fetcher
from idverify.web.reach import Reach
from tests.simulators import credential_world as world
from tests.simulators.foreign_issuer import NORTH
from tests.simulators.outbound import outbound
from tests.simulators.service import free_port

ELSEWHERE = "http://localhost:9/keys"


@pytest.fixture
async def fetcher() -> AsyncIterator[HttpStatusFetcher]:
    """A fetcher that could reach this machine."""
    async with open_fetcher(Reach(demo=True)) as opened:
        yield opened


async def _verified(fetcher: HttpStatusFetcher, document: bytes, trust: TrustStore = world.TRUST) -> Verified:
    return await verify(Verifier(trust, StatusSource(fetcher), Policy(())), Submission(document), world.NOW)


def _listed(uri: str) -> dict[str, Any]:
    return {"status": {"status_list": {"idx": 5, "uri": uri}}}


DOCUMENTS: dict[str, bytes] = {
    "jku": world.sd_jwt(world.payload(), head=world.header(jku=ELSEWHERE)),
    "x5u": world.sd_jwt(world.payload(), head=world.header(x5u=ELSEWHERE)),
    "jwk": world.sd_jwt(world.payload(), head=world.header(jwk={"kty": "EC"})),
    "x5u alone": world.sd_jwt(world.payload(), head={"alg": "ES256", "typ": "dc+sd-jwt", "x5u": ELSEWHERE}),
    "kid": world.sd_jwt(world.payload(), head={"alg": "ES256", "typ": "dc+sd-jwt", "kid": ELSEWHERE}),
    "unknown iss": world.sd_jwt(world.payload(iss="http://localhost:9", **_listed("http://localhost:9/status/1"))),
    "iss as address": world.sd_jwt(world.payload(iss=ELSEWHERE)),
    "vct as address": world.sd_jwt(world.payload(vct=ELSEWHERE)),
    "a stranger": NORTH.document(**_listed("http://localhost:9/status/1")),
    "list elsewhere": world.sd_jwt(world.payload(**_listed("http://localhost:9/status/1"))),
    "list beside": world.sd_jwt(world.payload(**_listed(f"{world.ISS}/statusx/1"))),
    "list above": world.sd_jwt(world.payload(**_listed(f"{world.ISS}/status/../1"))),
    "a logo": world.sd_jwt(world.payload(picture=ELSEWHERE, logo={"uri": ELSEWHERE})),
    "forged": world.sd_jwt(world.payload(**_listed(world.STATUS_URI)), key=world.STRANGER_KEY),
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
async def test_no_document_opens_a_connection(fetcher: HttpStatusFetcher, document: bytes) -> None:
    """Keys, certificates, types and lists at addresses of the document's choice: nobody is asked, no name looked up."""
    with outbound() as seen:
        await _verified(fetcher, document)

    assert seen == []


@dataclass
class Served:
    """An issuer on this machine with one list, and what was asked of it: method, path, headers, body."""

    issuer: TrustedIssuer
    uri: str
    asked: list[tuple[str, str, tuple[tuple[str, str], ...], bytes]]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """It signs its list as the usual authority."""
    port, asked = free_port(), list[Any]()
    base = f"http://localhost:{port}/status"
    claims = StatusListClaims(f"{base}/1", world.NOW, world.NOW + world.DAY, 300)
    signer = Issuer(world.ISS, (world.leaf(x509.Purpose.STATEMENT),), b"12345678")
    unsigned = status_list.prepare(status_list.pack(64, 2, {}), claims, signer)
    token = status_list.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload))

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.method, request.raw_path, tuple(request.headers.items()), await request.read()))
        return web.Response(body=token, content_type=MEDIA_TYPES[0])

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield Served(replace(world.TRUSTED, status_base=base), f"{base}/1", asked)
    await runner.cleanup()


async def test_what_is_fetched_depends_on_the_list_alone(fetcher: HttpStatusFetcher, served: Served) -> None:
    """Whoever serves a list learns that it is fetched, and nothing of whose document was checked."""
    trust = TrustStore({world.ISS: served.issuer})
    people = [
        {"family_name": "One", "status": {"status_list": {"idx": 5, "uri": served.uri}}},
        {"family_name": "Two", "status": {"status_list": {"idx": 6, "uri": served.uri}}},
    ]
    for claims in people:
        verified = await _verified(fetcher, world.sd_jwt(world.payload(**claims)), trust)
        status = next(check for check in verified.verdict.checks if check.id is CheckId.STATUS)
        assert status.result is Result.PASS

    first, second = served.asked
    assert first == second
    assert first[:2] == ("GET", "/status/1")
    assert first[3] == b""


async def test_one_list_serves_many(fetcher: HttpStatusFetcher, served: Served) -> None:
    """While it is fresh nobody is asked again, however many documents refer to it."""
    trust, source = TrustStore({world.ISS: served.issuer}), StatusSource(fetcher)
    for index in range(20):
        reference = StatusReference(served.uri, index)
        await source.find(reference, trust.issuers[world.ISS], frozenset(), world.NOW)

    assert len(served.asked) == 1
