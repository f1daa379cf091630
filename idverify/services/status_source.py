"""What the status of a presented credential is, as far as this verifier can know.

Lists are fetched only from the issuer's registered address, verified, kept, and replaced only by newer ones:
an older list, however valid, never replaces a newer one. No look-up names a credential to anybody.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from idverify.core.credential import StatusReference
from idverify.core.trust import TrustedIssuer
from idverify.errors import DocumentError, Unavailable
from idverify.formats import status_list
from idverify.formats.status_list import StatusList, StatusListToken
from idverify.ports import StatusFetcher

DEFAULT_TTL: Final = 300
RETRY_SECONDS: Final = 10.0


class StatusUnknown(Exception):
    """The status cannot be known now; the message says why."""


@dataclass(frozen=True, slots=True)
class KeptList:
    """A verified list. Times are Unix seconds; ``token`` is what was verified."""

    statuses: StatusList
    issued_at: int
    expires_at: int | None
    ttl: int
    token: bytes

    def usable(self, at: int) -> bool:
        """Whether the list may still be relied on at all."""
        return self.expires_at is None or at < self.expires_at

    def fresh(self, at: int) -> bool:
        """Whether it is young enough that nobody need ask again."""
        return at - self.issued_at <= self.ttl


class StatusSource:
    """Verified status lists by URI. Without a fetcher it answers from what it was given: offline."""

    def __init__(self, fetcher: StatusFetcher | None) -> None:
        self._fetcher = fetcher
        self._kept: dict[str, KeptList] = {}
        self._not_before: dict[str, float] = {}
        self.refused: dict[str, str] = {}

    def keep_snapshot(
        self, token: bytes, issuers: tuple[TrustedIssuer, ...], revoked: frozenset[tuple[str, int]], at: int
    ) -> None:
        """Keep a list from a bundle if one of the issuers signed it; one that has expired is left out."""
        listed = status_list.read(token)
        for issuer in issuers:
            if not under(listed.claims.uri, issuer.status_base):
                continue
            try:
                self.keep_verified(_verified(token, listed, issuer, revoked, at), listed.claims.uri)
            except DocumentError as refused:
                self.refused[listed.claims.uri] = str(refused)

    def keep_verified(self, fresh: KeptList, uri: str) -> KeptList:
        """Keep a list that was verified, or that this service signed itself."""
        kept = self._kept.get(uri)
        if kept is None or fresh.issued_at >= kept.issued_at:
            self._kept[uri] = kept = fresh
        return kept

    def kept(self) -> dict[str, KeptList]:
        """Every list that is kept, by URI: what an offline bundle carries."""
        return dict(self._kept)

    async def find(
        self, reference: StatusReference, issuer: TrustedIssuer, revoked: frozenset[tuple[str, int]], at: int
    ) -> tuple[int, KeptList]:
        """The status value and the list it stands in. Raises ``StatusUnknown`` and ``DocumentError``."""
        kept = self._kept.get(reference.uri)
        if kept is None or not kept.fresh(at):
            kept = await self._refreshed(reference.uri, issuer, revoked, at) or kept
        if kept is None:
            why = self.refused.get(reference.uri, "none of this issuer could be had")
            raise StatusUnknown(f"No status list to look in: {why}.")
        if not kept.usable(at):
            raise StatusUnknown("The newest status list that could be had has expired.")
        return kept.statuses.status_at(reference.index), kept

    async def _refreshed(
        self, uri: str, issuer: TrustedIssuer, revoked: frozenset[tuple[str, int]], at: int
    ) -> KeptList | None:
        if self._fetcher is None or self._not_before.get(uri, 0.0) > time.monotonic():
            return None
        try:
            token = await self._fetcher.fetch(uri, issuer.status_base)
            listed = status_list.read(token)
            fresh = _verified(token, listed, issuer, revoked, at)
            if listed.claims.uri != uri:
                raise DocumentError("list-uri", f"it says it is the list {listed.claims.uri[:200]}")
        except (Unavailable, DocumentError) as refused:
            self._not_before[uri] = time.monotonic() + RETRY_SECONDS
            self.refused[uri] = str(refused)
            return None
        self.refused.pop(uri, None)
        return self.keep_verified(fresh, uri)


def under(uri: str, base: str) -> bool:
    """Whether a list's address lies under an issuer's registered one."""
    return uri.startswith(base.rstrip("/") + "/")


def _verified(
    token: bytes, listed: StatusListToken, issuer: TrustedIssuer, revoked: frozenset[tuple[str, int]], at: int
) -> KeptList:
    claims = listed.claims
    statuses = status_list.check(listed, status_list.StatusExpected(claims.uri, issuer, revoked, at))
    return KeptList(statuses, claims.issued_at, claims.expires_at, claims.ttl or DEFAULT_TTL, token)
