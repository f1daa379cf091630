"""An offer as wallets read it, and as a file inside a page: to be fetched again, its code would have to be kept."""

from __future__ import annotations

import base64

import orjson

from idverify.services.offer import Offer


def as_wallets_read(offer: Offer) -> dict[str, str]:
    """The members that a wallet needs."""
    names = ("issuer", "type", "format", "code", "nonce")
    return {name: getattr(offer, name) for name in names}


def data_url(offer: Offer) -> str:
    """The file, for a link that downloads it (RFC 2397)."""
    return "data:application/json;base64," + base64.b64encode(orjson.dumps(as_wallets_read(offer))).decode()
