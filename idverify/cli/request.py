"""One HTTP request from the command line: bytes out, a refusal as one sentence."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from idverify.cli.output import WrongUsage
from idverify.errors import Conflict, Unavailable

SECONDS: Final = 15.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: followed, it would carry the API key to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Loopback(http.client.HTTPConnection):
    """``localhost`` is loopback (RFC 6761 section 6.3), also on a machine that has no /etc/hosts."""

    def connect(self) -> None:
        named = self.host
        self.host = "127.0.0.1" if named == "localhost" else named
        try:
            super().connect()
        finally:
            self.host = named


class _LoopbackHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Loopback, req)


_OPENER: Final = urllib.request.build_opener(_NoRedirects, _LoopbackHandler)


def request(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
    """The body of a successful answer; ``body`` is JSON.

    Raises ``WrongUsage`` for what is no web address, ``Conflict`` if the service refuses (below 500), and
    ``Unavailable`` if it fails or cannot be reached.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isascii() and url.isprintable()
    except ValueError:  # brackets that are none
        usable = False
    if not usable or " " in url:
        raise WrongUsage(f"The address must be like http://localhost:8080/path, in ASCII; got {url!r}.")
    sent = dict(headers) if body is None else {"Content-Type": "application/json", **headers}
    asked = urllib.request.Request(url, body, sent, method=method)  # noqa: S310  the scheme was checked above
    try:
        with _OPENER.open(asked, timeout=SECONDS) as response:
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        kind = Unavailable if error.code >= 500 else Conflict
        raise kind(f"{url} answered {error.code}: {_problem(error)}") from error
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "reason", error)
        raise Unavailable(
            f"{url} cannot be reached ({why}). Is it running? Start it with: python3 -m idverify up"
        ) from error


def _problem(error: urllib.error.HTTPError) -> str:
    """The sentence of an RFC 9457 problem, and each field that it lists."""
    try:
        problem = orjson.loads(error.read())
        wrong = (f"{field['at']}: {field['expected']}" for field in problem.get("errors", ()))
        return "; ".join((problem["detail"], *wrong))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return str(error.reason)
