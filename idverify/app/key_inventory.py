"""The inventories that the tokens sign, brought up to what the database says is in use.

Which key is taken into use, and when, two admins and the root decide (``services.key_ceremony``); the inventory
follows, and marks the one in software that a token's key seals. It is entered after the transaction that decides: a
crash between leaves a key that the service must not use yet, and the next ``up`` enters it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hsm import SealedKey, keeping
from hsm.book import kept
from idverify.app.tokens import AWAY_AT_START, token_config
from idverify.config import Config, Token
from idverify.core.key_order import ACTIVE
from idverify.services.establish import SEALING_ROLE
from idverify.stores import queries
from idverify.stores.store import Store


async def enter_keys(config: Config, store: Store, told: Callable[[str], None]) -> None:
    """Enter the keys in use on each token that has an inventory by the settings and is there.

    Of one that is away they are entered another time, which ``told`` hears.
    """
    for token in (*config.tokens, config.root):
        if token.inventory is not None and (token is not config.root or token.pin_file.exists()):
            try:
                await _enter(token, token.inventory, store)
            except AWAY_AT_START as error:
                told(f"The inventory of the token {token.label} is not brought up to date now: {error}")


async def _enter(token: Token, path: Path, store: Store) -> None:
    rows: list[Any] = await store.fetch(queries.SIGNING_KEYS, {})
    of_it = [row for row in rows if row["token"] == token.label]
    ours = [row for row in of_it if row["sealed"] is None]
    in_use = {row["key_id"]: (row["role"], row["certificate"]) for row in ours if row["state"] == ACTIVE}
    sealing = next((row["key_id"] for row in ours if row["role"] == SEALING_ROLE and row["state"] == ACTIVE), None)
    software = {
        SealedKey(row["public_key"], sealing, row["sealed"]): row["role"]
        for row in of_it
        if row["sealed"] is not None and row["state"] == ACTIVE and sealing is not None
    }
    replaced = {row["key_id"] for row in of_it if row["state"] != ACTIVE}
    async with kept(token_config(token), path) as book:
        await keeping.follow(book, in_use, replaced, software)
