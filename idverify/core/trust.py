"""Which issuer is trusted for what: the whole trust decision, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer we rely on: its roots, the types it may issue, and where its status lists live.

    ``roots`` are DER certificates; ``status_base`` is the only URI prefix its status lists are fetched from.
    """

    iss: str
    name: str
    roots: tuple[bytes, ...]
    types: frozenset[str]
    status_base: str


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The issuers that a verifier relies on, by ``iss``.

    ``revoked_serials`` are the certificates that verified CRLs revoke: (issuer name as RFC 4514 text, serial);
    ``revocations_until`` is when the first of those CRLs goes stale (Unix seconds, ``None``: there are none).
    """

    issuers: Mapping[str, TrustedIssuer]
    revoked_serials: frozenset[tuple[str, int]] = frozenset()
    revocations_until: int | None = None

    def issuer(self, iss: str) -> TrustedIssuer | None:
        """The trusted issuer of this name, or ``None``."""
        return self.issuers.get(iss)
