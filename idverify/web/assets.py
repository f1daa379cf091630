"""Style sheets, scripts and the icon: read once at the start, served from memory under content-addressed names.

The addresses hold one digest over all assets, so a browser may keep each for ever, never sees an old one on a new
page, and modules that import each other by name always come from one set. What comes from npm is listed in
``PACKAGED``, and nothing else of those packages is reachable; every file of ``static/`` is served under its own name.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

from idverify.errors import NotFound, SetupError

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
_GZIP: Final = re.compile(r"(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[01][.0-9]*\s*)?(?:,|$)", re.IGNORECASE)


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


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent: its bytes plain and gzipped, and the digest of the plain ones."""

    digest: str
    content_type: str
    plain: bytes
    gzipped: bytes

    @classmethod
    def of(cls, name: str, content: bytes) -> Asset:
        """The asset with this name on our pages, whose suffix says what it is."""
        content = _SOURCE_MAP.sub(b"", content)
        return cls(_digest(content), CONTENT_TYPES[Path(name).suffix], content, gzip.compress(content, 6, mtime=0))

    def respond(self, headers: Mapping[str, str]) -> web.Response:
        """The answer to a request with these headers: gzipped if it accepts that, 304 if it has the bytes already."""
        zipped = _GZIP.search(headers.get("Accept-Encoding", "")) is not None
        tag = f'"{self.digest}-gzip"' if zipped else f'"{self.digest}"'  # one tag per representation: RFC 9110, 8.8.3
        answer = {
            "ETag": tag,
            "Cache-Control": "public, max-age=31536000, immutable",
            "Vary": "Accept-Encoding",
        }
        if tag in headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=answer)
        answer["Content-Type"] = self.content_type
        if zipped:
            answer["Content-Encoding"] = "gzip"
        return web.Response(body=self.gzipped if zipped else self.plain, headers=answer)


class Assets:
    """Everything that pages load, by name for templates and by address for browsers."""

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        self._assets = dict(assets)
        self._digest = _digest("".join(f"{name} {assets[name].digest}\n" for name in sorted(assets)).encode())

    def url(self, name: str) -> str:
        """The address of an asset, for templates: ``{{ asset("idverify.css") }}``. Raises ``KeyError``."""
        if name not in self._assets:
            raise KeyError(name)
        return ROUTE.format(digest=self._digest, name=name)

    async def serve(self, request: web.Request) -> web.Response:
        """An asset by its address. Raises ``NotFound`` for any other, and for one of another set."""
        asset = self._assets.get(request.match_info["name"])
        if asset is None or request.match_info["digest"] != self._digest:
            raise NotFound("There is no such file here.")
        return asset.respond(request.headers)


ASSETS: Final = web.AppKey("assets", Assets)


@cache
def load(static: Path = STATIC, node_modules: Path = NODE_MODULES) -> Assets:
    """Every asset, read and compressed once per process (about 70 ms). Raises ``SetupError`` without npm's."""
    contents = {name: prepare(_read(node_modules / file)) for name, (file, prepare) in PACKAGED.items()}
    contents |= {path.name: path.read_bytes() for path in _served(static)}
    return Assets({name: Asset.of(name, content) for name, content in contents.items()})


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
