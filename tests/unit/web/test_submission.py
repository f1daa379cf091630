"""Whatever media type a document comes in, the verdict is one; a batch answers each by itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from aiohttp import FormData
from sqlalchemy import func, select

from idverify.services.check import MOST
from idverify.stores import tables
from idverify.web.endpoint import MOST_VALUES
from idverify.web.submission import MAX_BODY, MEDIA
from tests.simulators import credential_world as world
from tests.simulators.contract import contract
from tests.simulators.holder import Holding, asked, failed, holding, results
from tests.simulators.software_office import SoftwareOffice

VERIFY = "/api/v1/verify"
BOUNDARY = "----b"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
Sent = tuple[int, Any]


@dataclass
class Desk:
    """Somebody with a credential before an employer's program."""

    served: SoftwareOffice
    held: Holding

    async def post(self, body: bytes | FormData, content_type: str | None = None, query: str = "") -> Sent:
        """One request, its answer held against the API's description."""
        headers = await self.served.api.identity("employer")
        if content_type is not None:
            headers["Content-Type"] = content_type
        url = self.served.api.deployment.url + VERIFY + query
        data = io.BytesIO(body) if isinstance(body, bytes) else body
        async with self.served.api.session.post(url, data=data, headers=headers) as response:
            answer = orjson.loads(await response.read())
            contract().require_kept("POST", VERIFY, response.status, answer)
            return response.status, answer

    async def json(self, body: Any) -> Sent:
        """The same as JSON."""
        return await self.post(orjson.dumps(body), "application/json")

    async def looks(self) -> int:
        """How many looks there are."""
        rows: Any = await self.served.office.store.fetch_one(
            select(func.count().label("n")).select_from(tables.look), {}
        )
        return int(rows["n"])


@pytest.fixture
async def desk(served: SoftwareOffice) -> Desk:
    """A credential, and who checks it."""
    return Desk(served, await holding(served.api))


def part(name: str, content: bytes, *, file: bool = True) -> bytes:
    """One part of a form."""
    named = f'name="{name}"' + ('; filename="f"' if file else "")
    return b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (BOUNDARY.encode(), named.encode(), content)


def form(*parts: bytes) -> bytes:
    """A whole form."""
    return b"".join(parts) + b"--%s--\r\n" % BOUNDARY.encode()


Bodies = Callable[[bytes], tuple[bytes, str]]
WAYS: dict[str, Bodies] = {
    "json": lambda document: (orjson.dumps({"document": document.decode()}), "application/json"),
    "json of base64": lambda document: (
        orjson.dumps({"document": base64.b64encode(document).decode()}),
        "application/json",
    ),
    "what a wallet printed": lambda document: (orjson.dumps({"document": document.decode()}, option=2), "text/plain"),
    "text in lines": lambda document: (document[:70] + b"\r\n" + document[70:] + b"\n", "text/plain; charset=utf-8"),
    "bytes": lambda document: (document, "application/octet-stream"),
    "cbor, it says": lambda document: (document, "application/cbor"),
    "sd-jwt": lambda document: (document, "application/dc+sd-jwt"),
    "a file": lambda document: (form(part("file", document)), FORM),
    "a field": lambda document: (form(part("document", document, file=False)), FORM),
    "base64url": lambda document: (base64.urlsafe_b64encode(document).rstrip(b"="), "text/plain"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_the_verdict_is_one(desk: Desk, way: str) -> None:
    """The same document gets the same answer, however it came."""
    status, answer = await desk.post(*WAYS[way](desk.held.credential.encode()))

    assert (status, answer["verdict"], results(answer)["signature"]) == (200, "refer", "pass")
    assert answer["claims"]["work"] == {"allowed": "limited", "occupations_text": "Sponsored occupation only"}


@pytest.mark.parametrize("way", ["field", "query", "bytes", "wallet"])
async def test_an_answer_to_a_request_however_it_came(desk: Desk, way: str) -> None:
    """The request that it answers stands in a field, in the query, or in what the wallet printed."""
    request = await asked(desk.served.api, "employer")
    document, handle = desk.held.present(request, ["work"]).encode(), request["verification_request"]
    wallet = orjson.dumps({"document": document.decode(), "receipt": None, "verification_request": handle})
    body, media, query = {
        "field": (form(part("file", document), part("verification_request", handle.encode(), file=False)), FORM, ""),
        "query": (document, "text/plain", f"?verification_request={handle}"),
        "bytes": (document, "application/octet-stream", f"?verification_request={handle}"),
        "wallet": (form(part("file", wallet)), FORM, ""),
    }[way]

    assert (await desk.post(body, media, query))[1]["verdict"] == "accept"
    assert (await desk.post(body, media, query))[0] == 409


@pytest.mark.parametrize(
    ("media", "query"),
    [
        ("text/plain", "?confidance=high"),
        ("text/plain", "?verification_recipt=1"),
        ("application/json", "?confidence=high"),
        ("application/json", "?verification_receipt=1"),
        (FORM, "?assurance=high"),
    ],
)
async def test_a_wish_is_never_passed_over(desk: Desk, media: str, query: str) -> None:
    """A misspelt name, or a query beside JSON, is refused and not recorded: its demand would not be made."""
    document = desk.held.credential.encode()
    bodies = {"text/plain": document, FORM: form(part("file", document))}
    looks = await desk.looks()

    status, answer = await desk.post(bodies.get(media, orjson.dumps({"document": "x"})), media, query)
    assert (status, answer["type"]) == (400, "/problems/malformed-request")
    assert repr(query[1:].partition("=")[0]) in answer["detail"]
    assert await desk.looks() == looks


async def test_a_form_with_a_strange_name_says_which(desk: Desk) -> None:
    """Whoever sends the document as a file of another name is told the name of it."""
    document = desk.held.credential.encode()
    for strange, named in ((part("document", document), "a file 'document'"), (part("doc", b"x", file=False), "'doc'")):
        status, answer = await desk.post(form(strange), FORM)
        assert (status, named in answer["detail"]) == (400, True), answer


async def test_a_batch_answers_each(desk: Desk) -> None:
    """In order: one that is accepted, one nobody presented, junk, one that is too large, one for nobody's request."""
    request = await asked(desk.served.api, "employer")
    proven = {
        "document": desk.held.present(request, ["work"]),
        "verification_request": request["verification_request"],
    }
    documents = [
        proven,
        {"document": desk.held.credential},
        {"document": "junk"},
        {"document": "~" * 70_000},
        {"document": desk.held.credential, "verification_request": "0" * 32},
        proven,
    ]
    before = await desk.looks()

    status, answer = await desk.json({"documents": documents})

    told = [one.get("verdict") or one["problem"]["status"] for one in answer["results"]]
    assert (status, told) == (200, ["accept", "refer", "reject", "reject", 404, 409])
    assert [failed(one) for one in answer["results"][2:4]] == [["format"], ["size"]]
    assert await desk.looks() == before + 4  # of what was answered, and of nothing else


async def test_files_of_a_form_are_a_batch(desk: Desk) -> None:
    """Several files, several verdicts, in order; binary ones stay what they are."""
    credential = desk.held.credential.encode()
    body = form(part("file", credential), part("file", b"\xa2\x00\x0a"), part("document", credential, file=False))

    status, answer = await desk.post(body, FORM)

    assert (status, [one["verdict"] for one in answer["results"]]) == (200, ["refer", "reject", "refer"])


async def test_a_form_of_a_library(desk: Desk) -> None:
    """What a client library writes by itself is read, too."""
    sent = FormData()
    sent.add_field("file", desk.held.credential.encode(), filename="ŵ.txt", content_type="text/plain")

    assert (await desk.post(sent))[1]["verdict"] == "refer"


async def test_as_many_as_there_may_be(desk: Desk) -> None:
    """256 documents in one go, each with a look of its own; 257 are no request."""
    before = await desk.looks()
    documents = [{"document": desk.held.credential if number % 2 else "junk"} for number in range(MOST)]

    status, answer = await desk.json({"documents": documents})
    refused, problem = await desk.json({"documents": [*documents, documents[0]]})

    assert (status, len(answer["results"])) == (200, MOST)
    assert [one["verdict"] for one in answer["results"][:2]] == ["reject", "refer"]
    assert await desk.looks() == before + MOST
    assert (refused, problem["errors"][0]["at"]) == (400, "/documents")


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, "/document"),
        ({"documents": []}, "/documents"),
        ({"documents": {"document": "a"}}, "/documents"),
        ({"documents": [{"documents": []}]}, "/documents/0/document"),
        ({"documents": [{"document": "a"}, {"document": 7}]}, "/documents/1/document"),
        ({"documents": [{"document": "a"}], "document": "a"}, "/document"),
        ({"document": "a", "receipt": 7}, "/receipt"),
        ({"document": "a", "verification_request": "0"}, "/verification_request"),
        ([], "/"),
        ("a", "/"),
    ],
)
async def test_a_request_that_is_none(desk: Desk, body: Any, at: str) -> None:
    """Nested, empty, mixed: 400 with the place, and nobody looked at anything."""
    before = await desk.looks()

    status, answer = await desk.json(body)

    assert (status, answer["errors"][0]["at"]) == (400, at)
    assert await desk.looks() == before


MANY = MOST + 40


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"{}", "application/xml", 400),
        (b"x", "multipart/form-data", 400),
        (b"x", FORM, 400),
        (form(), FORM, 400),
        (form(part("file", b"")), FORM, 400),
        (form(part("other", b"a")), FORM, 400),
        (form(part("file", b"a"), part("other", b"a", file=False)), FORM, 400),
        (form(part("file", b"a"), part("file", b"b"), part("receipt", b"c")), FORM, 400),
        (form(part("file", b"a"), part("verification_request", b"zz", file=False)), FORM, 400),
        (form(*[part("verification_request", b"0" * 32, file=False)] * 2, part("file", b"a")), FORM, 400),
        (form(*[part("file", b"a")] * (MOST + 1)), FORM, 400),
        (form(*[part("file", b"a")] * MANY), FORM, 413),
        (form(part("file", form(part("file", b"a")))), FORM, 400),
        (b"\r\n---" * 400_000, "multipart/form-data; boundary=-", 413),
        (b"--" + BOUNDARY.encode() + b"\r\n" + b"A" * 100_000, FORM, 400),
        (b"x" * (MAX_BODY + 1), "application/octet-stream", 413),
        (b"[" * 100_000, "application/json", 413),
        (b"[" * 1_000, "application/json", 400),
        (b'{"documents": [' + b'{"document": "a"},' * 50_000 + b'{"document": "a"}]}', "application/json", 413),
        (b"", "application/json", 400),
    ],
)
async def test_hostile_requests(desk: Desk, body: bytes, media: str, status: int) -> None:
    """Wrong types, forms that never end or have thousands of parts, bombs: each is refused with what it is."""
    assert (await desk.post(body, media))[0] == status


@pytest.mark.parametrize("media", MEDIA)
@pytest.mark.parametrize("body", [b"", b"\x00", b"\xff" * 70_000, b"{" * 500, b"=" * 9, b'"', b"\xef\xbb\xbf"])
async def test_any_bytes_are_answered(desk: Desk, media: str, body: bytes) -> None:
    """Of whatever type they claim to be: a verdict, or a refusal of the request."""
    content_type = FORM if media.startswith("multipart") else media
    status, answer = await desk.post(form(part("file", body)) if content_type == FORM else body, content_type)

    assert (status, answer.get("verdict")) in {(200, "reject"), (400, None)}


async def test_who_is_not_trusted_is_named_with_the_reason(desk: Desk) -> None:
    """Of a stranger the verdict says whom it names, of a forger that the certificates lead elsewhere; each its rule."""
    ours, strange = desk.served.office.deployment.iss, world.issue()
    forged = world.sd_jwt(world.payload(iss=ours))

    for document, rule, said in (
        (strange, "issuer-known", world.ISS),
        (forged, "path", "a root of nobody"),
    ):
        _, answer = await desk.json({"document": document.decode()})
        (check,) = [one for one in answer["checks"] if one["id"] == "issuer_trusted"]
        assert (answer["verdict"], check["result"], check["evidence"]["rule"]) == ("reject", "fail", rule)
        assert said in check["detail"]
        rest = {one["id"]: one["detail"] for one in answer["checks"] if one["result"] == "unknown"}
        assert "issuer" in rest["type_allowed"]
        assert "nobody is asked about it" in rest["status"]


@pytest.mark.parametrize("query", ["?verification_request=zz", "?verification_request=00&verification_request=00"])
async def test_a_query_that_is_none(desk: Desk, query: str) -> None:
    """A handle that cannot be one, or two of them."""
    assert (await desk.post(b"x", "text/plain", query))[0] == 400


async def test_a_key_revoked_elsewhere_gets_no_verdict(desk: Desk) -> None:
    """Another process revoked it: the next answer is 401, of whatever kind the request is, and no look is left."""
    credential = desk.held.credential
    assert (await desk.json({"document": credential}))[0] == 200
    before = await desk.looks()
    key = desk.served.api.deployment.keys["employer"].split("_")[1]
    elsewhere = tables.api_key.update().where(tables.api_key.c.id == key).values(revoked_at=1)

    async def revoke(transaction: Any) -> None:
        await transaction.connection.run(str(elsewhere.compile(compile_kwargs={"literal_binds": True})))

    await desk.served.office.store.write(revoke)

    request = {"document": credential, "verification_request": "0" * 32}
    for body in ({"document": credential}, {"documents": [{"document": credential}]}, request, {}):
        assert (await desk.json(body))[0] == 401
    assert await desk.looks() == before


@pytest.mark.parametrize("crowd", [b"[],", b"{},", b"1,", b'{"document":"a"},', b'"a",'])
async def test_a_body_of_many_values_is_not_read(desk: Desk, crowd: bytes) -> None:
    """Four megabytes of nothing would keep everybody waiting for seconds, and take half a gigabyte."""
    body = b'{"documents":[' + crowd * MOST_VALUES + b'""]}'

    assert (await desk.post(body, "application/json"))[0] == 413


async def test_a_pasted_document_may_hold_any_characters(desk: Desk) -> None:
    """Commas and brackets within a text are nobody's values."""
    status, answer = await desk.json({"documents": [{"document": "[,{" * 5000}] * 2})

    assert (status, [one["verdict"] for one in answer["results"]]) == (200, ["reject", "reject"])
