"""The tokens that the service uses, opened, and the services' ports over them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from hsm import Hsm, HsmDecryptFailed, HsmError, HsmKeyMissing, HsmKeyRefused, TokenConfig, TokenSet
from hsm.recovery import Recovered, RecoveryKey
from idverify.app.tokens import HsmCustodian, TokenKeys, TokensSealer, TokensSigner, at_start, token_config
from idverify.config import Config, Token
from idverify.core.key_order import ACTIVE
from idverify.errors import SetupError
from idverify.services.establish import LOOKUP_ROLE, PROBE_ROLE, WRAPPING_ROLE
from idverify.stores import queries
from idverify.stores.store import Store

_NOT_GENUINE: Final = (
    "Expected the token {token} that this deployment's keys were made on, got one that has {what}. Bring the right "
    "one, and find out who exchanged it."
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the ports stand on."""

    signer: TokensSigner
    custodian: HsmCustodian
    sealer: TokensSealer


@asynccontextmanager
async def open_tokens(config: Config, store: Store, recovered: Recovered | None = None) -> AsyncIterator[Tokens]:
    """Every token that is there, of which one must be. Raises ``SetupError``.

    With ``recovered``, the private half of the recovery key, people's keys open whose tokens are gone.
    """
    rows: list[Any] = await store.fetch(queries.KEYS_IN_USE, {})
    await require_not_retired(store, config)
    keys = TokenKeys.of(rows, (token.label for token in config.tokens))
    require_wrapping(keys, config)
    probes = keys.of_role(PROBE_ROLE)
    try:
        async with TokenSet(
            {token.label: _configured(token, probes.get(token.label)) for token in config.tokens},
            partial(_require_genuine, keys, store),
        ) as tokens:
            yield Tokens(
                TokensSigner(tokens, keys),
                custodian_over(tokens, keys, config, store, recovered),
                TokensSealer(tokens, keys),
            )
    except HsmError as error:
        raise at_start(error) from error


def _configured(token: Token, probe_key: bytes | None) -> TokenConfig:
    """As the service uses it: held against its inventory, and probed with the key that is for it."""
    return replace(token_config(token, guarded=True), probe_key=probe_key)


async def _require_genuine(keys: TokenKeys, store: Store, token: str, hsm: Hsm) -> None:
    """That the token is the one whose keys the database has, and not another of the same label, ids and inventory.

    Its public halves are those that were certified, and its wrapping key opens what the true one wrapped. A key that
    is missing is told when it is used. Raises ``HsmKeyRefused``.
    """
    for row in keys.rows:
        if row["token"] == token and row["public_key"] is not None and row["sealed"] is None:
            with suppress(HsmKeyMissing):
                if await hsm.public_key(row["key_id"]) != row["public_key"]:
                    raise HsmKeyRefused(
                        _NOT_GENUINE.format(token=token, what=f"{row['role']} with another public half")
                    )
    wrapping = keys.of_role(WRAPPING_ROLE).get(token)
    found: list[Any] = await store.fetch(queries.DEPLOYMENT_SECRET, {})
    for row in found:
        if row["wrapping_key_id"] == wrapping:
            try:
                with suppress(HsmKeyMissing):
                    await hsm.unwrap(row["wrapping_key_id"], row["wrapped"])
            except HsmDecryptFailed as error:
                raise HsmKeyRefused(
                    _NOT_GENUINE.format(token=token, what="a wrapping key that opens nothing")
                ) from error


def custodian_over(
    tokens: TokenSet, keys: TokenKeys, config: Config, store: Store, recovered: Recovered | None
) -> HsmCustodian:
    """The custodian, with the deployment's secret as the database keeps it."""

    async def kept() -> Mapping[bytes, bytes]:
        found: list[Any] = await store.fetch(queries.DEPLOYMENT_SECRET, {})
        return {row["wrapping_key_id"]: row["wrapped"] for row in found}

    return HsmCustodian(tokens, keys, recovery_key(config), kept, recovered)


async def require_not_retired(store: Store, config: Config) -> None:
    """Raises ``SetupError`` for a token whose keys are all out of use: it would be given new ones by its old label."""
    rows: list[Any] = await store.fetch(queries.SIGNING_KEYS, {})
    for token in config.tokens:
        states = {row["state"] for row in rows if (row["token"], row["role"]) == (token.label, WRAPPING_ROLE)}
        if states and ACTIVE not in states:
            raise SetupError(
                f"The token {token.label} was retired.",
                "Take it out of the settings; where it was [online], another one takes that place. A token instead of "
                "it gets a label of its own.",
            )


def require_wrapping(keys: TokenKeys, config: Config) -> None:
    """Raises ``SetupError`` unless some configured token has the keys that people's data rest under."""
    if not (keys.of_role(WRAPPING_ROLE) and keys.of_role(LOOKUP_ROLE)):
        labels = ", ".join(token.label for token in config.tokens)
        raise SetupError(
            f"None of the tokens {labels} has keys of this deployment.",
            "Correct the labels, or recover on a new token: idverify tokens recover.",
        )


def recovery_key(config: Config) -> RecoveryKey | None:
    """What people's keys are wrapped to for recovery, if anything. Raises ``SetupError`` for a file that is no key."""
    path = config.recovery.public_key
    if path is None:
        return None
    try:
        return RecoveryKey.from_pem(path.read_bytes())
    except (OSError, HsmError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SetupError(
            f"The recovery key in {path} cannot be used ({why}).", "Correct recovery.public_key."
        ) from error
