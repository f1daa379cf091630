"""The published ledger over HTTP: what tlog-tiles says is there, nothing else, and never a 500."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idverify.errors import Unavailable
from idverify.ledger.checkpoint import Checkpoint, open_checkpoint
from idverify.ledger.cose_receipt import MEDIA_TYPE, Expected, verify_inclusion_receipt
from idverify.ledger.description import LogDescription
from idverify.ledger.edge import RightEdge
from idverify.ledger.entry import EntryType
from idverify.ledger.errors import StorageError
from idverify.ledger.lines import parse_hash
from idverify.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from idverify.ledger.note import parse_vkey
from idverify.ledger.proof import TlogProof
from idverify.ledger.published import parse_path, paths
from idverify.ledger.sequencer import decode_bundle
from idverify.services.records import public_object
from idverify.stores.ledger import StoredLedger
from idverify.stores.writes import WriteSet
from idverify.web.representation import Kept, Representation
from tests.simulators.contract import PROBLEM
from tests.simulators.holder import holding
from tests.simulators.software_office import SoftwareOffice, software_office

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENTRIES = 600
BASE = "/log/1/"
YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Answer:
    """One answer as it came over the wire, compressed if it was."""

    status: int
    body: bytes
    headers: Any


@dataclass(frozen=True)
class Reader:
    """Somebody out there, whose HTTP client decompresses nothing by itself."""

    served: SoftwareOffice
    session: ClientSession

    async def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        url = self.served.api.deployment.url + (path if path.startswith("/") else BASE + path)
        sent = {"Accept-Encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, url, headers=sent) as response:
            return Answer(response.status, await response.read(), response.headers)

    async def file(self, path: str) -> bytes:
        answer = await self.get(path)
        assert answer.status == 200, path
        return answer.body

    async def checkpoint(self) -> Checkpoint:
        return open_checkpoint(await self.file("checkpoint"), [parse_vkey(one) for one in (await self.log()).vkeys])

    async def log(self) -> LogDescription:
        return LogDescription.decode(await self.file("log.json"))


async def append(served: SoftwareOffice, count: int) -> None:
    """Commit entries in bundles of uneven size, and publish."""
    for start in range(0, count, 37):
        entries = [
            public_object(EntryType.STATUS_LIST, "status-list.published", served.office.new_handle(), bytes(32))
            for _ in range(min(37, count - start))
        ]
        await served.office.store.commit(WriteSet((), tuple(entries)))
    await served.office.publisher.publish_once()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Reader]:
    """A served log of more than two tiles; tests only make it longer."""
    async with (
        software_office(tmp_path_factory.mktemp("log")) as served,
        ClientSession(auto_decompress=False) as session,
    ):
        await append(served, ENTRIES)
        yield Reader(served, session)


async def test_a_stranger_rebuilds_the_signed_root(reader: Reader) -> None:
    """With log.json, the checkpoint, and each tile and bundle that its size needs, every hash is accounted for."""
    head = await reader.checkpoint()
    files = {path: await reader.file(path) for path in paths(head.size)}
    entries = [
        entry
        for path in sorted((path for path in files if "entries" in path), key=lambda path: parse_path(path).index)
        for entry in decode_bundle(files[path])
    ]
    leaves = list(map(leaf_hash, entries))
    edge, tiles = RightEdge().extend(leaves)

    assert head.size > ENTRIES
    assert edge.root() == head.root
    assert files["tile/0/000"] == tiles[0, 0] == b"".join(leaves[:256])
    assert files[f"tile/0/002.p/{head.size % 256}"] == b"".join(leaves[512:])
    assert (await reader.log()).identity.origin == head.origin
    assert await reader.file("checkpoint.quorum") == await reader.file("checkpoint")


async def test_media_types_and_caching(reader: Reader) -> None:
    """As tlog-tiles has it: text that moves, bytes that never change; anybody's page may read both."""
    shown = {
        "checkpoint": ("text/plain; charset=utf-8", "public, max-age=1"),
        "checkpoint.quorum": ("text/plain; charset=utf-8", "public, max-age=1"),
        "log.json": ("application/json", "public, max-age=1"),
        "tile/0/000": ("application/octet-stream", YEAR),
        "tile/0/000.p/7": ("application/octet-stream", YEAR),
        "tile/entries/001": ("application/octet-stream", YEAR),
        "proof/5": ("text/plain; charset=utf-8", "public, max-age=1"),
        "consistency?from=3&to=500": ("text/plain; charset=utf-8", YEAR),
    }
    for path, (content_type, caching) in shown.items():
        answer = await reader.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)
        assert answer.headers["Cache-Control"] == caching
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert "ETag" in answer.headers


@pytest.mark.parametrize("path", ["checkpoint", "log.json", "tile/1/000.p/1", "tile/entries/000", "proof/0"])
async def test_whoever_has_it_need_not_fetch_it(reader: Reader, path: str) -> None:
    """The tag of an answer brings 304 and no body, among others and weak as well; another tag does not."""
    first = await reader.get(path)
    tag = first.headers["ETag"]
    for shown in (tag, f'"another", {tag}', f"W/{tag}", "*"):
        again = await reader.get(path, If_None_Match=shown)
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    for shown in ('"another"', tag.strip('"'), "", '"'):
        assert (await reader.get(path, If_None_Match=shown)).status == 200


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "tile/entries/000", "consistency?from=1&to=2"])
async def test_head_says_what_get_says(reader: Reader, path: str) -> None:
    """The same status and headers, the length of the body, and no body."""
    got, headed = await reader.get(path), await reader.get(path, "HEAD")

    assert (headed.status, headed.body) == (200, b"")
    for name in ("ETag", "Content-Length", "Content-Type", "Cache-Control"):
        assert headed.headers[name] == got.headers[name]


async def test_bundles_are_compressed_for_those_who_accept_it(reader: Reader) -> None:
    """A gzipped bundle is smaller, has a tag of its own, and is the same bytes; hashes are never compressed."""
    plain = await reader.get("tile/entries/000")
    zipped = await reader.get("tile/entries/000", Accept_Encoding="br;q=0.1, gzip")
    tile = await reader.get("tile/0/000", Accept_Encoding="gzip")

    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body
    assert len(zipped.body) < len(plain.body)
    assert zipped.headers["ETag"] != plain.headers["ETag"]
    assert zipped.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in tile.headers
    assert (await reader.get("tile/entries/000", Accept_Encoding="gzip;q=0")).body == plain.body


async def test_a_proof_is_checked_offline(reader: Reader) -> None:
    """A .tlog-proof shows that the entry is in the signed tree, and holds nothing that opens it."""
    entries = decode_bundle(await reader.file("tile/entries/000"))
    vkeys = [parse_vkey(one) for one in (await reader.log()).vkeys]
    for index in (0, 1, 255):
        proof = TlogProof.decode(await reader.file(f"proof/{index}"))
        head = open_checkpoint(proof.checkpoint_note, vkeys)
        verify_inclusion(index, head.size, leaf_hash(entries[index]), proof.hashes, head.root)
        assert (proof.index, proof.extra) == (index, None)


@pytest.mark.parametrize(
    "accept", [MEDIA_TYPE, f"text/plain;q=0.5, {MEDIA_TYPE}", MEDIA_TYPE.upper(), f"{MEDIA_TYPE};q=0.1"]
)
async def test_a_cose_receipt_is_checked_offline(reader: Reader, accept: str) -> None:
    """Whoever accepts its media type gets a COSE Receipt, which verifies with the key of log.json."""
    entries, described = decode_bundle(await reader.file("tile/entries/001")), await reader.log()
    assert described.receipt_key is not None
    expected = Expected([described.receipt_key], described.identity.iss, described.identity.origin)
    answer = await reader.get("proof/300", Accept=accept)
    head = await reader.checkpoint()

    assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert answer.headers["Vary"] == "Accept"
    proven = verify_inclusion_receipt(answer.body, leaf_hash(entries[300 - 256]), expected)
    assert (proven.root, proven.size, proven.index) == (head.root, head.size, 300)


@pytest.mark.parametrize(
    "accept", ["*/*", "application/cose", "", f"{MEDIA_TYPE};q=0", f"{MEDIA_TYPE}; q=0.000", ";,;"]
)
async def test_who_does_not_name_it_gets_the_proof(reader: Reader, accept: str) -> None:
    """Every other Accept brings the .tlog-proof."""
    answer = await reader.get("proof/300", Accept=accept)

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")


async def test_the_token_signs_a_root_once(reader: Reader) -> None:
    """Many receipts of one checkpoint cost one signature."""
    before, signed = reader.served.token.sign, []

    async def counted(key_id: bytes, message: bytes) -> bytes:
        signed.append(key_id)
        return await before(key_id, message)

    ((receipt_key, _),) = reader.served.office.keys.receipts
    await append(reader.served, 1)
    reader.served.token.sign = counted  # type: ignore[method-assign]
    try:
        for index in range(20):
            assert (await reader.get(f"proof/{index}", Accept=MEDIA_TYPE)).status == 200
    finally:
        del reader.served.token.sign  # type: ignore[method-assign]

    assert signed.count(receipt_key) == 1


async def test_consistency_of_two_published_sizes(reader: Reader) -> None:
    """The hashes, one on a line as witnesses take them, lead from the smaller root to the larger one."""
    head = await reader.checkpoint()
    leaves = [
        leaf_hash(entry)
        for number in range(2)
        for entry in decode_bundle(await reader.file(f"tile/entries/{number:03}"))
    ]
    for size1, size2 in ((1, 2), (256, 257), (255, 512), (300, 300)):
        lines = (await reader.file(f"consistency?from={size1}&to={size2}")).decode().splitlines()
        roots = [RightEdge().extend(leaves[:size])[0].root() for size in (size1, size2)]
        verify_consistency(size1, size2, *roots, [parse_hash(line, "hash") for line in lines])
    assert await reader.file(f"consistency?from=0&to={head.size}") == b""
    assert len(await reader.file(f"consistency?from=1&to={head.size}")) > 0


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?from=1",
        "?to=1",
        "?from=1&to=2&to=2",
        "?from=1&from=1",
        "?from=1&to=2&x=1",
        "?from=2&to=1",
        "?from=01&to=2",
        "?from=1&to=x",
        "?from=-1&to=2",
        "?from=1&to=%2B2",
        "?from=1&to=18446744073709551616",
        "?from=1&to=" + "9" * 5000,
        "?from=%D9%A1&to=2",
        "?from=&to=",
        "?from=1&to=1e1",
        "?FROM=1&to=2",
    ],
)
async def test_sizes_have_one_spelling(reader: Reader, query: str) -> None:
    """Anything but two decimals in their order is a malformed request that says what was expected."""
    answer = await reader.get(f"consistency{query}")

    assert (answer.status, answer.headers["Content-Type"]) == (400, PROBLEM)
    assert b"from=N&to=M" in answer.body


HOSTILE = [
    "tile/0/003",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/01",
    "tile/00/000",
    "tile/64/000",
    "tile/0/0",
    "tile/0/x000/000",
    "tile/0/x001/000",
    "tile/0/x999/x999/x999/x999/x999/x999/999",
    "tile/" + "9" * 60,
    "tile/0/" + "x000/" * 1000 + "000",
    "tile/entries/003",
    "tile/entries/000.p/",
    "tile/entries/",
    "tile/",
    "tile",
    "tile/0/..%2F000",
    "tile/0/../../checkpoint.",
    "tile/0/000%00",
    "tile/0/000%0A",
    "tile/0/%F0%9F%92%A9",
    "tile/0/%FF",
    "tile/0/\u0660\u0660\u0660",
    "checkpoint/",
    "checkpoints",
    "Checkpoint",
    "log.json/",
    "proof/",
    "proof/-1",
    "proof/00",
    "proof/5.0",
    "proof/99999",
    "proof/18446744073709551616",
    "proof/99999999999999999999",
    "proof/" + "9" * 5000,
    "consistency?from=1&to=99999",
    "/log/0/checkpoint",
    "/log/2/checkpoint",
    "/log/01/checkpoint",
    "/log/999999999/tile/0/000",
    "/log/9999999999/checkpoint",
    "/log/-1/checkpoint",
    "/log//checkpoint",
    "/log/1",
    "/log/",
]


@pytest.mark.parametrize("path", HOSTILE)
async def test_what_is_not_there_is_404(reader: Reader, path: str) -> None:
    """Beyond the checkpoint, another spelling, no path at all: a problem that no cache keeps."""
    answer = await reader.get(path)

    assert answer.status == 404, answer.body
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(["tile", "entries", "0", "1", "000", "x000", "000.p", "9", "..", "%2e%2e", "", "proof", "a"]),
        max_size=7,
    ),
    st.sampled_from(["Accept", "Accept-Encoding", "If-None-Match", "If-Match", "Range", "If-Modified-Since"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40),
)
async def test_no_path_and_no_header_breaks_it(reader: Reader, parts: list[str], name: str, value: str) -> None:
    """Whatever is asked for and however, the answer is one of a handful, and never ours to mend."""
    for path in ("/".join(parts), "tile/0/000", "tile/entries/000", "proof/1", "consistency?from=1&to=9"):
        answer = await reader.get(path or "checkpoint", **{name: value})
        assert answer.status in {200, 304, 400, 404}, (path, name, value)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "proof/1"])
async def test_it_is_read_only(reader: Reader, method: str, path: str) -> None:
    """Nothing can be written this way."""
    assert (await reader.get(path, method)).status == 405


async def test_only_what_is_published_is_shown(reader: Reader) -> None:
    """Entries that are committed and not yet under a checkpoint are nowhere, and a second later everywhere."""
    publisher, size = reader.served.office.publisher, (await reader.checkpoint()).size
    await publisher._lock.acquire()
    try:
        entry = public_object(
            EntryType.STATUS_LIST, "status-list.published", reader.served.office.new_handle(), bytes(32)
        )
        await reader.served.office.store.commit(WriteSet((), (entry,)))
        width = size % 256 + 1
        new = [
            f"tile/entries/002.p/{width}",
            f"tile/0/002.p/{width}",
            f"proof/{size}",
            f"consistency?from=1&to={size + 1}",
        ]
        before = [(await reader.get(path)).status for path in new]
    finally:
        publisher._lock.release()
    await publisher.publish_once()

    assert before == [404] * len(new)
    assert [(await reader.get(path)).status for path in new] == [200] * len(new)
    assert len(decode_bundle(await reader.file(f"tile/entries/002.p/{width - 1}"))) == width - 1


async def test_what_storage_cannot_prove_is_not_shown(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored bytes that do not lead to the signed root are a 503 that no cache keeps, not a wrong answer."""

    async def tampered(*_: int) -> list[bytes]:
        return [b"tampered"] * 9

    monkeypatch.setattr(StoredLedger, "entries", tampered)
    answer = await reader.get("tile/entries/000.p/9")

    assert (answer.status, answer.headers["Content-Type"]) == (503, PROBLEM)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Retry-After" in answer.headers
    assert reader.served.office.store.stopped_by() is None


async def test_without_the_token_there_is_still_the_log(reader: Reader) -> None:
    """A receipt whose root is not yet signed needs the token; everything else does not."""
    await append(reader.served, 1)
    reader.served.token.away = Unavailable("The HSM is away.")
    try:
        receipt = await reader.get("proof/0", Accept=MEDIA_TYPE)
        others = [(await reader.get(path)).status for path in ("checkpoint", "tile/0/001", "proof/0")]
    finally:
        reader.served.token.away = None

    assert receipt.status == 503
    assert others == [200] * 3


async def test_a_proof_by_index_never_opens_anything(reader: Reader) -> None:
    """What opens the entry of a credential is only in the receipt that its holder gets."""
    held = await holding(reader.served.api)
    await reader.served.office.publisher.publish_once()
    index = held.answer["ledger"]["index"]
    public = TlogProof.decode(await reader.file(f"proof/{index}"))
    cose = (await reader.get(f"proof/{index}", Accept=MEDIA_TYPE)).body
    headers = {"Authorization": f"Bearer {held.answer['receipt_token']}"}
    own = TlogProof.decode((await reader.get(f"/api/v1/credentials/{held.answer['handle']}/receipt", **headers)).body)

    assert own.extra is not None
    assert public.extra is None
    assert own.index == public.index == index
    assert own.extra[-40:] not in cose


async def test_many_at_once_get_the_same(reader: Reader) -> None:
    """Readers that come together, for tiles that are not rendered yet, all get the same bytes."""
    asked = [f"tile/entries/001.p/{width}" for width in range(100, 110)] * 5
    answers = await asyncio.gather(*(reader.get(path, Accept_Encoding="gzip") for path in asked))
    by_path: dict[str, set[bytes]] = {}
    for path, answer in zip(asked, answers, strict=True):
        by_path.setdefault(path, set()).add(answer.body)

    assert {len(bodies) for bodies in by_path.values()} == {1}


async def test_a_tile_is_rendered_once(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """What never changes is kept in memory: the second reader costs storage nothing."""
    await reader.file("tile/entries/001")

    async def never(*_: int) -> list[bytes]:
        raise StorageError("asked again")

    monkeypatch.setattr(StoredLedger, "entries", never)

    assert (await reader.get("tile/entries/001", Accept_Encoding="gzip")).status == 200
    assert (await reader.get("tile/entries/001.p/77")).status == 503


async def test_what_is_kept_is_bounded_in_bytes() -> None:
    """The least recently used goes first, and what is too large is not kept at all."""
    kept = Kept(1000)
    for number in range(10):
        kept.keep(number, Representation.of(bytes(300), "text/plain", "no-store"))
        kept.get(0)
    kept.keep(0, Representation.of(bytes(400), "text/plain", "no-store"))

    assert [number for number in range(10) if kept.get(number)] == [0, 8, 9]
    assert kept.size == 1000
    kept.keep("large", Representation.of(bytes(1001), "text/plain", "no-store"))
    assert (kept.get("large"), kept.size) == (None, 0)
