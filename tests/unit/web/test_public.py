"""What everybody may fetch, and what every answer carries."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import load_pem_x509_certificate

from idverify.errors import Unavailable
from idverify.formats import jose, status_list, x509
from idverify.stores.open import Location
from idverify.web.pages.routes import PAGES
from idverify.web.single_flight import SingleFlight
from tests.simulators.contract import JudgedApi
from tests.simulators.software_office import SoftToken, SoftwareOffice, premises

WELL_KNOWN = ["/.well-known/webauthn", "/.well-known/passkey-endpoints"]
CACHED = ["/status/1", "/pki/root.cer", "/iacas", "/pki/crl.der", *WELL_KNOWN]


async def _fetch(served: SoftwareOffice, path: str, **headers: str) -> Any:
    async with served.api.session.get(served.api.deployment.url + path, headers=headers) as response:
        await response.read()
        return response


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/api/v1/proposals", *CACHED])
async def test_headers_of_every_answer(served: SoftwareOffice, path: str) -> None:
    """Answers and refusals alike forbid sniffing, framing, referrers and scripts."""
    headers = (await _fetch(served, path)).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("path", CACHED)
async def test_whoever_has_it_need_not_fetch_it(served: SoftwareOffice, path: str) -> None:
    """Public bodies have a validator, and whoever shows it gets 304 and no body."""
    first = await _fetch(served, path)
    again = await _fetch(served, path, **{"If-None-Match": first.headers["ETag"]})
    other = await _fetch(served, path, **{"If-None-Match": '"another"'})

    assert first.headers["Cache-Control"].startswith("public, max-age=")
    assert [first.status, again.status, other.status] == [200, 304, 200]
    assert again.headers["ETag"] == first.headers["ETag"]


async def test_roots_for_wallets(served: SoftwareOffice) -> None:
    """As GOV.UK Wallet's page "Publish your root certificates" and its test harness have it: the root, told as well."""
    root = await served.api.ok("GET", "/pki/root.cer")
    certificate = x509.read_certificate(root)
    (iaca,) = (await served.api.ok("GET", "/iacas"))["data"]

    assert set(iaca) == {"id", "active", "certificatePem", "certificateData", "certificateFingerprint", "publicKeyJwk"}
    assert iaca["certificateFingerprint"] == hashlib.sha256(root).hexdigest()
    assert load_pem_x509_certificate(iaca["certificatePem"].encode()) == certificate
    assert iaca["certificatePem"].startswith("-----BEGIN CERTIFICATE-----")
    assert iaca["active"] is True
    key = jose.public_key({name: iaca["publicKeyJwk"][name] for name in ("kty", "crv", "x", "y")})
    assert key.public_numbers() == x509.signing_key(root).public_numbers()
    assert iaca["publicKeyJwk"]["alg"] == "ES256"
    data = iaca["certificateData"]
    assert (data["country"], data["commonName"]) == ("UT", "Utopia documents root")
    assert data["notAfter"] == certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert data["notBefore"] == certificate.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%S.000Z")


async def test_what_is_public_can_be_read(served: SoftwareOffice) -> None:
    """The root, its revocation list and the status list are what their media types say."""
    root = await served.api.ok("GET", "/pki/root.cer")
    crl = await served.api.ok("GET", "/pki/crl.der")
    listed = status_list.read(await served.api.ok("GET", "/status/1"))

    assert x509.read_crl(crl, root).revoked == frozenset()
    assert listed.claims.uri == f"{served.api.deployment.url}/status/1"
    assert len(listed.statuses) == 2**20


async def test_browsers_and_password_managers_find_what_is_for_them(served: SoftwareOffice) -> None:
    """Our own origin stands alone, and each path is that of a page; the media type is JSON and nothing but."""
    api, ours = JudgedApi(served.api.session, served.api.deployment), served.api.deployment.url
    paths = {page.path for page in PAGES if page.method == "GET"}
    status, origins, headers = await api.send("GET", WELL_KNOWN[0])
    endpoints = await api.ok("GET", WELL_KNOWN[1])

    assert (status, origins, headers["Content-Type"]) == (200, {"origins": [ours]}, "application/json")
    assert set(endpoints) == {"enroll", "manage"}
    assert {url.removeprefix(ours) for url in endpoints.values()} <= paths


async def test_related_origins_are_listed(tmp_path: Path, location: Location) -> None:
    """After our own, in order."""
    more = frozenset({"https://two.example", "https://one.example"})
    async with premises(tmp_path, location) as made, replace(made, related_origins=more).open() as served:
        listed = await served.api.ok("GET", WELL_KNOWN[0])

    assert listed["origins"] == [served.api.deployment.url, "https://one.example", "https://two.example"]


async def test_a_crowd_that_asks_whether_it_is_ready_costs_one_probe(
    served: SoftwareOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may ask: two hundred at once are told what one of them is, and the next is asked for anew."""
    probes, asked, go = 0, 0, asyncio.Event()

    async def probe(_: SoftToken) -> None:
        nonlocal probes
        probes += 1
        await go.wait()

    async def ask() -> int:
        nonlocal asked
        asked += 1
        return int((await served.api.call("GET", "/readyz"))[0])

    monkeypatch.setattr(SoftToken, "probe", probe)
    crowd = [asyncio.create_task(ask()) for _ in range(200)]
    while not probes or asked < len(crowd):  # noqa: ASYNC110 tells nobody
        await asyncio.sleep(0)
    go.set()
    assert set(await asyncio.gather(*crowd)) == {200}
    assert probes < 20, "those that came in while one was under way share it"
    before = probes
    assert await ask() == 200
    assert probes == before + 1


async def test_whoever_gives_up_stops_no_answer() -> None:
    """Nor does an error stay for whoever asks later."""
    flight, go = SingleFlight[str](), asyncio.Event()

    async def question() -> str:
        await go.wait()
        return "ready"

    first, second = (asyncio.create_task(flight.ask(question)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    go.set()
    assert await second == "ready"

    async def failing() -> str:
        raise LookupError

    with pytest.raises(LookupError):
        await flight.ask(failing)
    assert await flight.ask(question) == "ready"


async def test_ready_means_that_it_works(served: SoftwareOffice) -> None:
    """Without its HSM the service lives and is not ready, and the check says what is away."""
    api = JudgedApi(served.api.session, served.api.deployment)
    ready = await api.call("GET", "/readyz")
    served.token.away = Unavailable("The HSM is away.")
    not_ready = await api.call("GET", "/readyz")
    alive = await api.call("GET", "/livez")

    fine = {"database": "ok", "hsm": "ok", "ledger": "ok"}
    assert ready == (200, {"status": "ok", "checks": fine})
    assert not_ready == (503, {"status": "not-ready", "checks": fine | {"hsm": "The HSM is away."}})
    assert alive[0] == 200
