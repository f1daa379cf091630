"""Headers that every answer has: nothing of the API is kept on the way, and what came over TLS stays there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp.test_utils import TestClient, TestServer

from idverify.web.server import HSTS, make_app
from tests.simulators.software_office import SoftwareOffice


async def test_answers_of_the_api_are_not_stored(served: SoftwareOffice) -> None:
    """Whatever the answer is, no cache keeps it: records, refusals, challenges."""
    person, officer = await served.api.person_with_status(), await served.api.identity("officer")
    asked: tuple[tuple[str, str, dict[str, str], int], ...] = (
        ("GET", f"/api/v1/people/{person}", officer, 200),
        ("GET", "/api/v1/proposals", {}, 401),
        ("GET", "/api/v1/nothing-here", {}, 404),
        ("POST", "/api/v1/sign-in/options", {}, 201),
        ("POST", f"/api/v1/people/{person}/enrolments", officer, 401),
    )

    for method, path, headers, expected in asked:
        status, _, received = await served.api.send(method, path, None, headers)
        assert (path, status, received.getall("Cache-Control")) == (path, expected, ["no-store"])


@pytest.mark.parametrize(("iss", "hsts"), [("https://id.example", HSTS), ("http://localhost:8080", None)])
async def test_a_deployment_over_tls_stays_there(served: SoftwareOffice, iss: str, hsts: str | None) -> None:
    """Browsers that were told so come back over TLS alone; a demo over plain HTTP cannot promise it."""
    office = replace(served.office, deployment=replace(served.office.deployment, iss=iss))

    async with TestClient(TestServer(make_app(office))) as browser:
        for path in ("/", "/livez", "/api/v1/proposals", "/nothing-here"):
            async with browser.get(path) as answer:
                assert (path, answer.headers.get("Strict-Transport-Security")) == (path, hsts)
