"""One HTTP request from the command line: bytes out, a refusal as one sentence."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from idverify.cli.output import Refused, WrongUsage
from idverify.errors import Unavailable

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


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered, a refusal included."""

    status: int
    headers: Message
    body: bytes


def request(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
    """The body of a successful answer; ``body`` is JSON or a document. Raises as ``exchange`` and ``accepted`` do."""
    return accepted(url, exchange(method, url, body, headers))


def exchange(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    """One request and its answer; ``body`` is JSON, or a document of whatever kind, which the service tells by itself.

    Raises ``WrongUsage`` for what is no web address, and ``Unavailable`` if the service fails (500 and above) or cannot
    be reached.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isascii() and url.isprintable()
    except ValueError:  # brackets that are none
        usable = False
    if not usable or " " in url:
        raise WrongUsage(f"The address must be like http://localhost:8080/path, in ASCII; got {url!r}.")
    sent = dict(headers) if body is None else {"Content-Type": _media_type(body), **headers}
    asked = urllib.request.Request(url, body, sent, method=method)  # noqa: S310  the scheme was checked above
    try:
        with _OPENER.open(asked, timeout=SECONDS) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            refused = Answer(error.code, error.headers, error.read())
        if refused.status >= 500:
            raise Unavailable(_told(url, refused)) from error
        return refused
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "reason", error)
        raise Unavailable(
            f"{url} cannot be reached ({why}). Is it running? Start it with: python3 -m idverify up"
        ) from error


def _media_type(body: bytes) -> str:
    """The API takes objects: whatever begins otherwise is a letter, a photo or the like, as it is."""
    return "application/json" if body.lstrip().startswith(b"{") else "application/octet-stream"


def accepted(url: str, answer: Answer) -> bytes:
    """The body of an answer. Raises ``Refused``, with the service's own sentence, if it is a refusal."""
    if answer.status >= 300:
        raise Refused(_told(url, answer))
    return answer.body


def _told(url: str, refused: Answer) -> str:
    """The sentence of an RFC 9457 problem, and each field that it lists."""
    try:
        problem = orjson.loads(refused.body)
        wrong = (f"{field['at']}: {field['expected']}" for field in problem.get("errors", ()))
        said = "; ".join((problem["detail"], *wrong))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        said = http.client.responses.get(refused.status, "no reason given")
    return f"{url} answered {refused.status}: {said}"
