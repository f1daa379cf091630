"""`/docs` in the browser: Swagger UI under our policy. Its markup is not ours, so axe-core does not judge it."""

from __future__ import annotations

from idverify.web.routes import ROUTES
from tests.browser.conftest import Newcomer


async def test_the_api_is_described_and_tried_without_asking_anybody_else(newcomer: Newcomer) -> None:
    """Every route is listed, one is tried out, and the visit has no fault: no violated policy, no outside request."""
    visitor = await newcomer()
    page = visitor.page
    await page.goto(f"{visitor.origin}/docs")
    routes = page.locator(".opblock")
    await routes.first.wait_for()

    await routes.filter(has=page.get_by_text("/livez")).get_by_role("button").first.click()
    await page.get_by_role("button", name="Try it out").click()
    await page.get_by_role("button", name="Execute").click()

    answer = page.locator(".live-responses-table .response-col_description")
    await answer.get_by_text('"status"').wait_for()
    assert await routes.count() == len(ROUTES)
