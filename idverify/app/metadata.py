"""Whom we believe about authenticators, and where newer metadata come from."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from idverify.auth.attestation.certificate import read_pem
from idverify.config import Config
from idverify.errors import SetupError, Unavailable, Unprocessable
from idverify.services import authenticators
from idverify.services.office import Office
from idverify.web.fetch import fetch_metadata

EVERY_SECONDS: Final = 86_400
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
        except (Unavailable, Unprocessable) as refused:
            if office.store.stopped_by() is not None:
                raise
            log.warning("metadata_not_loaded", url=url, why=refused.detail)
        await asyncio.sleep(EVERY_SECONDS)
