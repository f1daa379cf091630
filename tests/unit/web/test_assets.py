"""What pages load: addresses that change with the content, what is sent, and what of the packages is left out."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from idverify.errors import SetupError
from idverify.web import assets
from idverify.web.assets import PACKAGED, Assets, asset
from idverify.web.problems import problems

Client = TestClient[web.Request, web.Application]


@pytest.fixture(scope="module")
def loaded() -> Assets:
    """The assets of this checkout."""
    return assets.load()


@pytest.fixture
async def client(loaded: Assets) -> AsyncIterator[Client]:
    """A browser before an application that serves assets and nothing else."""
    app = web.Application(middlewares=[problems])
    app.router.add_get(assets.ROUTE, loaded.serve)
    async with TestClient(TestServer(app), auto_decompress=False) as session:
        yield session


async def fetch(client: Client, url: str, **headers: str) -> tuple[Any, bytes]:
    """The answer to a request with only these headers, and its body as sent."""
    request = client.get(url, headers=headers, skip_auto_headers=["Accept-Encoding"])
    async with request as response:
        return response, await response.read()


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("govuk-frontend.css", "text/css; charset=utf-8"),
        ("swagger-ui.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
async def test_an_asset_is_sent_as_what_it_is(client: Client, loaded: Assets, name: str, content_type: str) -> None:
    """Type, length and content are right, plain and gzipped, and a browser may keep it for ever."""
    plain, content = await fetch(client, loaded.url(name))
    zipped, packed = await fetch(client, loaded.url(name), **{"Accept-Encoding": "br, gzip;q=0.8"})

    assert plain.headers["Content-Type"] == zipped.headers["Content-Type"] == content_type
    assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert plain.headers["Vary"] == zipped.headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == content
    assert len(packed) < len(content)


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip", True),
        ("deflate,GZIP ; q=0.001, br", True),
        ("gzip;q=1.0", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, identity", False),
        ("x-gzipped", False),
    ],
)
async def test_gzip_is_for_those_who_accept_it(client: Client, loaded: Assets, accepted: str, *, zipped: bool) -> None:
    """`Accept-Encoding` is read with its weights (RFC 9110 section 12.5.3)."""
    response, _ = await fetch(client, loaded.url("icon.svg"), **{"Accept-Encoding": accepted})

    assert ("Content-Encoding" in response.headers) is zipped


async def test_whoever_has_the_bytes_need_not_fetch_them(client: Client, loaded: Assets) -> None:
    """Each representation has a validator of its own; a stale one gets the whole body."""
    url, zip_too = loaded.url("docs.js"), {"Accept-Encoding": "gzip"}
    plain, _ = await fetch(client, url)
    zipped, _ = await fetch(client, url, **zip_too)
    again, body = await fetch(client, url, **{"If-None-Match": f'W/"old", {plain.headers["ETag"]}'})
    crossed, _ = await fetch(client, url, **zip_too, **{"If-None-Match": plain.headers["ETag"]})

    assert plain.headers["ETag"] != zipped.headers["ETag"]
    assert (again.status, body) == (304, b"")
    assert again.headers["ETag"] == plain.headers["ETag"]
    assert crossed.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/assets/govuk-frontend.css",
        "/assets/images/govuk-crest.svg",
        "/assets/00000000000000000000/icon.svg",
        "{digest}/govuk-crest.svg",
        "{digest}/..%2Fassets.py",
        "{digest}/%2Fetc%2Fpasswd",
        "{digest}/",
    ],
)
async def test_nothing_else_is_served(client: Client, loaded: Assets, path: str) -> None:
    """Neither an address of another set, nor a package's other files, nor our own modules."""
    response, _ = await fetch(client, path.format(digest=loaded.url("icon.svg").rpartition("/")[0]))

    assert response.status == 404
    assert response.headers["Content-Type"].startswith("application/problem+json")


def test_the_style_sheet_is_of_no_brand(loaded: Assets) -> None:
    """No typeface, crest or address of GOV.UK is left; the type is the system's, and the rules are all there."""
    css = loaded._assets["govuk-frontend.css"].plain.decode()

    assert re.findall(r"@font-face|GDS|url\(|Calvert|crest|sourceMappingURL", css) == []
    assert css.count('font-family:system-ui,-apple-system,"Segoe UI"') > 20
    assert css.count("{") == css.count("}") > 1000


def test_no_asset_names_a_source_map(loaded: Assets) -> None:
    """Developer tools ask for nothing that is not there."""
    assert [name for name, asset in loaded._assets.items() if b"sourceMappingURL" in asset.plain] == []


def test_the_addresses_change_with_the_content() -> None:
    """One byte in one asset moves them all, so that no set mixes; the same bytes have the same address anywhere."""
    one, same, other = (
        Assets({"a.js": asset("a.js", content), "b.js": asset("b.js", b"")}) for content in (b"1", b"1", b"2")
    )

    assert re.fullmatch(r"/assets/[0-9a-f]{20}/b\.js", one.url("b.js"))
    assert one.url("b.js") == same.url("b.js") != other.url("b.js")


def test_modules_find_each_other(loaded: Assets) -> None:
    """What a module of ours imports is its neighbour in the same set."""
    imported = {
        name.decode()
        for asset in loaded._assets.values()
        if asset.content_type.startswith("text/javascript")
        for name in re.findall(rb'(?m)^(?:import|export)\b[^;]*? from "([^"]*)";$', asset.plain)
    }

    assert imported
    assert {name for name in imported if not name.startswith("./") or name[2:] not in loaded._assets} == set()


def test_every_page_script_and_style_is_served_under_its_name(loaded: Assets) -> None:
    """A file put into `static/` is an asset; a name that no file has is a mistake that shows at once."""
    files = {path.name for path in assets.STATIC.iterdir()}

    assert loaded._assets.keys() == files | PACKAGED.keys()
    with pytest.raises(KeyError):
        loaded.url("nothing.css")


def test_missing_packages_are_an_operators_matter(tmp_path: Path) -> None:
    """Without `node_modules` the start says which file is missing and what to run."""
    with pytest.raises(SetupError, match=r"need .*govuk-frontend\.min\.css, which is not there\. Run `npm ci"):
        assets.load(node_modules=tmp_path)
