"""What the status of a presented credential is, as far as this verifier can know.

Lists are fetched only from the issuer's registered address, verified, kept, and replaced only by newer ones: an older
list, however valid, is never taken, also after a restart. No look-up names a credential to anybody.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

from idverify.core.credential import StatusReference
from idverify.core.trust import TrustedIssuer
from idverify.errors import DocumentError, Unavailable
from idverify.formats import status_list, status_list_cwt
from idverify.formats.status_list import MAX_SKEW, StatusList, StatusListToken
from idverify.ports import StatusFetcher

DEFAULT_TTL: Final = 300
# Section 11.5 of the draft: whatever an issuer says, a list is not asked for all the time, nor relied on for ever.
LEAST_TTL: Final = 30
MOST_TTL: Final = 24 * 3600
RETRY_SECONDS: Final = 10.0
MOST_OF_ONE_ISSUER: Final = 32 * 1024 * 1024
"""Bytes of lists that are kept of one issuer: it names as many as it likes. The longest fetched go first."""
MOST_REMEMBERED: Final = 1024

T = TypeVar("T")

Age = tuple[int, int]
"""When a list was signed (Unix seconds) and its version, 0 where there is none: what orders the lists at an address."""

NOTHING_SEEN: Final[Mapping[str, Age]] = MappingProxyType({})


class StatusUnknown(Exception):
    """The status cannot be known now; the message says why."""


@dataclass(frozen=True, slots=True)
class KeptList:
    """A verified list. Times are Unix seconds; ``token`` is what was verified, in either form.

    ``cwt`` is the same list as a CWT, of those that this service signs; ``chain`` who signed it, of all others.
    """

    statuses: StatusList
    issued_at: int
    expires_at: int | None
    ttl: int
    token: bytes
    version: int = 0
    cwt: bytes | None = None
    chain: tuple[bytes, ...] = ()

    @property
    def age(self) -> Age:
        """Where it stands in the order of the lists at its address."""
        return self.issued_at, self.version

    def usable(self, at: int) -> bool:
        """Whether the list may still be relied on at all."""
        return self.expires_at is None or at < self.expires_at

    def fresh(self, at: int) -> bool:
        """Whether it is young enough that nobody need ask again."""
        return at - self.issued_at <= self.ttl

    def speaks_of(self, at: int) -> bool:
        """Whether it can say anything about that time: a list tells how things stand, never how they stood."""
        return self.issued_at <= at + MAX_SKEW


class SeenLists(Protocol):
    """Remembers, across restarts, how new the newest list was that was relied on at each address."""

    async def newest(self, uri: str) -> Age | None:
        """How new it was; ``None`` where none was seen."""

    async def remember(self, uri: str, age: Age) -> None:
        """It was so new; nothing is forgotten where a newer one was seen."""


class StatusSource:
    """Verified status lists by URI. Without a fetcher it answers from what it was given: offline."""

    def __init__(
        self, fetcher: StatusFetcher | None, seen: SeenLists | None = None, *, oldest: Mapping[str, Age] = NOTHING_SEEN
    ) -> None:
        self._fetcher, self._seen, self._oldest = fetcher, seen, oldest
        self._kept: dict[str, KeptList] = {}
        self._fetched: dict[str, dict[str, int]] = {}  # bytes by URI, by issuer
        self._not_before: dict[str, float] = {}
        self.refused: dict[str, str] = {}

    def keep_snapshot(
        self, token: bytes, issuers: tuple[TrustedIssuer, ...], revoked: frozenset[tuple[str, int]], at: int
    ) -> None:
        """Keep a list from a bundle if one of the issuers signed it; one that has expired, or is too old, is left out.

        A list that is younger than ``at`` is kept, too: it cannot speak of that time, and ``find`` says so.
        """
        listed = status_list_cwt.read_either(token)
        uri, verified_at = listed.claims.uri, max(at, listed.claims.issued_at)
        for issuer in issuers:
            if base_of(uri, issuer) is None:
                continue
            try:
                fresh = _verified(token, listed, uri, issuer.at(verified_at), revoked, verified_at)
                _require_no_older(fresh.age, self._oldest.get(uri))
                self.keep_verified(fresh, uri)
            except DocumentError as refused:
                self.refused[uri] = str(refused)

    def keep_verified(self, fresh: KeptList, uri: str) -> KeptList:
        """Keep a list that was verified, or that this service signed itself, unless a newer one is kept."""
        kept = self._kept.get(uri)
        if kept is None or fresh.age >= kept.age:
            self._kept[uri] = kept = fresh
        return kept

    def kept(self) -> dict[str, KeptList]:
        """Every list that is kept, by URI: what an offline bundle carries."""
        return dict(self._kept)

    def kept_at(self, uri: str) -> KeptList | None:
        """The list that is kept of one address."""
        return self._kept.get(uri)

    async def find(
        self, reference: StatusReference, issuer: TrustedIssuer, revoked: frozenset[tuple[str, int]], at: int
    ) -> tuple[int, KeptList]:
        """The status value and the list it stands in. Raises ``StatusUnknown`` and ``DocumentError``."""
        if base_of(reference.uri, issuer) is None:  # another's list, however well kept, tells nothing of it
            raise StatusUnknown("The document names a status list that is not at the address its issuer registered.")
        kept = self._kept.get(reference.uri)
        if kept is not None and kept.chain and not _still_believed(kept, issuer, revoked, at):
            kept = None
        if kept is None or not kept.fresh(at):
            kept = await self._refreshed(reference.uri, issuer, revoked, at) or kept
        if kept is None:
            why = self.refused.get(reference.uri, "none of this issuer could be had")
            raise StatusUnknown(f"No status list to look in: {why}.")
        if not kept.speaks_of(at):
            signed = dt.datetime.fromtimestamp(kept.issued_at, dt.UTC)
            raise StatusUnknown(
                f"The status list at hand is of {signed:%Y-%m-%dT%H:%M:%SZ}, after the time that was asked about: "
                "what the status was then, it does not tell."
            )
        if not kept.usable(at):
            raise StatusUnknown("The newest status list that could be had has expired.")
        return kept.statuses.status_at(reference.index), kept

    async def _refreshed(
        self, uri: str, issuer: TrustedIssuer, revoked: frozenset[tuple[str, int]], at: int
    ) -> KeptList | None:
        if self._fetcher is None or self._not_before.get(uri, 0.0) > time.monotonic():
            return None
        try:
            token = await self._fetcher.fetch(uri, base_of(uri, issuer) or issuer.status_base)
            listed = await asyncio.to_thread(status_list_cwt.read_either, token)
            fresh = _verified(token, listed, uri, issuer, revoked, at)
            await self._require_newest(uri, fresh)
        except (Unavailable, DocumentError) as refused:
            _remember(self._not_before, uri, time.monotonic() + RETRY_SECONDS)
            _remember(self.refused, uri, str(refused))
            return None
        if not fresh.fresh(at):  # whoever serves an old list is not asked again for each document
            _remember(self._not_before, uri, time.monotonic() + LEAST_TTL)
        self.refused.pop(uri, None)
        kept = self.keep_verified(fresh, uri)
        self._make_room(issuer.key, uri, kept)
        return kept

    def _make_room(self, issuer: str, uri: str, kept: KeptList) -> None:
        """Let go of the issuer's lists that were fetched longest ago, but for the one at ``uri``."""
        lists = self._fetched.setdefault(issuer, {})
        lists.pop(uri, None)
        lists[uri] = len(kept.token) + len(kept.statuses.packed)
        while sum(lists.values()) > MOST_OF_ONE_ISSUER and len(lists) > 1:
            oldest = next(iter(lists))
            del lists[oldest]
            self._kept.pop(oldest, None)

    async def _require_newest(self, uri: str, fresh: KeptList) -> None:
        """Raises ``DocumentError`` (``list-newest``) for a list that is older than one that was relied on."""
        kept = self._kept.get(uri)
        newest = None if kept is None else kept.age
        if newest is None and self._seen is not None:
            newest = await self._seen.newest(uri)
        _require_no_older(fresh.age, newest)
        if self._seen is not None and fresh.age != newest:
            await self._seen.remember(uri, fresh.age)


def _remember(memory: dict[str, T], uri: str, value: T) -> None:
    """The newest of so many: documents name as many addresses as their issuer likes."""
    memory.pop(uri, None)
    memory[uri] = value
    if len(memory) > MOST_REMEMBERED:
        del memory[next(iter(memory))]


def _still_believed(kept: KeptList, issuer: TrustedIssuer, revoked: frozenset[tuple[str, int]], at: int) -> bool:
    """Whether its signer still may: a root may have been withdrawn, or the signer revoked, since it was verified."""
    if not kept.speaks_of(at):
        return True  # it will say so itself
    when = max(at, kept.issued_at)
    try:
        status_list.verify_signer(kept.chain, issuer, revoked, when)
    except DocumentError:
        return False
    return True


def _require_no_older(age: Age, seen: Age | None) -> None:
    if seen is not None and age < seen:
        raise DocumentError("list-newest", "The status list is older than one that was seen before.")


def base_of(uri: str, issuer: TrustedIssuer) -> str | None:
    """The address of an issuer's that a list lies under, or ``None``."""
    return next((base for base in issuer.list_bases if under(uri, base)), None)


def under(uri: str, base: str) -> bool:
    """Whether a list's address lies under an issuer's registered one."""
    return uri.startswith(base.rstrip("/") + "/")


def _verified(
    token: bytes,
    listed: StatusListToken,
    uri: str,
    issuer: TrustedIssuer,
    revoked: frozenset[tuple[str, int]],
    at: int,
) -> KeptList:
    claims = listed.claims
    statuses = status_list.check(listed, status_list.StatusExpected(uri, issuer, revoked, at))
    ttl = min(max(claims.ttl or DEFAULT_TTL, LEAST_TTL), MOST_TTL)
    version = claims.version or 0
    return KeptList(statuses, claims.issued_at, claims.expires_at, ttl, token, version, chain=listed.signing_chain)
