"""Status lists as they are served: in two forms at one address, from memory, with validators, to everybody."""

from __future__ import annotations

import gzip
from typing import Any

import aiohttp
import pytest

from idverify.formats import status_list, status_list_cwt
from idverify.formats.status_list import StatusListToken
from idverify.web import status_lists
from idverify.web.accept import best
from tests.simulators.software_office import SoftwareOffice

JWT, CWT = status_list.MEDIA_TYPE, status_list_cwt.MEDIA_TYPE


async def fetch(served: SoftwareOffice, path: str = "/status/1", **headers: str) -> tuple[Any, bytes]:
    """The answer and its body as it came over the line."""
    url = served.api.deployment.url + path
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with session.get(url, headers=sent, skip_auto_headers=["Accept", "Accept-Encoding"]) as response:
            return response, await response.read()


async def listed(served: SoftwareOffice, accept: str) -> tuple[str, StatusListToken]:
    """Media type and content of what this ``Accept`` brings."""
    response, body = await fetch(served, Accept=accept)
    assert response.status == 200
    media_type = response.headers["Content-Type"]
    return media_type, status_list_cwt.FORMS[media_type](body)


async def test_both_forms_say_the_same(served: SoftwareOffice) -> None:
    """One list, one version and one time, as a JWT and as a CWT, from the same address."""
    (as_jwt, one), (as_cwt, other) = await listed(served, JWT), await listed(served, CWT)

    assert (as_jwt, as_cwt) == (JWT, CWT)
    assert (one.claims, one.statuses) == (other.claims, other.statuses)
    assert one.claims.version is not None
    assert one.signing_chain == other.signing_chain
    for form in (one, other):
        at, issuer = one.claims.issued_at, served.office.trust.issuers[served.office.deployment.iss]
        status_list.check(form, status_list.StatusExpected(one.claims.uri, issuer, frozenset(), at))


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, JWT),
        ("*/*", JWT),
        ("text/html, application/xhtml+xml;q=0.9, */*;q=0.1", JWT),
        ("application/*", JWT),
        (f"{JWT};q=0.5, {CWT}", CWT),
        (f"{JWT};q=0, */*", CWT),
        (f"{CWT.upper()}", CWT),
        (f"{JWT} ; q=0.2, application/* ; q=0.9", CWT),
        ("text/html", None),
        (f"{JWT};q=0, {CWT};q=0.000", None),
        (", ,", None),
    ],
)
async def test_accept_chooses_the_form(served: SoftwareOffice, accept: str | None, media_type: str | None) -> None:
    """By quality and by how closely it is named; a JWT where both are liked alike, and 406 where neither is."""
    response, body = await fetch(served, **({} if accept is None else {"Accept": accept}))

    if media_type is None:
        assert response.status == 406
        assert b"statuslist+cwt" in body
        return
    assert (response.status, response.headers["Content-Type"]) == (200, media_type)
    assert set(response.headers["Vary"].split(", ")) >= {"Accept"}


async def test_each_form_has_its_validator(served: SoftwareOffice) -> None:
    """Whoever has a form need not fetch it again, and that of the one is not that of the other."""
    (jwt, _), (cwt, _) = await fetch(served, Accept=JWT), await fetch(served, Accept=CWT)
    tag = cwt.headers["ETag"]

    assert jwt.headers["ETag"] != tag
    for accept, status in ((CWT, 304), (JWT, 200)):
        again, body = await fetch(served, Accept=accept, If_None_Match=tag)
        assert again.status == status
        assert (body == b"") is (status == 304)
        assert again.headers["Cache-Control"] == "public, max-age=120"
        assert again.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_jwt_is_compressed_where_that_is_asked_for(served: SoftwareOffice) -> None:
    """Base64 takes a third more than it must; of a CWT nothing is left to compress."""
    plain, text = await fetch(served, Accept=JWT)
    zipped, packed = await fetch(served, Accept=JWT, Accept_Encoding="gzip")
    cwt, _ = await fetch(served, Accept=CWT, Accept_Encoding="gzip")

    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == text
    assert len(packed) < 0.85 * len(text)
    assert plain.headers["Vary"] == zipped.headers["Vary"] == "Accept, Accept-Encoding"
    assert "Content-Encoding" not in cwt.headers


async def test_a_thousand_readers_cost_one_hash(served: SoftwareOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent is made once for each signing; then bytes are handed out."""
    made: list[str] = []
    of = status_lists.Representation.of

    def counted(content: bytes, content_type: str, *rest: Any, **how: Any) -> Any:
        made.append(content_type)
        return of(content, content_type, *rest, **how)

    monkeypatch.setattr(status_lists.Representation, "of", counted)
    for _ in range(20):
        await fetch(served, Accept=JWT)
        await fetch(served, Accept=CWT)
    assert sorted(made) == sorted((JWT, CWT))
    await served.office.board.publish()
    before = served.office.statuses.kept()[served.office.board.uri].token
    assert (await fetch(served, Accept=JWT))[1] == before
    assert len(made) == 3


@pytest.mark.parametrize(("path", "status"), [("/status/2", 404), ("/status/0", 404), ("/status/01", 404)])
async def test_there_is_one_spelling_of_each_list(served: SoftwareOffice, path: str, status: int) -> None:
    """A list that is not there is not found, and none has two addresses that a cache would keep apart."""
    assert (await fetch(served, path))[0].status == status


async def test_how_things_stood_is_told_to_nobody(served: SoftwareOffice) -> None:
    """Section 8.4: a list of another time is not offered, which is said; the current one would pass for it."""
    response, body = await fetch(served, "/status/1?time=1686925000")
    assert response.status == 501
    assert b"/problems/not-offered" in body


def test_a_header_of_any_length_is_read() -> None:
    """Only its beginning counts."""
    assert best(["text/html," * 100_000 + CWT], (JWT, CWT)) is None
    assert best([CWT, "*/*;q=0.1"], (JWT, CWT)) == CWT
