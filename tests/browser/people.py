"""People with security keys of their own, and how they come to their accounts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.browser.security_key import SecurityKey
from tests.browser.visitor import Visitor
from tests.simulators.bound_rows import rewritten
from tests.simulators.service import Deployment


@dataclass(frozen=True)
class Person:
    """Somebody of the authority or of an organisation, and their key."""

    name: str
    key: SecurityKey = field(default_factory=SecurityKey)


async def enrol(visitor: Visitor, code: str, person: Person) -> None:
    """Open a one-time link that has no name on it, give one, and register the person's key; it stays plugged in."""
    await visitor.plug_in(person.key)
    await visitor.go(f"/enrol/{code}")
    await visitor.fill("Your name", person.name)
    await visitor.press("Continue")
    await visitor.press("Register this key")


async def enrol_as_named(visitor: Visitor, code: str) -> None:
    """Open a one-time link that has a name on it, and register a new key, which stays plugged in."""
    await visitor.plug_in(SecurityKey())
    await visitor.go(f"/enrol/{code}")
    await visitor.press("Register this key")


async def enrol_with_slip(visitor: Visitor, code: str, key: SecurityKey | None = None) -> None:
    """Type the code of a slip, as people do, and register a key, by default a new one, which stays plugged in."""
    await visitor.plug_in(SecurityKey() if key is None else key)
    await visitor.go("/enrol")
    await visitor.fill("Code", code.replace("-", " ").lower())
    await visitor.press("Continue")
    await visitor.press("Register this key")


async def sign_in(visitor: Visitor, key: SecurityKey) -> None:
    """Sign in with a key, which stays plugged in."""
    await visitor.plug_in(key)
    await visitor.go("/sign-in")
    await visitor.press("Sign in")


async def confirm(visitor: Visitor) -> None:
    """Sign the act that the page shows."""
    await visitor.press("Confirm with your security key")


def let_expire(deployment: Deployment, table: str) -> None:
    """Let the time of every row of a table be over; not for so long that they are swept away."""
    rewritten(deployment.location, deployment.doors, table, {"expires_at": int(time.time())})
