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


_OPENER: Final = urllib.request.build_opener(_NoRedirects)


def request(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
    """The body of a successful answer; ``body`` is JSON.

    Raises ``WrongUsage`` for what is no web address, ``Conflict`` if the service refuses (below 500), and
    ``Unavailable`` if it fails or cannot be reached.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise WrongUsage(f"The address must start with http:// or https://; got {url!r}.")
    sent = dict(headers) if body is None else {"Content-Type": "application/json", **headers}
    asked = urllib.request.Request(url, body, sent, method=method)  # noqa: S310  the scheme was checked above
    try:
        with _OPENER.open(asked, timeout=SECONDS) as response:
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        kind = Unavailable if error.code >= 500 else Conflict
        raise kind(f"{url} answered {error.code}: {_problem(error)}") from error
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{url} cannot be reached ({error}). Run the same command again.") from error


def _problem(error: urllib.error.HTTPError) -> str:
    """The sentence of an RFC 9457 problem, and each field that it lists."""
    try:
        problem = orjson.loads(error.read())
        wrong = (f"{field['at']}: {field['expected']}" for field in problem.get("errors", ()))
        return " ".join((problem["detail"], *wrong))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return str(error.reason)
