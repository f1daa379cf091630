"""The logs of others: on whose word receipts of an issuer's documents rest, where that issuer is not this service."""

from __future__ import annotations

from functools import lru_cache

from idverify.core.trust import TrustedIssuer
from idverify.errors import DocumentError
from idverify.ledger.errors import MalformedError
from idverify.ledger.policy import Policies, parse_policy


def is_somebody_else(issuer: TrustedIssuer) -> bool:
    """Whether two admins decided on it: of ourselves, or of whoever signed a bundle, nobody decides anything."""
    return bool(issuer.root_terms)


@lru_cache(maxsize=64)
def policies_of(texts: tuple[str, ...]) -> Policies:
    """What texts of c2sp.org/tlog-policy say. Raises ``DocumentError`` (``log-policy``)."""
    try:
        return Policies(tuple(map(parse_policy, texts)))
    except MalformedError as wrong:
        raise DocumentError("log-policy", f"A policy for the issuer's log cannot be read: {wrong}") from wrong


def newest_of_each(newer: tuple[str, ...], held: tuple[str, ...]) -> tuple[str, ...]:
    """The newer policies, and those held of logs that none of the newer ones is for. Raises ``DocumentError``."""
    told = frozenset[str]().union(*(policy.origins for policy in policies_of(newer).each))
    return (*newer, *(text for text in held if not policies_of((text,)).each[0].origins & told))
