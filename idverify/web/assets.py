"""Style sheets, scripts and the icon: read once at the start, served from memory under content-addressed names.

The addresses hold one digest over all assets, so a browser may keep each for ever, never sees an old one on a new
page, and modules that import each other by name always come from one set. What comes from npm is listed in
``PACKAGED``, and nothing else of those packages is reachable; every file of ``static/`` is served under its own name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

from idverify.errors import NotFound, SetupError
from idverify.web.representation import IMMUTABLE, Representation

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
NODE_MODULES: Final = HERE / "frontend" / "node_modules"
ROUTE: Final = "/assets/{digest}/{name}"

CONTENT_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
SYSTEM_FONTS: Final = b'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif'

_DIGEST_HEX: Final = 20  # 80 bits: a name for a cache, not a proof
_SOURCE_MAP: Final = re.compile(rb"/[/*]# sourceMappingURL=\S+(?: ?\*/)?")
_FONT_FACE: Final = re.compile(rb"(?:/\*![^*]*\*/)?@font-face\{[^}]*\}")
_PACKAGE_IMAGE: Final = re.compile(rb"[a-z-]+:url\(/assets/[^)]*\);?")


def _as_published(content: bytes) -> bytes:
    return content


def _neutral(css: bytes) -> bytes:
    """GOV.UK's style sheet without its typeface and the royal crest, which only gov.uk may show."""
    css = _PACKAGE_IMAGE.sub(b"", _FONT_FACE.sub(b"", css))
    return css.replace(b"GDS Transport,arial,sans-serif", SYSTEM_FONTS)


# Name on our pages: file under node_modules, and what is done to it
PACKAGED: Final[Mapping[str, tuple[str, Callable[[bytes], bytes]]]] = {
    "govuk-frontend.css": ("govuk-frontend/dist/govuk/govuk-frontend.min.css", _neutral),
    "swagger-ui.css": ("swagger-ui-dist/swagger-ui.css", _as_published),
    "swagger-ui.js": ("swagger-ui-dist/swagger-ui-bundle.js", _as_published),
}


def asset(name: str, content: bytes) -> Representation:
    """The asset with this name on our pages, whose suffix says what it is."""
    content = _SOURCE_MAP.sub(b"", content)
    return Representation.of(content, CONTENT_TYPES[Path(name).suffix], IMMUTABLE, compressed=True)


class Assets:
    """Everything that pages load, by name for templates and by address for browsers."""

    def __init__(self, assets: Mapping[str, Representation]) -> None:
        self._assets = dict(assets)
        self._digest = _digest("".join(f"{name} {assets[name].name}\n" for name in sorted(assets)).encode())

    def url(self, name: str) -> str:
        """The address of an asset, for templates: ``{{ asset("idverify.css") }}``. Raises ``KeyError``."""
        if name not in self._assets:
            raise KeyError(name)
        return ROUTE.format(digest=self._digest, name=name)

    async def serve(self, request: web.Request) -> web.Response:
        """An asset by its address. Raises ``NotFound`` for any other, and for one of another set."""
        found = self._assets.get(request.match_info["name"])
        if found is None or request.match_info["digest"] != self._digest:
            raise NotFound("There is no such file here.")
        status, body, headers = found.answer(request.headers)
        return web.Response(status=status, body=body, headers=headers)


ASSETS: Final = web.AppKey("assets", Assets)


@cache
def load(static: Path = STATIC, node_modules: Path = NODE_MODULES) -> Assets:
    """Every asset, read and compressed once per process (about 70 ms). Raises ``SetupError`` without npm's."""
    contents = {name: prepare(_read(node_modules / file)) for name, (file, prepare) in PACKAGED.items()}
    contents |= {path.name: path.read_bytes() for path in _served(static)}
    return Assets({name: asset(name, content) for name, content in contents.items()})


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGEST_HEX]


def _served(static: Path) -> Iterable[Path]:
    return (path for path in static.iterdir() if path.suffix in CONTENT_TYPES)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as missing:
        raise SetupError(
            f"The web pages need {file}, which is not there.",
            f"Run `npm ci --omit=dev --ignore-scripts` in {NODE_MODULES.parent}, then start again.",
        ) from missing
