"""Carrying out, before anything is served, the replacements of signing keys that two admins ordered."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, closing
from typing import Final

from hsm import Hsm, HsmTokenMissing, HsmUnavailable
from idverify.app.services import hold
from idverify.app.tokens import AWAY_AT_START, HsmSigner, mapped, token_config
from idverify.app.witnessed import Present, made_for
from idverify.config import Config, Token
from idverify.core.key_order import RETIRING, REVOKED, STATES
from idverify.errors import LogHalted
from idverify.ports import Clock, system_entropy
from idverify.services.establish import ROOT_ROLE
from idverify.services.key_ceremony import KeyCeremony, KeyOrder, open_orders
from idverify.services.office import Deployment
from idverify.stores import queries
from idverify.stores.open import open_log
from idverify.stores.store import Store

_OF_THE_OLD: Final[Mapping[str, str]] = {
    RETIRING: "What the old one signed still verifies.",
    REVOKED: "Everything that the old one signed is rejected from now on.",
}


async def carry_out_orders(
    config: Config,
    store: Store,
    deployment: Deployment,
    clock: Clock,
    told: Callable[[str], None],
    present: Present | None = None,
) -> None:
    """Replace every key whose replacement is ordered, if the root's token is there; ``told`` hears what was done.

    Each new key is made before those who are ``present``, if anybody is.
    Raises ``SetupError`` if the data are served meanwhile: that process would sign on with the old keys.
    """
    orders = given_orders(config, await open_orders(store), told)
    if not orders:
        return
    lock = hold(config.data)
    try:
        async with AsyncExitStack() as stack:
            root = await root_if_there(config, stack)
            if root is None:
                _tell_waiting(orders, "the root's token is not there. Bring it back", told)
                return
            ceremony = KeyCeremony(store, deployment, await root_signer(root), clock, system_entropy)
            for order, token in await _with_tokens(config, store, orders, told):
                try:
                    made = await made_for(order, token, present, told)
                except AWAY_AT_START:
                    _tell_waiting([order], f"the token {token.label} is not there. Bring it back, or retire it", told)
                    continue
                if made is None:
                    continue
                await ceremony.carry_out(order, made)
                told(f"Signing key replaced: {order.role} ({order.reason}). {_OF_THE_OLD[STATES[order.reason]]}")
    except LogHalted:
        _tell_waiting(await open_orders(store), "the ledger is halted. Have a new log opened", told)
    finally:
        os.close(lock)


def given_orders(config: Config, orders: list[KeyOrder], told: Callable[[str], None]) -> list[KeyOrder]:
    """The orders that two admins gave, as far as ledger and signatures say; ``told`` hears of the others."""
    if not orders:
        return []
    with closing(open_log(config.location)) as log:
        wrong = {order.id: list(log.order_findings(order.id)) for order in orders}
    for order in orders:
        if wrong[order.id]:
            why = "; ".join(wrong[order.id])
            told(f"The order to replace {order.role} is not carried out: {why}. Audit the ledger.")
    return [order for order in orders if not wrong[order.id]]


async def _with_tokens(
    config: Config, store: Store, orders: list[KeyOrder], told: Callable[[str], None]
) -> list[tuple[KeyOrder, Token]]:
    """Each order with the token of the key that goes, on which the new one is made; without that token it waits."""
    places = {row["key_id"]: row["token"] for row in await store.fetch(queries.KEYS_IN_USE, {})}
    tokens = {token.label: token for token in config.tokens}
    found = [(order, tokens.get(places.get(order.old_key_id, ""))) for order in orders]
    _tell_waiting(
        [order for order, token in found if token is None], "its token is not configured. Name it, or retire it", told
    )
    return [(order, token) for order, token in found if token is not None]


async def root_signer(root: Hsm) -> HsmSigner:
    """Who signs with the keys of the roots' token."""
    keys = await mapped(root.inventory)
    return HsmSigner(root, next(key.id for key in keys if key.label == ROOT_ROLE))


async def root_if_there(config: Config, stack: AsyncExitStack, *, writable: bool = False) -> Hsm | None:
    """The roots' token, unless it was taken away. A PIN that is refused is for the operator, now: tokens lock.

    ``writable``: so that the root of a further branch can be made on it.
    """
    if not config.root.pin_file.exists():
        return None
    try:
        return await stack.enter_async_context(Hsm(token_config(config.root, writable=writable)))
    except (HsmTokenMissing, HsmUnavailable):
        return None


def _tell_waiting(orders: list[KeyOrder], why: str, told: Callable[[str], None]) -> None:
    for order in orders:
        told(f"The replacement of the signing key {order.role} waits: {why}, then run up again.")
