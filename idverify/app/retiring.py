"""Taking a token out of use for good: with everything that rests on it brought to the others first."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AsyncExitStack

from hsm import HsmError
from idverify.app.key_inventory import enter_keys
from idverify.app.key_orders import given_orders, root_if_there, root_signer
from idverify.app.provision import ONLINE_KEYS, wrap_for_all
from idverify.app.same_deployment import require_same_deployment
from idverify.app.services import hold
from idverify.app.tokens import at_start
from idverify.config import Config
from idverify.ports import SystemClock, system_entropy
from idverify.services.establish import WRAPPING_ROLE
from idverify.services.key_ceremony import open_orders
from idverify.services.log_keys import CHECKPOINT_COSIGNER
from idverify.services.office import load_deployment
from idverify.services.retire_token import carry_out, require_wrapped, retirement
from idverify.stores import queries
from idverify.stores.open import open_store
from idverify.stores.schema import upgrade_existing
from idverify.stores.store import Store


async def retire_token(config: Config, label: str, told: Callable[[str], None]) -> None:
    """Retire the token of this label, which may be gone. Raises ``SetupError`` where that would lose anything.

    The service must be stopped: it would sign on with the keys that are retired here.
    """
    upgrade_existing(config.location)
    lock = hold(config.data)
    try:
        async with open_store(config.location, SystemClock()) as store:
            require_same_deployment(config, await load_deployment(store))
            await _retire(config, label, store, told)
    except HsmError as error:
        raise at_start(error) from error
    finally:
        os.close(lock)


async def _retire(config: Config, label: str, store: Store, told: Callable[[str], None]) -> None:
    orders = given_orders(config, await open_orders(store), told)
    there = [token.label for token in config.tokens]
    retiring = await retirement(store, label, there, {*ONLINE_KEYS, CHECKPOINT_COSIGNER}, orders)
    await wrap_for_all(config, store, told)
    await require_wrapped(store, [key for token, key in await _wrapping_keys(store) if token in {*there} - {label}])
    async with AsyncExitStack() as stack:
        root = await root_if_there(config, stack) if retiring.compromised else None
        signer = None if root is None else await root_signer(root)
        await carry_out(store, retiring, signer, SystemClock(), system_entropy)
    await enter_keys(config, store, told)
    told(
        f"The token {label} is retired: its {len(retiring.keys)} keys make nothing new, and what they made still "
        f"verifies, but for {len(retiring.compromised)} that are revoked. Take it out of the settings."
    )


async def _wrapping_keys(store: Store) -> list[tuple[str, bytes]]:
    """The tokens that have one in use, each with its id."""
    rows = await store.fetch(queries.KEYS_IN_USE, {})
    return [(row["token"], row["key_id"]) for row in rows if row["role"] == WRAPPING_ROLE]
