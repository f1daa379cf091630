"""Whom we believe about authenticators; metadata are kept new, and staff's keys judged again."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from idverify.auth.attestation.certificate import read_pem
from idverify.config import Config
from idverify.errors import Conflict, SetupError, Unavailable, Unprocessable
from idverify.services import authenticators, judgement
from idverify.services.office import Office
from idverify.web.fetch import fetch_metadata

FETCHED_EVERY_SECONDS: Final = 86_400
LOOKED_EVERY_SECONDS: Final = 60
log = structlog.get_logger()


def metadata_roots(config: Config) -> tuple[bytes, ...]:
    """The roots of ``security_keys.metadata_roots`` (DER). Raises ``SetupError`` for a file that holds none."""
    path = config.security_keys.metadata_roots
    if path is None:
        return ()
    try:
        return read_pem(path.read_bytes())
    except (OSError, ValueError) as wrong:
        raise SetupError(
            f"The roots of FIDO's metadata in {path} cannot be used ({type(wrong).__name__}).",
            "Put PEM certificates there, or leave security_keys.metadata_roots out.",
        ) from wrong


async def keep_metadata_new(office: Office, url: str) -> None:
    """Fetch metadata every day. What cannot be had or is no newer is left: what is there goes on to be used."""
    while True:
        try:
            blob = await fetch_metadata(url)
            at = office.clock.now()
            roots, entropy = office.metadata_roots, office.entropy
            loaded = await authenticators.load_metadata(office.store, entropy, roots, at, blob, url)
            log.info("metadata_loaded", url=url, number=loaded.number)
        except Conflict:  # as on most days
            log.info("metadata_are_current", url=url)
        except (Unavailable, Unprocessable) as refused:
            if office.store.stopped_by() is not None:
                raise
            log.warning("metadata_not_loaded", url=url, why=refused.detail)
        await asyncio.sleep(FETCHED_EVERY_SECONDS)


async def judge_keys(office: Office) -> None:
    """Every day, and as soon as list or metadata are others: do staff's keys still hold what they were taken for?"""
    judged = None
    while True:
        try:
            state = await judgement.judged_by(office)
            if state != judged:
                await judgement.judge_again(office)
                judged = state
        except Unavailable as away:
            if office.store.stopped_by() is not None:
                raise
            log.warning("security_keys_not_judged", error=type(away).__name__)
        await asyncio.sleep(LOOKED_EVERY_SECONDS)
