"""A security key that is carried from page to page: Chromium's own virtual authenticator (CDP domain ``WebAuthn``)."""

from __future__ import annotations

from typing import Any, Final

from playwright.async_api import CDPSession, Page

MODEL: Final = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "usb",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class SecurityKey:
    """A key that is touched, and its PIN typed, whenever the browser asks; until told otherwise.

    Chromium forgets an authenticator with its page. What this one holds outlives it, so that one key serves its
    owner at one computer after another, with a counter that only rises. ``features`` are what it has besides, or has
    not: CDP's ``VirtualAuthenticatorOptions``.
    """

    def __init__(self, **features: Any) -> None:
        self.held: list[dict[str, Any]] = []
        self._features = features
        self._cdp: CDPSession | None = None
        self._authenticator = ""

    async def plug_in(self, page: Page) -> None:
        """Put the key into the computer that shows this page."""
        self._cdp = await page.context.new_cdp_session(page)
        await self._cdp.send("WebAuthn.enable", {"enableUI": False})
        made = await self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": MODEL | self._features})
        self._authenticator = made["authenticatorId"]
        for credential in self.held:
            await self._send("addCredential", credential=credential)

    async def unplug(self) -> None:
        """Take it out, with all that it holds."""
        self.held = await self.holds()
        await self._send("removeVirtualAuthenticator")
        self._cdp = None

    async def holds(self) -> list[dict[str, Any]]:
        """What is on it now, as CDP has it, secrets and all."""
        credentials: list[dict[str, Any]] = (await self._send("getCredentials"))["credentials"]
        return credentials

    def copied(self, count: int) -> SecurityKey:
        """A copy that somebody made of it while it was in no computer, with a counter of their choice."""
        copy = SecurityKey(**self._features)
        copy.held = [{**credential, "signCount": count} for credential in self.held]
        return copy

    @property
    def is_plugged_in(self) -> bool:
        """Whether it is in a computer."""
        return self._cdp is not None

    async def is_touched(self, touched: bool) -> None:  # noqa: FBT001  it is touched, or it is not
        """Whether somebody touches it when it blinks."""
        await self._send("setAutomaticPresenceSimulation", enabled=touched)

    async def has_pin(self, verified: bool) -> None:  # noqa: FBT001  likewise
        """Whether the key can verify its user."""
        await self._send("setUserVerified", isUserVerified=verified)

    async def misbehave(
        self, *, signature: bool = False, user_verification: bool = False, user_presence: bool = False
    ) -> None:
        """Sign wrongly, or say that the user was not verified, or was not there."""
        await self._send(
            "setResponseOverrideBits", isBogusSignature=signature, isBadUV=user_verification, isBadUP=user_presence
        )

    async def _send(self, command: str, **parameters: Any) -> Any:
        assert self._cdp is not None, "The key is in no computer: call plug_in first."
        return await self._cdp.send(f"WebAuthn.{command}", {"authenticatorId": self._authenticator, **parameters})
