"""`/docs`: Swagger UI over our own description, under a policy that lets it load nothing else."""

from __future__ import annotations

import re
from typing import Any

from tests.simulators.software_office import SoftwareOffice


async def fetch(served: SoftwareOffice, path: str) -> tuple[Any, str]:
    async with served.api.session.get(served.api.deployment.url + path) as response:
        return response, await response.text()


async def test_everything_on_the_page_is_served_here(served: SoftwareOffice) -> None:
    """Every address on the page is one of ours and answers."""
    _, page = await fetch(served, "/docs")
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)

    answers = [await fetch(served, address) for address in addresses]

    assert len(addresses) == 5
    assert all(re.match(r"/(?!/)", address) for address in addresses)
    assert [response.status for response, _ in answers] == [200] * len(addresses)


async def test_the_policy_allows_no_inline_code_and_no_other_site(served: SoftwareOffice) -> None:
    """The page's own policy stands beside the headers of every answer, and there is nothing inline to break it."""
    response, page = await fetch(served, "/docs")
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))

    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert re.findall(r"<script(?! src=)|<style|\son\w+=|\sstyle=", page) == []
