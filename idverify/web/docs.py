"""`/docs`: the API's description made browsable by Swagger UI, served by ourselves."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from idverify.web.assets import ASSETS, Assets

# Swagger UI sets styles through the CSSOM, which needs no 'unsafe-inline', and carries its images as data: URLs
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>The API of idverify</title>
    <link rel="icon" href="{icon}">
    <link rel="stylesheet" href="{style}">
  </head>
  <body>
    <noscript>This page needs JavaScript. <a href="/openapi.json">/openapi.json</a> says the same without it.</noscript>
    <main id="swagger-ui"></main>
    <script src="{swagger}"></script>
    <script src="{start}"></script>
  </body>
</html>
"""


async def docs_page(request: web.Request) -> web.Response:
    """The page, the same for everybody."""
    assets: Assets = request.app[ASSETS]
    page = _PAGE.format(
        icon=assets.url("icon.svg"),
        style=assets.url("swagger-ui.css"),
        swagger=assets.url("swagger-ui.js"),
        start=assets.url("docs.js"),
    )
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
    return web.Response(text=page, content_type="text/html", headers=headers)
