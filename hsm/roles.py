# ruff: noqa: ASYNC109 -- the timeout is shared out among the tokens that are asked in turn
"""One role on several tokens: each has a key and a certificate of its own, and any of them signs.

    roles = Roles(tokens, [KeyRole("doc-signer/pid", (RoleKey("first", a, cert_a, published=True),
                                                      RoleKey("second", b, cert_b, published=True)))])
    signed = await roles.sign("doc-signer/pid", message)
    signed.key.certificate      # whose signature it is

Private keys are never copied from token to token. What is signed often names its key, so `sign` takes either the
message or a function that makes it for the key that was chosen; the function runs again when another token takes over.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509

from hsm.client import DEFAULT_TIMEOUT, Hsm
from hsm.errors import (
    HsmBusy,
    HsmError,
    HsmKeyMissing,
    HsmKeyRefused,
    HsmModuleMissing,
    HsmPinRefused,
    HsmPolicy,
    HsmTimeout,
    HsmTokenMissing,
    HsmUnavailable,
)
from hsm.health import HsmState

FAULTS_OF_A_TOKEN = (
    HsmBusy,
    HsmKeyMissing,
    HsmKeyRefused,
    HsmModuleMissing,
    HsmPinRefused,
    HsmTimeout,
    HsmTokenMissing,
    HsmUnavailable,
)
"""What another token may not suffer from; everything else is the caller's and is not tried again."""

_ORDER = {HsmState.READY: 0, HsmState.DEGRADED: 0, HsmState.RESTARTING: 1}
_LAST = 2  # tokens that refuse: they answer at once, so asking them when all else failed costs nothing
_ASIDE_SECONDS = 30.0  # then a key that was refused is tried again: its inventory may have been mended


@dataclass(frozen=True, slots=True)
class RoleKey:
    """A role's key on one token. `key` is its CKA_ID, `certificate` DER, `None` for a key that needs none.

    Only a `published` key is used: whoever verifies must be able to know it before its first signature.
    """

    token: str
    key: bytes
    certificate: bytes | None
    published: bool


@dataclass(frozen=True, slots=True)
class KeyRole:
    """A role and its keys, one a token."""

    name: str
    keys: tuple[RoleKey, ...]

    def __post_init__(self) -> None:
        """Refuse what no deployment means: no key, two on one token, one key on two."""
        if not self.keys:
            raise HsmPolicy(f"Expected a key for the role {self.name}, got none. Generate one on each token.")
        for what, values in (
            ("token", {key.token for key in self.keys}),
            ("key id", {key.key for key in self.keys}),
        ):
            if len(values) != len(self.keys):
                raise HsmPolicy(f"Expected each key of {self.name} to have a {what} of its own, got one twice.")


@dataclass(frozen=True, slots=True)
class RoleSignature:
    """A signature and the key that made it."""

    key: RoleKey
    signature: bytes


@dataclass(slots=True)
class _Certified:
    key: RoleKey
    starts: float = 0.0  # Unix seconds
    ends: float = float("inf")
    turn: int = 0  # when it was chosen last, counted in choices
    aside_until: float = float("-inf")  # monotonic seconds

    @classmethod
    def of(cls, key: RoleKey) -> "_Certified":
        if key.certificate is None:
            return cls(key)
        certificate = x509.load_der_x509_certificate(key.certificate)
        return cls(key, certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp())


class Roles:
    """Chooses the token of each signature: of those that serve, the one with the least pending."""

    def __init__(
        self, tokens: Mapping[str, Hsm], roles: Iterable[KeyRole], *, now: Callable[[], float] = time.time
    ) -> None:
        self._tokens, self._now = tokens, now
        self._turns = 0
        self._roles = {role.name: [_Certified.of(key) for key in role.keys] for role in roles}
        unknown = {one.key.token for keys in self._roles.values() for one in keys} - set(tokens)
        if unknown:
            raise HsmPolicy(f"Expected every key on a configured token, got keys on: {', '.join(sorted(unknown))}.")

    def pick(
        self,
        role: str,
        *,
        until: float | None = None,
        besides: Collection[RoleKey] = (),
        among: Collection[bytes] | None = None,
    ) -> RoleKey:
        """The key that the next signature of this role should be made with.

        `until` is Unix seconds, by default now: the certificate must last as long. `besides` are keys that failed,
        `among` the ids that will do, by default all.
        `HsmPolicy` when no published key of the role may sign that, `HsmUnavailable` when every one failed.
        """
        return self._pick(role, until, besides, among).key

    def set_aside(self, key: bytes) -> None:
        """Choose this key for nothing that another may sign, for half a minute: its token is well and refuses it."""
        until = time.monotonic() + _ASIDE_SECONDS
        for one in (one for keys in self._roles.values() for one in keys if one.key.key == key):
            one.aside_until = until

    async def sign(
        self,
        role: str,
        message: bytes | Callable[[RoleKey], bytes],
        *,
        until: float | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> RoleSignature:
        """Sign with a key of the role, on another token when the first does not answer.

        The timeout is shared out: a token that hangs leaves the same time to the next. Raises `HsmBusy` when one
        token was busy and no other could sign, otherwise `HsmUnavailable` with what each token said.
        """
        deadline = time.monotonic() + timeout
        failed: dict[RoleKey, HsmError] = {}
        while True:
            try:
                chosen = self._pick(role, until, failed)
            except HsmUnavailable:
                raise _all_failed(role, failed) from None
            left = len(self._roles[role]) - len(failed)
            text = message if isinstance(message, bytes) else message(chosen.key)
            share = max(0.0, deadline - time.monotonic()) / left
            try:
                signature = await self._tokens[chosen.key.token].sign(chosen.key.key, text, timeout=share)
            except FAULTS_OF_A_TOKEN as error:
                failed[chosen.key] = error
                if isinstance(error, HsmKeyRefused):
                    self.set_aside(chosen.key.key)
            else:
                return RoleSignature(chosen.key, signature)

    def _pick(
        self, role: str, until: float | None, besides: Collection[RoleKey], among: Collection[bytes] | None = None
    ) -> _Certified:
        known = self._roles.get(role)
        if known is None:
            raise HsmPolicy(f"Expected one of the roles {', '.join(sorted(self._roles))}, got {role}.")
        now = self._now()
        able = [one for one in known if one.key.published and one.starts <= now <= one.ends]
        able = [one for one in able if until is None or until <= one.ends]
        able = [one for one in able if among is None or one.key.key in among]
        if not able:
            raise HsmPolicy(
                f"Expected a published key of {role} whose certificate is in force and outlasts what it signs, "
                "got none. Renew the certificate, or publish the key first."
            )
        left = [one for one in able if one.key not in besides]
        if not left:
            raise HsmUnavailable(f"Expected a token to sign as {role}, got none that can. See the tokens' health.")
        chosen = min(left, key=self._burden)
        self._turns += 1
        chosen.turn = self._turns
        return chosen

    def _burden(self, one: _Certified) -> tuple[bool, int, int, int]:
        hsm = self._tokens[one.key.token]
        return time.monotonic() < one.aside_until, _ORDER.get(hsm.state, _LAST), hsm.pending, one.turn


def _all_failed(role: str, failed: Mapping[RoleKey, HsmError]) -> HsmError:
    said = "; ".join(f"{key.token}: {error}" for key, error in failed.items())
    kind = HsmBusy if any(isinstance(error, HsmBusy) for error in failed.values()) else HsmUnavailable
    return kind(f"Expected a token to sign as {role}, got: {said}")
