"""The HSM behind the services' ports: one token or several, each with keys of its own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hsm import (
    Algorithm,
    Hsm,
    HsmBusy,
    HsmDecryptFailed,
    HsmError,
    HsmInventoryRefused,
    HsmKeyRefused,
    HsmModuleMissing,
    HsmOutcomeUnknown,
    HsmPinMissing,
    HsmPinRefused,
    HsmTimeout,
    HsmTokenMissing,
    HsmUnavailable,
    KeyRole,
    Priority,
    RoleKey,
    Roles,
    SealedKey,
    TokenConfig,
    TokenSet,
)
from hsm.recovery import Recovered, RecoveryKey
from hsm.roles import FAULTS_OF_A_TOKEN
from idverify.config import Token
from idverify.core.credential import Issuer
from idverify.errors import Busy, IdverifyError, OutcomeUnknown, SetupError, TokenAway, Unavailable
from idverify.ports import EndingCertificate, TokenStanding
from idverify.services.doors import SECRET_LABEL, SECRET_NAME
from idverify.services.establish import LOOKUP_ROLE, PROBE_ROLE, SEALING_ROLE, WRAPPING_ROLE
from idverify.services.urgency import Urgency, urgency
from idverify.stores.vault import SealBroken

T = TypeVar("T")
SHARE_SECONDS: Final = 5.0
"""For a token's part in what every token does: one that hangs must not hold up the others for longer."""
_AWAY: Final[Mapping[type[HsmError], str]] = {
    HsmPinRefused: "The HSM is away: it refused its PIN. Nothing was signed; come back in a moment.",
    HsmPinMissing: "The HSM is away: its PIN file cannot be read. Nothing was signed; come back in a moment.",
    HsmTokenMissing: "The HSM is away: the token is not there. Nothing was signed; come back in a moment.",
    HsmModuleMissing: "The HSM is away: its module is not there. Nothing was signed; come back in a moment.",
    HsmInventoryRefused: "The HSM is away: its inventory was altered. Nothing was signed; come back in a moment.",
}
"""What anybody may know of why; paths, labels and the cure are in the log, and on the administrators' desk."""
_NOT_CONFIGURED: Final = "The token of this signing key is not configured."
AWAY_AT_START: Final = (HsmModuleMissing, HsmPinMissing, HsmTimeout, HsmTokenMissing, HsmUnavailable)
"""Of a token that is not there, which another may stand in for. A PIN that is refused is for the operator, now."""
_NONE_THERE: Final = "No token that can do this is there now. Come back in a moment."


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

    async def standings(self) -> Mapping[str, str]:
        """Of one token there is nothing to tell apart."""
        return {}


class HsmSealer:
    """``ports.Sealer`` and ``ports.SealedSigner`` over one token."""

    def __init__(self, hsm: Hsm, key_id: bytes) -> None:
        self._hsm, self._key_id = hsm, key_id

    async def make_sealed(self) -> tuple[bytes, bytes]:
        """A new key, its seed drawn by the token and sealed by the sealing key."""
        made = await mapped(lambda: self._hsm.make_sealed(Algorithm.ML_DSA_44, self._key_id))
        return made.public_key, made.sealed

    async def open_sealed(self, public_key: bytes, sealed: bytes) -> bool:
        """Whether the seed opens under the sealing key, and is that of this public key."""
        try:
            await self._hsm.open_sealed(SealedKey(public_key, self._key_id, sealed))
        except HsmDecryptFailed:
            return False
        except HsmError as error:
            raise during_work(error) from error
        return True

    async def sign_sealed(self, public_key: bytes, sealed: bytes, message: bytes) -> bytes:
        """A verified signature; the seed never leaves the signer process."""
        key = SealedKey(public_key, self._key_id, sealed)
        return await mapped(lambda: self._hsm.sign_sealed(key, message, priority=_priority()))


class TokensSealer:
    """``ports.SealedSigner`` over several tokens: each uses the keys that it sealed."""

    def __init__(self, tokens: TokenSet, keys: TokenKeys) -> None:
        sealing = keys.of_role(SEALING_ROLE)
        self._sealers = {
            row["public_key"]: HsmSealer(tokens[row["token"]], sealing[row["token"]])
            for row in keys.rows
            if row["sealed"] is not None and row["token"] in sealing
        }

    async def open_sealed(self, public_key: bytes, sealed: bytes) -> bool:
        """Whether the seed opens under the sealing key of its token, and is that of this public key."""
        return await self._sealer(public_key).open_sealed(public_key, sealed)

    async def sign_sealed(self, public_key: bytes, sealed: bytes, message: bytes) -> bytes:
        """A verified signature; the seed never leaves the signer process."""
        return await self._sealer(public_key).sign_sealed(public_key, sealed, message)

    def _sealer(self, public_key: bytes) -> HsmSealer:
        if public_key not in self._sealers:
            raise TokenAway(_NOT_CONFIGURED)
        return self._sealers[public_key]


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
        certificates=tuple(
            EndingCertificate(one.key, one.label, one.not_after, one.within_days) for one in health.certificates
        ),
    )


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """The keys in use, as rows of ``signing_key``, as far as their tokens are configured."""

    rows: Sequence[Any]

    @classmethod
    def of(cls, rows: Iterable[Any], tokens: Iterable[str]) -> TokenKeys:
        """Those on the tokens of these labels."""
        labels = set(tokens)
        return cls([row for row in rows if row["token"] in labels])

    def of_role(self, role: str) -> dict[str, bytes]:
        """The role's key id on each token, by the token's label."""
        return {row["token"]: row["key_id"] for row in self.rows if row["role"] == role}

    def certified(self) -> list[KeyRole]:
        """Roles whose keys have certificates, each with its key on every token.

        A key's row, and the entry of it on the ledger, are there before a service can read it: it is published.
        """
        roles: dict[str, list[RoleKey]] = {}
        for row in self.rows:
            if row["certificate"] is not None:
                key = RoleKey(row["token"], row["key_id"], row["certificate"], published=True)
                roles.setdefault(row["role"], []).append(key)
        return [KeyRole(role, tuple(keys)) for role, keys in roles.items()]


class TokensSigner:
    """``ports.Signer`` over several tokens, and the choice among a role's keys on them."""

    def __init__(self, tokens: TokenSet, keys: TokenKeys) -> None:
        self._tokens = tokens
        self._places = {row["key_id"]: row["token"] for row in keys.rows}
        self._probes = keys.of_role(PROBE_ROLE)
        self._roles = Roles(tokens, keys.certified())

    def choose(self, role: str, among: Sequence[Issuer]) -> Issuer:
        """The signer of this role whose token has the least to do, of those that serve."""
        by_id = {issuer.key_id: issuer for issuer in among}
        try:
            return by_id[self._roles.pick(role, among=frozenset(by_id)).key]
        except HsmError as error:
            raise during_work(error) from error

    async def sign(self, key_id: bytes, message: bytes) -> bytes:
        """A verified signature by the token that has the key."""
        token = self._places.get(key_id)
        if token is None:
            raise TokenAway(_NOT_CONFIGURED)
        try:
            return await self._tokens[token].sign(key_id, message, priority=_priority())
        except HsmError as error:
            if isinstance(error, HsmKeyRefused):  # whoever tries again must get another token's key
                self._roles.set_aside(key_id)
            raise during_work(error) from error

    async def probe(self) -> None:
        """A real signature by the probe key of one token at least. Raises what the last one did."""
        said = await self._asked()
        if not any(error is None for error in said.values()):
            raise next((during_work(error) for error in said.values() if error is not None), Unavailable(_NONE_THERE))

    async def standings(self) -> Mapping[str, str]:
        """What each of several tokens says to a real signature by its probe key: ``ok``, or what anybody may know.

        Why, with the path of its module, is in the log and in ``states``.
        """
        if len(self._tokens) == 1:
            return {}
        asked = await self._asked()
        return {token: "ok" if error is None else during_work(error).detail for token, error in asked.items()}

    def states(self) -> tuple[TokenStanding, ...]:
        """How each token is doing; asks them nothing."""
        return tuple(standing(label, hsm) for label, hsm in self._tokens.items())

    async def _asked(self) -> dict[str, HsmError | None]:
        return dict(zip(self._tokens, await asyncio.gather(*map(self._ask, self._tokens)), strict=True))

    async def _ask(self, token: str) -> HsmError | None:
        away = self._tokens.away().get(token)
        if away is not None:
            return away
        if token not in self._probes:
            return HsmUnavailable(f"Expected keys of ours on the token {token}, got none. Run `idverify up`.")
        try:
            await self._tokens[token].probe(self._probes[token])
        except HsmError as error:
            return error
        return None


class HsmCustodian:
    """``ports.Custodian`` over tokens that each have a wrapping key and a look-up key, and a recovery key."""

    def __init__(
        self,
        tokens: TokenSet,
        keys: TokenKeys,
        recovery: RecoveryKey | None,
        kept: Callable[[], Awaitable[Mapping[bytes, bytes]]],
        recovered: Recovered | None = None,
    ) -> None:
        self._recovered = recovered
        self._tokens, self._recovery, self._kept = tokens, recovery, kept
        self._wrapping, self._lookup = keys.of_role(WRAPPING_ROLE), keys.of_role(LOOKUP_ROLE)
        self.lookup_keys = frozenset(self._lookup.values())
        self.recovery_key = None if recovery is None else recovery.id
        offline = () if recovery is None else (recovery.id,)
        self.wrapping_keys = frozenset((*self._wrapping.values(), *offline))

    async def wrap(self, name: bytes, secret: bytes) -> Mapping[bytes, bytes]:
        """By every token that is there, and to the recovery key."""
        wrapped = await self._by_each(
            self._wrapping, lambda hsm, key: hsm.wrap(key, secret, timeout=SHARE_SECONDS, priority=_priority())
        )
        if self._recovery is not None:
            wrapped[self._recovery.id] = self._recovery.seal(secret, name)
        return wrapped

    async def unwrap(self, name: bytes, wrapped: Mapping[bytes, bytes]) -> bytes:
        """By one token that is there, the one with the least to do first; in a recovery, by the key of the shares.

        Anybody can seal something to the recovery key: where a token opens the key as well, both must say the same.
        """
        sealed = None if self._recovered is None else wrapped.get(self._recovered.key.id)
        if self._recovered is None or sealed is None:
            return await self._by_a_token(wrapped)
        try:
            opened = self._recovered.open(sealed, name)
        except HsmDecryptFailed as error:
            raise SealBroken(str(error)) from error
        try:
            by_token = await self._by_a_token(wrapped)
        except Unavailable:
            return opened
        if by_token != opened:
            raise SealBroken(f"What is sealed to the recovery key is not the key that a token has for {name.hex()}.")
        return opened

    async def _by_a_token(self, wrapped: Mapping[bytes, bytes]) -> bytes:
        last: IdverifyError = Unavailable(_NONE_THERE)
        able = [token for token, key in self._wrapping.items() if key in wrapped]
        for token in sorted(able, key=self._burden):
            key = self._wrapping[token]
            try:
                return await self._tokens[token].unwrap(key, wrapped[key], priority=_priority())
            except FAULTS_OF_A_TOKEN as error:
                last = during_work(error)
            except HsmError as error:
                raise during_work(error) from error
        raise last

    async def blind(self, value: bytes) -> Mapping[bytes, bytes]:
        """By every token that is there."""
        return await self._by_each(
            self._lookup, lambda hsm, key: hsm.hmac(key, value, timeout=SHARE_SECONDS, priority=_priority())
        )

    async def secret(self) -> bytes:
        """As it is kept; before it is, what the first token's look-up key makes of its label."""
        kept = await self._kept()
        if kept:
            return await self.unwrap(SECRET_NAME, kept)
        token, key = next(iter(self._lookup.items()))
        label = hashlib.sha256(SECRET_LABEL).digest()
        return await mapped(lambda: self._tokens[token].hmac(key, label))

    def _burden(self, token: str) -> tuple[bool, int]:
        return not self._tokens.serves(token), self._tokens[token].pending

    async def _by_each(
        self, keys: Mapping[str, bytes], work: Callable[[Hsm, bytes], Awaitable[bytes]]
    ) -> dict[bytes, bytes]:
        """What every token that serves makes, by id of its key. Raises what a token did if none made anything."""
        there = {token: key for token, key in keys.items() if self._tokens.serves(token)}
        made = await asyncio.gather(
            *(work(self._tokens[token], key) for token, key in there.items()), return_exceptions=True
        )
        done = {key: one for key, one in zip(there.values(), made, strict=True) if isinstance(one, bytes)}
        for one in made:
            if isinstance(one, BaseException) and not (done and isinstance(one, FAULTS_OF_A_TOKEN)):
                raise during_work(one) if isinstance(one, HsmError) else one
        if not done:
            raise Unavailable(_NONE_THERE)
        return done


async def mapped(call: Callable[[], Awaitable[T]]) -> T:
    """Run an HSM call; its errors become ours."""
    try:
        return await call()
    except HsmError as error:
        raise during_work(error) from error


def at_start(error: HsmError) -> SetupError:
    """A token that cannot be opened is for the operator; the HSM's own sentence names the cause and the cure."""
    which = "" if error.token is None else f"Token {error.token}: "
    return SetupError(f"{which}{error}", "Then start again.")


def during_work(error: HsmError) -> IdverifyError:
    """Which of our errors it is when a call fails: whoever asked can only come back."""
    match error:
        case HsmBusy():
            return Busy("Too many signatures are waiting. Come back in a moment.", error.retry_after)
        case HsmOutcomeUnknown():
            return OutcomeUnknown("The HSM was cut off. Ask again with the same idempotency key.")
        case HsmDecryptFailed():
            return SealBroken("A stored key does not open under the HSM's key: the row was changed.")
        case HsmKeyRefused():
            return TokenAway("The key may not be used any more, or not yet; nothing was signed. It must be replaced.")
        case _:
            return TokenAway(_AWAY.get(type(error), "The HSM is away; nothing was signed. Come back in a moment."))
