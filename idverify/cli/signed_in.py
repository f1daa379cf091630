"""Calls of the API by somebody who signs in with a security key in a file, and confirms with it what they do."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from idverify.cli.api import Sender
from idverify.cli.output import printable
from idverify.cli.request import Answer, accepted, exchange
from idverify.cli.security_key import answer, post

STEP_UP: Final = "/problems/step-up-required"


@dataclass(slots=True)
class SignedIn:
    """A session, and the key that opened it. Whatever is confirmed in it renews its cookie."""

    origin: str
    path: Path
    csrf_token: str = field(repr=False)
    cookie: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What a page of the service would send."""
        return {"Cookie": self.cookie, "X-CSRF-Token": self.csrf_token, "Origin": self.origin}

    def call(self, method: str, url: str, body: bytes | None) -> bytes:
        """The body of a successful answer; an act that must be confirmed is shown and confirmed."""
        first = exchange(method, url, body, self.headers)
        asked = _step_up(first)
        if asked is None:
            return accepted(url, first)
        sys.stderr.write(f"Confirmed with {self.path}: {printable(orjson.dumps(asked['action']).decode())}\n")
        confirmed = {**self.headers, "Step-Up": self._confirmation(asked)}
        done = exchange(method, url, body, confirmed)
        self.cookie = _cookies(done) or self.cookie
        return accepted(url, done)

    def _confirmation(self, asked: Mapping[str, Any]) -> str:
        response = answer(self.path, lambda key: key.get(asked["public_key"], self.origin))
        given = orjson.dumps({"ceremony": asked["ceremony"], "response": response})
        return base64.urlsafe_b64encode(given).decode().rstrip("=")


def as_person(key: Path) -> Sender:
    """A call by whoever the security key in a file belongs to, in a session of its own."""

    def send(method: str, url: str, body: bytes | None) -> bytes:
        with signed_in(url, key) as person:
            return person.call(method, url, body)

    return send


@contextmanager
def as_one_session(url: str, key: Path) -> Iterator[Sender]:
    """Calls by whoever the security key in a file belongs to, all in one session."""
    with signed_in(url, key) as person:
        yield person.call


@contextmanager
def signed_in(url: str, path: Path) -> Iterator[SignedIn]:
    """Sign in at the service of an address; signed out on the way out."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    begun = post(f"{origin}/api/v1/sign-in/options")
    response = answer(path, lambda key: key.get(begun["public_key"], origin))
    asked = orjson.dumps({"ceremony": begun["ceremony"], "response": response})
    opened = exchange("POST", f"{origin}/api/v1/sign-in", asked, {})
    csrf = orjson.loads(accepted(f"{origin}/api/v1/sign-in", opened))["csrf_token"]
    person = SignedIn(origin, path, csrf, _cookies(opened))
    try:
        yield person
    finally:
        exchange("POST", f"{origin}/api/v1/sign-out", None, person.headers)


def _cookies(opened: Answer) -> str:
    given = SimpleCookie(opened.headers.get("Set-Cookie", ""))
    return "; ".join(f"{name}={morsel.value}" for name, morsel in given.items())


def _step_up(refused: Answer) -> Mapping[str, Any] | None:
    """What the service wants confirmed, if that is its answer."""
    if refused.status != 401:
        return None
    problem = orjson.loads(refused.body)
    return problem["step_up"] if problem.get("type") == STEP_UP else None
