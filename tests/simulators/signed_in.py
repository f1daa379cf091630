"""People with a security key: they enrol by a one-time code, sign in, and confirm what they do."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, Final

import orjson

from idverify.core.credential_type import Purpose
from idverify.core.policy import Role
from idverify.services.invite import Invited
from tests.simulators.authenticator import (
    AT,
    UP,
    UV,
    Authenticator,
    authenticator_data,
    client_data,
    elliptic_key,
    text,
)

COOKIE: Final = "__Host-idverify"
STAFF: Final[Mapping[str, Invited]] = {
    "officer": Invited(Role.OFFICER, "Olive Officer"),
    "second": Invited(Role.OFFICER, "Oscar Officer"),
    "admin": Invited(Role.ADMIN, "Ada Admin"),
    "partner": Invited(Role.RELYING_PARTY, "Example Bank plc", Purpose.WORK),
}


class PersonalKey:
    """An honest security key with one account on it, and the browser around it; like many, it does not count."""

    def __init__(self) -> None:
        self.authenticator = Authenticator(elliptic_key(secrets.token_hex()), secrets.token_bytes(32))
        self.user_handle = b""

    def create(self, options: Mapping[str, Any], origin: str, flags: int = UP | UV) -> dict[str, Any]:
        """The answer to creation options."""
        self.user_handle = from_text(options["user"]["id"])
        return self.authenticator.register(
            client=client_data("webauthn.create", from_text(options["challenge"]), {"origin": origin}),
            said=authenticator_data(flags | AT, 0, options["rp"]["id"], self.authenticator.attested()),
        )

    def get(self, options: Mapping[str, Any], origin: str, flags: int = UP | UV, count: int = 0) -> dict[str, Any]:
        """The answer to request options."""
        return self.authenticator.sign_in(
            client=client_data("webauthn.get", from_text(options["challenge"]), {"origin": origin}),
            said=authenticator_data(flags, count, options["rpId"]),
            inner={"userHandle": text(self.user_handle)},
        )


@dataclass
class SignedInPerson:
    """Somebody's security key and, while they are signed in, their session token and its CSRF token."""

    key: PersonalKey = field(default_factory=PersonalKey)
    token: str = ""
    csrf: str = ""

    def opened(self, token: str, csrf: str) -> None:
        """Keep what signing in or enrolling gave."""
        self.token, self.csrf = token, csrf

    def follow(self, received: Mapping[str, str]) -> None:
        """Keep the token that an answer renewed, as a browser does."""
        given = SimpleCookie(received.get("Set-Cookie", "")).get(COOKIE)
        if given is not None:
            self.token = given.value

    @property
    def cookie(self) -> str:
        """The header that brings the token along."""
        return f"{COOKIE}={self.token}"

    def headers(self, origin: str) -> dict[str, str]:
        """What a page of ours would send: cookie, CSRF token, origin."""
        return {"Cookie": self.cookie, "X-CSRF-Token": self.csrf, "Origin": origin}

    def step_up(self, asked: Mapping[str, Any], origin: str) -> dict[str, str]:
        """The header that confirms what the member ``step_up`` of a 401 ``step-up-required`` asked for."""
        return step_up_header(asked["ceremony"], self.key.get(asked["public_key"], origin))


def step_up_header(ceremony: str, response: Mapping[str, Any]) -> dict[str, str]:
    """The header ``Step-Up`` of a ceremony's handle and an answer."""
    given = orjson.dumps({"ceremony": ceremony, "response": response})
    return {"Step-Up": base64.urlsafe_b64encode(given).decode().rstrip("=")}


def from_text(encoded: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
