"""Whatever a client sends, it gets an answer that says what was expected, and leaves nothing half done."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from idverify.stores import tables
from idverify.web import submission
from tests.simulators.contract import PROBLEM, contract
from tests.simulators.holder import Holding, failed
from tests.simulators.service import DETAILS, PERMISSION, VCT
from tests.simulators.software_office import SoftwareOffice

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUNDS = settings(max_examples=60, deadline=None)
JSON = "application/json"
MIB = 1024 * 1024
CAPS = {"/api/v1/verify": submission.MAX_BODY}

# Path -> a body that is well formed; what it names need not exist.
BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/people": {"details": DETAILS},
    "/api/v1/people/search": {
        "travel_document": {"type": "P", "number": "X1", "issuing_state": "UTO", "expiry": "2031-01-01"}
    },
    "/api/v1/people/{person}/decisions": {
        "kind": "vary",
        "reason": "extended",
        "legal_basis": "Rules, part 1",
        "permission": PERMISSION,
    },
    "/api/v1/people/{person}/offers": {"type": VCT},
    "/api/v1/enrolments/options": {"code": "0000-0000-0000-0000-0000", "name": "Nora Newcomer"},
    "/api/v1/enrolments": {
        "code": "0000-0000-0000-0000-0000",
        "name": "Nora Newcomer",
        "ceremony": "0" * 32,
        "response": {"type": "public-key"},
        "key_name": "blue key",
    },
    "/api/v1/sign-in": {"ceremony": "0" * 32, "response": {"type": "public-key"}},
    "/api/v1/credentials": {"code": "A" * 27, "proof": "a.b.c"},
    "/api/v1/verification-requests": {"type": VCT},
    "/api/v1/verify": {"document": "a.b.c~", "receipt": "none", "verification_request": "0" * 32},
}
ROWS = select(
    *(
        select(func.count()).select_from(table).scalar_subquery().label(table.name)
        for table in (
            tables.person,
            tables.person_key,
            tables.person_lookup,
            tables.decision,
            tables.proposal,
            tables.offer,
            tables.issuance,
            tables.credential,
            tables.verification_request,
            tables.look,
            tables.ledger_record,
            tables.account,
            tables.security_key,
            tables.session,
            tables.enrolment,
            tables.authorisation,
        )
    )
)

paths = st.sampled_from(sorted(BODIES))
numbers = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | numbers | st.text(max_size=40)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4)
)
header_names = st.sampled_from(
    ["Authorization", "Content-Type", "Cookie", "Idempotency-Key", "Origin", "Prefer", "Step-Up", "X-CSRF-Token"]
)
header_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A path and its well-formed body with one member replaced, left out or added, at any depth."""
    path = draw(paths)
    body = orjson.loads(orjson.dumps(BODIES[path]))
    level = body
    while (inner := [value for value in level.values() if isinstance(value, dict)]) and draw(st.booleans()):
        level = draw(st.sampled_from(inner))
    name = draw(st.sampled_from(sorted(level)) | st.text(max_size=20))
    if draw(st.booleans()):
        level[name] = draw(values)
    else:
        level.pop(name, None)
    return path, body


class Client:
    """Sends bytes, and judges every answer."""

    def __init__(self, served: SoftwareOffice, person: str) -> None:
        self._served, self._person = served, person

    async def post(self, path: str, data: Any, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """One request. A refusal is a problem with a sentence, and stores nothing."""
        api = self._served.api
        sent = {
            "Content-Type": JSON,
            "Idempotency-Key": "0123456789",
            **await api.identity("officer"),
        } | dict(headers or {})
        path, before = path.replace("{person}", self._person), await self._rows()
        status, media, answer = await self._post(path, data, sent)
        if status == 401 and "step_up" in answer:  # as far as an officer can get who confirms whatever they are asked
            confirmed = api.deployment.people["officer"].step_up(answer["step_up"], api.deployment.url)
            status, media, answer = await self._post(path, data, sent | confirmed)
        contract().require_kept("POST", path, status, answer)
        if status >= 400:
            assert media == PROBLEM
            assert answer["status"] == status
            assert len(answer["detail"]) > 10
            assert await self._rows() == before
        return status, answer

    async def _post(self, path: str, data: Any, headers: Mapping[str, str]) -> tuple[int, str, Any]:
        api = self._served.api
        async with api.session.post(api.deployment.url + path, data=data, headers=headers) as response:
            raw = await response.read()
            api.deployment.people["officer"].follow(response.headers)
            assert response.status < 500, raw
            return response.status, response.content_type, orjson.loads(raw)

    async def _rows(self) -> tuple[int, ...]:
        row = await self._served.office.store.fetch_one(ROWS, {})
        assert row is not None
        return tuple(row)


@pytest.fixture(scope="module")
def client(served: SoftwareOffice, held: Holding) -> Client:
    """A client whose person exists."""
    return Client(served, held.person)


@given(path=paths, body=st.binary(max_size=400))
@ROUNDS
async def test_arbitrary_bytes(client: Client, path: str, body: bytes) -> None:
    """Bytes that are no JSON are refused as malformed."""
    status, _ = await client.post(path, body)

    assert status == 400


@given(path=paths, body=values)
@ROUNDS
async def test_arbitrary_json(client: Client, path: str, body: Any) -> None:
    """JSON of another shape is refused, and each place that is wrong is listed."""
    status, problem = await client.post(path, json.dumps(body, allow_nan=False).encode())

    assert status == 400
    assert problem["errors"]


@given(sent=mutated())
@settings(ROUNDS, max_examples=200)
async def test_nearly_right_bodies(client: Client, sent: tuple[str, dict[str, Any]]) -> None:
    """One member that is another, missing or too many: an answer or a refusal, never a fault of ours."""
    path, body = sent

    status, _ = await client.post(path, json.dumps(body).encode())

    assert status in {200, 201, 202, 400, 401, 404, 409, 422}


@given(path=paths, name=header_names, value=header_text)
@ROUNDS
async def test_arbitrary_headers(client: Client, path: str, name: str, value: str) -> None:
    """A header that makes no sense is refused or ignored."""
    status, _ = await client.post(path, orjson.dumps(BODIES[path]), {name: value})

    assert status in {200, 201, 202, 400, 401, 403, 404, 409, 422}


@given(document=st.text(max_size=300) | st.from_regex(r"[\w.~-]{1,200}~[\w.~-]{0,100}", fullmatch=True))
@ROUNDS
async def test_garbage_documents(client: Client, document: str) -> None:
    """A document that is none is an answer: rejected, for its format."""
    status, answer = await client.post("/api/v1/verify", orjson.dumps({"document": document}))

    assert status == 200
    assert (answer["verdict"], failed(answer), answer["claims"]) == ("reject", ["format"], None)


@given(data=st.data())
@ROUNDS
async def test_broken_credentials(client: Client, held: Holding, data: st.DataObject) -> None:
    """A real credential with a piece cut out, doubled or replaced is an answer, and never accepted."""
    whole = held.credential
    start = data.draw(st.integers(0, len(whole) - 1))
    stop = data.draw(st.integers(start + 1, min(len(whole), start + 200)))
    filling = data.draw(st.sampled_from(["", whole[start:stop] * 2, "~", ".", "A" * (stop - start), "\x00"]))
    broken = whole[:start] + filling + whole[stop:]

    status, answer = await client.post("/api/v1/verify", orjson.dumps({"document": broken}))

    assert status == 200
    assert answer["verdict"] != "accept"


async def test_a_document_that_is_too_large(client: Client) -> None:
    """Beyond 64 KiB nothing is read: the check ``size`` fails."""
    document = "a.b.c~" + "A" * 65_536

    status, answer = await client.post("/api/v1/verify", orjson.dumps({"document": document}))

    assert status == 200
    assert (answer["verdict"], failed(answer)) == ("reject", ["size"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"[" * 100_000, 413, id="depth"),
        pytest.param(b'{"document":' * 50_000, 413, id="depth in objects"),
        pytest.param(b'{"document":"x",' + b'"a":[' * 5_000, 413, id="depth of the unknown"),
        pytest.param(b'{"document":"x",' + b'"a":[' * 100, 400, id="some depth of the unknown"),
        pytest.param(b'{"document":"\\ud800"}', 400, id="half a surrogate"),
        pytest.param(b'{"document":1e999}', 400, id="infinite"),
        pytest.param(b'{"document":NaN}', 400, id="NaN"),
        pytest.param(b'{"document":"\x00"}', 400, id="raw control"),
        pytest.param(b'\xef\xbb\xbf{"document":"x"}', 400, id="byte order mark"),
        pytest.param(b'{"document":' + b"9" * 10_000 + b"}", 400, id="long number"),
        pytest.param(b"", 400, id="empty"),
    ],
)
async def test_traps_for_parsers(client: Client, body: bytes, expected: int) -> None:
    """What breaks parsers is refused like any other malformed body, and many values are counted before it is parsed."""
    status, _ = await client.post("/api/v1/verify", body)

    assert status == expected


@pytest.mark.parametrize("path", sorted(BODIES))
async def test_unknown_fields_are_named(client: Client, path: str) -> None:
    """A field that nobody declared is refused by its place."""
    status, problem = await client.post(path, orjson.dumps(BODIES[path] | {"shoe_size": 43}))

    assert status == 400
    assert [error["at"] for error in problem["errors"]] == ["/shoe_size"]


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "application/json-seq", "x"])
async def test_another_content_type(client: Client, media: str) -> None:
    """Only JSON is read, whatever the body would have been."""
    status, problem = await client.post("/api/v1/verification-requests", b'{"type":"x"}', {"Content-Type": media})

    assert status == 400
    assert JSON in problem["detail"]


@pytest.mark.parametrize("path", sorted(BODIES))
async def test_a_body_that_is_too_large(client: Client, path: str) -> None:
    """One byte over the cap is refused by its announced length, and the sentence names both sizes."""
    most = CAPS.get(path, MIB)
    status, problem = await client.post(path, BytesIO(b" " * (most + 1)))

    assert status == 413
    assert str(most) in problem["detail"]


async def test_a_body_that_does_not_say_how_large_it_is(client: Client) -> None:
    """A stream is cut off at the same cap."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(2 * submission.MAX_BODY // MIB):
            yield b" " * MIB

    status, _ = await client.post("/api/v1/verify", endless())

    assert status == 413


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b'{"document":"x"}')),
        ("gzip", b"this is not compressed"),
        ("deflate", zlib.compress(b'{"document":"x"}')[:-4]),
        ("gzip", gzip.compress(bytes(64 * MIB))),
        ("rot13", b'{"document":"x"}'),
    ],
    ids=["gzip", "no gzip", "cut deflate", "bomb", "unknown"],
)
async def test_compressed_bodies(client: Client, encoding: str, body: bytes) -> None:
    """Nothing is unpacked for a client, whether it would unpack or not."""
    status, problem = await client.post("/api/v1/verify", body, {"Content-Encoding": encoding})

    assert status == 400
    assert "Content-Encoding" in problem["detail"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET /%ff%00/..%2f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
    ids=["TLS", "version", "negative length", "two lengths", "long path", "long header", "odd path"],
)
async def test_what_is_hardly_http(served: SoftwareOffice, client: Client, raw: bytes) -> None:
    """Bytes that only resemble HTTP get a 4xx, and the service goes on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.api.deployment.port)
    writer.write(raw)
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert line.split()[1].startswith(b"4")
    assert (await client.post("/api/v1/verify", b'{"document":"x"}'))[0] == 200
