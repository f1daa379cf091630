"""What a verifier believes of a status list: the newest that was verified, and never an older one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from idverify.core.credential import Issuer, StatusReference
from idverify.core.trust import TrustedIssuer
from idverify.errors import DocumentError, Unavailable
from idverify.formats import status_list, status_list_cwt, x509
from idverify.formats.status_list import StatusList, StatusListClaims, StatusValue
from idverify.services import status_source
from idverify.services.status_source import KeptList, StatusSource, StatusUnknown, under
from tests.simulators import credential_world as world

NOW, DAY, URI = world.NOW, world.DAY, world.STATUS_URI
TTL = 300
NOBODY: frozenset[tuple[str, int]] = frozenset()
REFERENCE = StatusReference(URI, 5)
SIGNER = Issuer(world.ISS, (world.leaf(x509.Purpose.STATEMENT),), b"12345678")


def token(values: Mapping[int, int] | None = None, issued_at: int = NOW, uri: str = URI) -> bytes:
    """A list of one day, signed by the synthetic authority."""
    statuses, claims = status_list.pack(64, 2, values or {}), StatusListClaims(uri, issued_at, issued_at + DAY, TTL)
    unsigned = status_list.prepare(statuses, claims, SIGNER)
    return status_list.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload))


class Issuing:
    """An issuer that serves ``tokens`` one after another, the last again and again; ``None`` is a cut line."""

    def __init__(self, *tokens: bytes | None) -> None:
        self._tokens = list(tokens)
        self.asked = 0

    async def fetch(self, *_: str) -> bytes:
        """The next token."""
        self.asked += 1
        served = self._tokens.pop(0) if len(self._tokens) > 1 else self._tokens[0]
        if served is None:
            raise Unavailable("The line is cut.")
        return served


async def value(source: StatusSource, at: int = NOW, issuer: TrustedIssuer = world.TRUSTED) -> int:
    """The status that the source finds for the usual credential."""
    found, _ = await source.find(REFERENCE, issuer, NOBODY, at)
    return found


async def test_a_fresh_list_is_not_asked_for_again() -> None:
    """Within its time to live a list answers from memory; after it the issuer is asked once more."""
    issuer = Issuing(token(), token({5: StatusValue.INVALID}, NOW + TTL + 1))
    source = StatusSource(issuer)

    assert await value(source) == StatusValue.VALID
    assert await value(source, NOW + TTL) == StatusValue.VALID
    assert issuer.asked == 1
    assert await value(source, NOW + TTL + 1) == StatusValue.INVALID
    assert issuer.asked == 2


async def test_an_older_list_never_replaces_a_newer() -> None:
    """Whoever replays yesterday's list, with its genuine signature, hides no revocation."""
    revoked, before = token({5: StatusValue.INVALID}, NOW), token({}, NOW - 3600)
    source = StatusSource(Issuing(revoked, before))

    assert await value(source) == StatusValue.INVALID
    assert await value(source, NOW + TTL + 1) == StatusValue.INVALID


async def test_an_issuer_that_is_away_is_not_pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed fetch there is a pause; then the issuer is asked again."""
    issuer = Issuing(None)
    source = StatusSource(issuer)

    for _ in range(3):
        with pytest.raises(StatusUnknown, match="The line is cut"):
            await value(source)
    assert issuer.asked == 1
    monkeypatch.setattr(status_source.time, "monotonic", lambda: float("inf"))
    with pytest.raises(StatusUnknown):
        await value(source)
    assert issuer.asked == 2


async def test_a_kept_list_carries_through_an_outage() -> None:
    """While the issuer is away the last list answers until it expires; from then on nothing is known."""
    source = StatusSource(Issuing(token({5: StatusValue.SUSPENDED}), None))

    assert await value(source) == StatusValue.SUSPENDED
    assert await value(source, NOW + DAY - 1) == StatusValue.SUSPENDED
    with pytest.raises(StatusUnknown, match="has expired"):
        await value(source, NOW + DAY)


@pytest.mark.parametrize(
    ("served", "sentence"),
    [
        (token(uri=f"{world.ISS}/status/2"), "must be that of"),
        (token(issued_at=NOW - 2 * DAY), "expired"),
        (token(issued_at=NOW + 3600), "future"),
        (token()[:-8] + b"AAAAAAAA", "signature"),
        (b"no list at all", "three parts"),
    ],
    ids=["another list", "expired", "from the future", "changed", "nonsense"],
)
async def test_lists_that_are_not_believed(served: bytes, sentence: str) -> None:
    """A list that breaks a rule tells nothing, and the reason is given."""
    source = StatusSource(Issuing(served))

    with pytest.raises(StatusUnknown, match=sentence):
        await value(source)
    assert source.kept() == {}


async def test_a_stranger_s_list_is_not_believed() -> None:
    """A list signed under another issuer's root is refused, online as from a bundle."""
    stranger = replace(world.TRUSTED, roots=(world.root(world.STRANGER_KEY, "Other Root"),))
    source, offline = StatusSource(Issuing(token())), StatusSource(None)

    offline.keep_snapshot(token(), (stranger,), NOBODY, NOW)

    with pytest.raises(StatusUnknown):
        await value(source, issuer=stranger)
    with pytest.raises(StatusUnknown):
        await value(offline, issuer=stranger)
    assert offline.kept() == {}


async def test_offline_a_snapshot_answers() -> None:
    """Without a fetcher the bundle's list answers for its issuer, at any age until it expires."""
    source = StatusSource(None)
    source.keep_snapshot(token({5: StatusValue.INVALID}), (world.TRUSTED,), NOBODY, NOW)

    assert await value(source, NOW + 3600) == StatusValue.INVALID
    assert source.kept().keys() == {URI}


async def test_an_index_that_is_not_there() -> None:
    """A credential whose index lies outside the list is a broken document, not an unknown status."""
    source = StatusSource(Issuing(token()))

    with pytest.raises(DocumentError, match="64 entries"):
        await source.find(StatusReference(URI, 64), world.TRUSTED, NOBODY, NOW)


@pytest.mark.parametrize(
    ("uri", "base", "expected"),
    [
        ("https://a.example/status/1", "https://a.example/status", True),
        ("https://a.example/status/1", "https://a.example/status/", True),
        ("https://a.example/status", "https://a.example/status", False),
        ("https://a.example/status-2/1", "https://a.example/status", False),
        ("https://b.example/status/1", "https://a.example/status", False),
    ],
)
def test_under(uri: str, base: str, expected: bool) -> None:  # noqa: FBT001  a parameter of the test
    """An address lies under a base if the base's path ends where a segment ends."""
    assert under(uri, base) is expected


def test_a_list_s_ages() -> None:
    """Fresh up to its time to live, usable until it expires, and for ever if it never does."""
    kept = KeptList(status_list.pack(8, 1, {}), NOW, NOW + DAY, TTL, b"")

    assert [kept.fresh(NOW + TTL), kept.fresh(NOW + TTL + 1)] == [True, False]
    assert [kept.usable(NOW + DAY - 1), kept.usable(NOW + DAY)] == [True, False]
    assert KeptList(kept.statuses, NOW, None, TTL, b"").usable(NOW + 10_000 * DAY)


class Remembering:
    """``SeenLists`` in memory, which outlives a source."""

    def __init__(self) -> None:
        self.ages: dict[str, tuple[int, int]] = {}

    async def newest(self, uri: str) -> tuple[int, int] | None:
        """What was seen."""
        return self.ages.get(uri)

    async def remember(self, uri: str, age: tuple[int, int]) -> None:
        """The newest stays."""
        self.ages[uri] = max(age, self.ages.get(uri, age))


async def test_an_older_list_is_not_taken_after_a_restart() -> None:
    """A new process has no list, and still takes none that is older than what the one before it relied on."""
    seen, older = Remembering(), token({}, NOW - 3600)
    assert await value(StatusSource(Issuing(token({5: StatusValue.INVALID})), seen)) == StatusValue.INVALID
    assert seen.ages == {URI: (NOW, 0)}

    with pytest.raises(StatusUnknown, match="older than one that was seen before"):
        await value(StatusSource(Issuing(older), seen))
    assert await value(StatusSource(Issuing(token({5: StatusValue.INVALID})), seen)) == StatusValue.INVALID


@pytest.mark.parametrize("at", [NOW, NOW - 1])
async def test_versions_order_lists_of_one_second(at: int) -> None:
    """Within a second, or should a clock go back, the version says which list is newer; time goes first."""
    first, second = numbered(7, NOW, {5: StatusValue.INVALID}), numbered(6, at, {})
    source = StatusSource(Issuing(first, second))

    assert await value(source) == StatusValue.INVALID
    assert await value(source, NOW + TTL + 1) == StatusValue.INVALID
    assert source.refused[URI].startswith("The status list is older")


def numbered(version: int, at: int, values: Mapping[int, int]) -> bytes:
    """A list with a version."""
    claims = StatusListClaims(URI, at, at + DAY, TTL, version)
    unsigned = status_list.prepare(status_list.pack(64, 2, values), claims, SIGNER)
    return status_list.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload))


async def test_a_cwt_does_as_well() -> None:
    """Whatever form an issuer serves, the list in it tells the same."""
    statuses, claims = status_list.pack(64, 2, {5: StatusValue.SUSPENDED}), StatusListClaims(URI, NOW, NOW + DAY, TTL)
    unsigned = status_list_cwt.prepare(statuses, claims, SIGNER, status_list.compress(statuses.packed))
    served = status_list_cwt.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload))
    offline = StatusSource(None)
    offline.keep_snapshot(served, (world.TRUSTED,), NOBODY, NOW)

    assert await value(StatusSource(Issuing(served))) == await value(offline) == StatusValue.SUSPENDED


async def test_a_list_does_not_speak_of_the_past() -> None:
    """Asked how things stood at a time before the list: that is not known, online and from a bundle, and it says so."""
    online, offline = StatusSource(Issuing(token())), StatusSource(None)
    offline.keep_snapshot(token(), (world.TRUSTED,), NOBODY, NOW - DAY)
    assert await value(online) == StatusValue.VALID

    for source in (online, offline):
        with pytest.raises(StatusUnknown, match=r"is of 2026-09-\d\dT[\d:]+Z, after the time that was asked about"):
            await value(source, NOW - DAY)
        assert await value(source, NOW) == StatusValue.VALID


@pytest.mark.parametrize(("ttl", "kept"), [(1, 30), (300, 300), (10**9, 86_400)])
async def test_no_issuer_says_how_often_it_is_asked(ttl: int, kept: int) -> None:
    """Section 11.5: bounds of our own on both sides."""
    claims = StatusListClaims(URI, NOW, NOW + 400 * DAY, ttl)
    unsigned = status_list.prepare(status_list.pack(64, 2, {}), claims, SIGNER)
    source = StatusSource(Issuing(status_list.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload))))
    _, listed = await source.find(REFERENCE, world.TRUSTED, NOBODY, NOW)
    assert listed.ttl == kept


async def test_an_issuer_that_serves_an_old_list_is_not_pressed() -> None:
    """A genuine list that nobody signs anew is asked for once in a while, not for each document."""
    issuer = Issuing(token(issued_at=NOW - 3600))
    source = StatusSource(issuer)
    assert [await value(source) for _ in range(5)] == [StatusValue.VALID] * 5
    assert issuer.asked == 1


async def test_who_may_sign_no_more_is_not_believed_any_longer() -> None:
    """A list that is kept goes when its signer is revoked or its root withdrawn, however long it would have held."""
    issuer = Issuing(token(), None)
    source = StatusSource(issuer)
    assert await value(source) == StatusValue.VALID
    signer = x509.read_certificate(SIGNER.chain[0])
    revoked = frozenset({(signer.issuer.rfc4514_string(), signer.serial_number)})
    other = replace(world.TRUSTED, roots=(world.root(world.STRANGER_KEY, "Other Root"),))

    with pytest.raises(StatusUnknown):
        await source.find(REFERENCE, world.TRUSTED, revoked, NOW)
    with pytest.raises(StatusUnknown):
        await value(source, issuer=other)
    assert await value(source) == StatusValue.VALID


class ServingAny:
    """An issuer with a list at every address, each as large as ``pad`` makes it."""

    def __init__(self, pad: int) -> None:
        self._pad = pad

    async def fetch(self, uri: str, _base: str) -> bytes:
        """The list of this address."""
        statuses, claims = StatusList(2, bytes(self._pad)), StatusListClaims(uri, NOW, NOW + DAY, TTL)
        unsigned = status_list.prepare(statuses, claims, SIGNER)
        return status_list.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload))


async def test_an_issuer_of_many_lists_takes_no_more_than_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents name as many lists as their issuer likes; the last ones are kept, and what failed is forgotten, too."""
    monkeypatch.setattr(status_source, "MOST_OF_ONE_ISSUER", 40_000)
    monkeypatch.setattr(status_source, "MOST_REMEMBERED", 4)
    source, cut = StatusSource(ServingAny(9_000)), StatusSource(Issuing(None))
    places = [StatusReference(f"{world.ISS}/status/{number}", 5) for number in range(9)]

    for place in places:
        await source.find(place, world.TRUSTED, NOBODY, NOW)
        with pytest.raises(StatusUnknown):
            await cut.find(place, world.TRUSTED, NOBODY, NOW)

    assert source.kept().keys() == {place.uri for place in places[-3:]}
    assert len(cut.refused) == 4
