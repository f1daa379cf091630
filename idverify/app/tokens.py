"""The HSM behind the services' ports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from hsm import Hsm, HsmBusy, HsmDecryptFailed, HsmError, HsmKeyRefused, HsmOutcomeUnknown, Priority, TokenConfig
from idverify.config import Token
from idverify.errors import Busy, IdverifyError, OutcomeUnknown, SetupError, Unavailable
from idverify.ports import TokenStanding
from idverify.services.urgency import Urgency, urgency

T = TypeVar("T")


def token_config(token: Token, *, writable: bool = False, guarded: bool = False) -> TokenConfig:
    """The settings of a token as the HSM client takes them; ``guarded``: every use is held against its inventory."""
    return TokenConfig(
        module=token.module,
        label=token.label,
        serial=token.serial,
        pin_file=token.pin_file,
        softhsm_conf=token.softhsm_conf,
        workers=token.workers,
        sessions=token.sessions,
        writable=writable,
        inventory=token.inventory if guarded else None,
    )


class HsmSigner:
    """``ports.Signer`` over one token."""

    def __init__(self, hsm: Hsm, probe_key: bytes) -> None:
        self._hsm, self._probe_key = hsm, probe_key

    async def sign(self, key_id: bytes, message: bytes) -> bytes:
        """A verified signature."""
        return await mapped(lambda: self._hsm.sign(key_id, message, priority=_priority()))

    async def probe(self) -> None:
        """A real signature by the probe key."""
        await mapped(lambda: self._hsm.probe(self._probe_key))


class HsmCustodian:
    """``ports.Custodian`` over one token."""

    def __init__(self, hsm: Hsm, wrapping_key_id: bytes, lookup_key_id: bytes) -> None:
        self._hsm = hsm
        self.wrapping_key_id, self.lookup_key_id = wrapping_key_id, lookup_key_id

    async def wrap(self, secret: bytes) -> bytes:
        """AES-KWP under the wrapping key."""
        return await mapped(lambda: self._hsm.wrap(self.wrapping_key_id, secret, priority=_priority()))

    async def unwrap(self, wrapping_key_id: bytes, wrapped: bytes) -> bytes:
        """What ``wrap`` took."""
        return await mapped(lambda: self._hsm.unwrap(wrapping_key_id, wrapped, priority=_priority()))

    async def blind(self, value: bytes) -> bytes:
        """HMAC-SHA256 under the look-up key."""
        return await mapped(lambda: self._hsm.hmac(self.lookup_key_id, value, priority=_priority()))


class HsmSealer:
    """``ports.Sealer`` over one token."""

    def __init__(self, hsm: Hsm, key_id: bytes) -> None:
        self._hsm, self._key_id = hsm, key_id

    async def seal(self, seed: bytes) -> bytes:
        """AES-KWP under the sealing key."""
        return await mapped(lambda: self._hsm.wrap(self._key_id, seed))

    async def unseal(self, sealed: bytes) -> bytes:
        """What ``seal`` took."""
        return await mapped(lambda: self._hsm.unwrap(self._key_id, sealed))


_PRIORITIES: Final = {
    Urgency.OFFICER: Priority.HIGH,
    Urgency.CITIZEN: Priority.NORMAL,
    Urgency.RELYING_PARTY: Priority.LOW,
    Urgency.BACKGROUND: Priority.BACKGROUND,
}


def _priority() -> Priority:
    """The class in the HSM's queue of whoever this task works for."""
    return _PRIORITIES[urgency()]


def standing(label: str, hsm: Hsm) -> TokenStanding:
    """How a token is doing now."""
    health = hsm.health()
    return TokenStanding(
        token=label,
        state=health.state.value,
        workers=len(health.workers),
        pending=health.pending,
        restarts=health.restarts,
        pin_refused=health.refused,
        pin_count_low=health.pin_count_low,
        since_probe=health.since_probe,
        reason=health.reason,
    )


async def mapped(call: Callable[[], Awaitable[T]]) -> T:
    """Run an HSM call; its errors become ours."""
    try:
        return await call()
    except HsmError as error:
        raise during_work(error) from error


def at_start(error: HsmError) -> SetupError:
    """A token that cannot be opened is for the operator; the HSM's own sentence names the cause and the cure."""
    return SetupError(str(error), "Then start again.")


def during_work(error: HsmError) -> IdverifyError:
    """Which of our errors it is when a call fails: whoever asked can only come back."""
    match error:
        case HsmBusy():
            return Busy("Too many signatures are waiting. Come back in a moment.", error.retry_after)
        case HsmOutcomeUnknown():
            return OutcomeUnknown("The HSM was cut off. Ask again with the same idempotency key.")
        case HsmDecryptFailed():
            return IdverifyError("A stored key does not open under the HSM's key: the row was changed.")
        case HsmKeyRefused():
            return Unavailable("The key may not be used any more, or not yet; nothing was signed. It must be replaced.")
        case _:
            return Unavailable("The HSM is away; nothing was signed. Come back in a moment.")
