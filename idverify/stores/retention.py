"""What is kept for a time only, and for how long: one statement each, run every hour."""

from __future__ import annotations

from typing import Final

from idverify.errors import Unavailable
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction

EVERY_SECONDS: Final = 3600
DAY: Final = 86_400

# Statement -> seconds after which it applies, counted from the column that it names.
RETENTION: Final = {
    # Idempotent answers (DESIGN section 3): a repeat later than this asks for a new offer.
    "UPDATE issuance SET sealed_answer = NULL WHERE created_at < :before AND sealed_answer IS NOT NULL": 30 * DAY,
    # Requests and offers that led nowhere. A day's grace keeps "used" and "expired" apart for late callers.
    "DELETE FROM verification_request WHERE expires_at < :before": DAY,
    "DELETE FROM offer WHERE expires_at < :before AND id NOT IN (SELECT offer_id FROM issuance)": DAY,
    "DELETE FROM proposal WHERE expires_at < :before AND consumed_at IS NULL": 30 * DAY,
    "DELETE FROM shard_proposal WHERE expires_at < :before AND consumed_at IS NULL": 30 * DAY,
    "DELETE FROM enrolment WHERE expires_at < :before AND consumed_at IS NULL": 30 * DAY,
    "DELETE FROM notice WHERE seen_at < :before": 365 * DAY,
    "DELETE FROM session WHERE expires_at < :before": 30 * DAY,
}


# Anybody may begin a ceremony, so what is left of one goes within minutes, a bounded number in each transaction.
_CEREMONIES: Final = "DELETE FROM ceremony WHERE id IN (SELECT id FROM ceremony WHERE expires_at < :before LIMIT 2000)"
CEREMONY_GRACE_SECONDS: Final = 600  # so long "used" and "expired" are told apart
CEREMONIES_EVERY_SECONDS: Final = 60


async def sweep_ceremonies(store: Store, now: int) -> None:
    """Drop ceremonies that are over, without holding up the writer."""

    async def some(transaction: Transaction) -> int:
        return await transaction.connection.run(_CEREMONIES, {"before": now - CEREMONY_GRACE_SECONDS})

    try:
        while await store.write(some):
            pass
    except Unavailable:
        if store.stopped_by() is not None:
            raise


async def sweep(store: Store, now: int) -> None:
    """Apply the table. A storage that is away for a moment is swept next time."""

    async def apply(transaction: Transaction) -> None:
        for statement, seconds in RETENTION.items():
            await transaction.connection.run(statement, {"before": now - seconds})

    try:
        await store.write(apply)
    except Unavailable:
        if store.stopped_by() is not None:
            raise
