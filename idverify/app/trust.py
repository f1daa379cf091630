"""Whom we rely on is kept as the database has it: another process may have changed it."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from idverify.errors import Unavailable
from idverify.services.office import Office

LOOKED_EVERY_SECONDS: Final = 10
log = structlog.get_logger()


async def keep_trust_new(office: Office) -> None:
    """Every few seconds: did two admins decide otherwise, in front of another process of this deployment?"""
    while True:
        await asyncio.sleep(LOOKED_EVERY_SECONDS)
        try:
            if await office.trust_book.reload_if_changed(office.store):
                log.info("trusted_issuers_changed")
        except Unavailable as away:
            if office.store.stopped_by() is not None:
                raise
            log.warning("trusted_issuers_not_read", error=type(away).__name__)
