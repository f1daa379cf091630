"""A witness over HTTP: its answers to the byte, and no bytes that break it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, DummyCookieJar

from idverify.errors import OutcomeUnknown, Unavailable
from idverify.ledger.note import open_note
from idverify.ledger.witness import Witness
from idverify.ledger.witness_protocol import MAX_REQUEST, AddCheckpoint, origin_hash
from idverify.web.witness import IN_DOUBT, make_witness_app
from tests.simulators.signed_log import ORIGIN, SignedLog
from tests.simulators.witness_memory import NOW, WitnessMemory, cosigners
from tests.simulators.witness_server import serving, witnessing

LOG, FORK = SignedLog(), SignedLog(forks_at=3)
NAME = "witness.example/w1"
VERIFIERS = [LOG.verifier, *(key.verifier for key in cosigners(NAME))]


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """An HTTP client."""
    async with ClientSession(cookie_jar=DummyCookieJar()) as opened:
        yield opened


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """A witness that has seen nothing yet."""
    async with witnessing(NAME, [LOG.verifier]) as served:
        yield served


def request(old: int, size: int, log: SignedLog = LOG) -> bytes:
    return AddCheckpoint(old, tuple(log.proof(old, size)), log.note(size)).encode()


async def post(session: ClientSession, address: str, body: bytes) -> tuple[int, str, bytes]:
    async with session.post(f"{address}/add-checkpoint", data=body) as answer:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        return answer.status, answer.headers["Content-Type"], await answer.read()


async def test_the_decision_table(session: ClientSession, address: str) -> None:
    """Each status, with the body and type that tlog-witness gives it."""
    plain = "text/plain; charset=utf-8"
    status, media, lines = await post(session, address, request(0, 5))
    assert (status, media) == (200, plain)
    assert len(open_note(LOG.note(5) + lines, VERIFIERS).verified) == 3

    assert await post(session, address, request(0, 7)) == (409, "text/x.tlog.size", b"5\n")
    for body, expected in [
        (b"", 400),
        (AddCheckpoint(6, (), LOG.note(5)).encode(), 400),
        (request(0, 5, SignedLog(seed=b"s" * 32)), 403),
        (request(0, 5, SignedLog("other.example")), 404),
        (request(5, 5, FORK), 422),
        (request(5, 9, FORK), 422),
        (AddCheckpoint(5, (), LOG.note(9)).encode(), 422),
    ]:
        status, media, said = await post(session, address, body)
        assert (status, media) == (expected, plain), said
        assert said.endswith(b"\n")
        assert len(said.splitlines()) == 1


async def test_monitors_read_what_was_cosigned(session: ClientSession, address: str) -> None:
    """404 before the first time; then the note with every line that the log was given."""
    place = f"{address}/{origin_hash(ORIGIN)}/checkpoint"
    async with session.get(place) as answer:
        assert answer.status == 404
    _, _, lines = await post(session, address, request(0, 5))
    async with session.get(place) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        assert await answer.read() == LOG.note(5) + lines


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/add-checkpoint", 405),
        ("PUT", "/add-checkpoint", 405),
        ("POST", f"/{origin_hash(ORIGIN)}/checkpoint", 405),
        ("GET", f"/{origin_hash(ORIGIN).upper()}/checkpoint", 404),
        ("GET", f"/{origin_hash(ORIGIN)[1:]}/checkpoint", 404),
        ("GET", "/%2e%2e/checkpoint", 404),
        ("POST", "/sign-subtree", 404),
    ],
)
async def test_there_is_nothing_else(session: ClientSession, address: str, method: str, path: str, status: int) -> None:
    """Other paths and methods are refused in one line."""
    async with session.request(method, address + path) as answer:
        assert answer.status == status
        assert len((await answer.text()).splitlines()) == 1


async def test_sizes_are_capped_before_anything_is_read(session: ClientSession, address: str) -> None:
    """Announced or not, a body over the cap is refused; nothing is unpacked for a client."""

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield bytes(MAX_REQUEST // 8)

    for data in (bytes(MAX_REQUEST + 1), unannounced()):
        async with session.post(f"{address}/add-checkpoint", data=data) as answer:
            assert answer.status == 413
    async with session.post(f"{address}/add-checkpoint", data=bytes(MAX_REQUEST)) as answer:
        assert answer.status == 400
    packed = {"Content-Encoding": "gzip"}
    async with session.post(f"{address}/add-checkpoint", data=request(0, 5), headers=packed) as answer:
        assert answer.status == 400


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\xfe\r\n\r\n",
        b"POST /add-checkpoint HTTP/1.1\r\n\r\n",
        b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nold 0",
        b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Type: \xff\xff\r\nContent-Length: 1\r\n\r\n\xff",
        b"GET /\xff/checkpoint HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_odd_bytes_are_the_client_s_fault(address: str, sent: bytes) -> None:
    """Whatever comes over the wire is answered 4xx, and the next request works."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    writer.write(sent)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()

    assert answer == b"" or answer.split(b" ", 2)[1].startswith(b"4"), answer


@pytest.mark.parametrize(
    ("error", "status", "in_doubt"),
    [(Unavailable("away"), 503, False), (OutcomeUnknown("doubt"), 503, True), (RuntimeError("a bug"), 500, False)],
)
async def test_a_memory_that_fails_cosigns_nothing(
    session: ClientSession,
    error: Exception,
    status: int,
    in_doubt: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """No signature leaves before the record is durable; doubt about the disk is for the process to end on."""

    def fail() -> None:
        raise error

    memory = WitnessMemory(before=fail)
    app = make_witness_app(Witness(memory, [LOG.verifier], cosigners(NAME), lambda: NOW))
    async with serving(app) as address:
        answered, _, body = await post(session, address, request(0, 5))

    assert answered == status
    assert "\u2014".encode() not in body
    assert app[IN_DOUBT].is_set() is in_doubt


async def test_many_at_once(session: ClientSession, address: str) -> None:
    """Of many requests that race from one size, those of one size are cosigned and the others told where it stands."""
    answers = await asyncio.gather(*(post(session, address, request(0, size)) for size in range(1, 30)))
    statuses = [status for status, _, _ in answers]

    assert statuses.count(200) == 1
    assert statuses.count(409) == 28
    assert {body for status, _, body in answers if status == 409} == {b"%d\n" % (statuses.index(200) + 1)}
