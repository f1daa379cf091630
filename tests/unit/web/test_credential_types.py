"""The issuer's metadata and those of its types: they fit the credentials that are issued, as SD-JWT VC asks."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from idverify.core.form_parts import SD_JWT_VC
from idverify.core.types import CREDENTIAL_TYPES
from idverify.errors import Conflict
from idverify.formats import jose, sdjwt
from idverify.formats.sdjwt_vc import SdJwtVc
from idverify.stores import tables
from idverify.stores.writes import Change, WriteSet
from tests.simulators.holder import holding
from tests.simulators.service import VCT
from tests.simulators.software_office import SoftwareOffice

ISSUER = "/.well-known/jwt-vc-issuer"


async def fetched(served: SoftwareOffice, url: str) -> Any:
    """A public document, by its address."""
    async with served.api.session.get(url) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"] == "public, max-age=3600"
        return await response.read()


async def metadata(served: SoftwareOffice) -> dict[str, Any]:
    """The issuer's."""
    document: dict[str, Any] = orjson.loads(await fetched(served, served.api.deployment.url + ISSUER))
    return document


async def test_the_key_of_a_credential_is_found_by_its_name(served: SoftwareOffice) -> None:
    """Section 3.3: the issuer is that of the credential, and the key that its header names verifies it."""
    read = SdJwtVc().read((await holding(served.api)).credential.encode())
    published = await metadata(served)
    keys = {key["kid"]: key for key in published["jwks"]["keys"]}
    named = keys[read.detail.token.header["kid"]]

    assert published["issuer"] == read.iss
    jose.verify_signature(read.detail.token, jose.public_key(named), "the credential")
    assert jose.x5c(named) == read.signing_chain
    assert {(key["use"], key["alg"]) for key in keys.values()} == {("sig", "ES256")}


async def test_revoked_and_expired_keys_are_not_published(served: SoftwareOffice) -> None:
    """What they signed does not verify; a key that signs no more, but whose documents hold, is still there."""
    read = SdJwtVc().read((await holding(served.api)).credential.encode())
    kid = read.detail.token.header["kid"]

    for state, there in (("active", True), ("retiring", True), ("revoked", False)):
        of_key = Change(tables.signing_key, {"key_id": bytes.fromhex(kid)}, {"state": state}, Conflict("no such key"))
        await served.office.store.commit(WriteSet((of_key,)))
        assert (kid in {key["kid"] for key in (await metadata(served))["jwks"]["keys"]}) is there


async def test_expired_keys_are_not_published(served: SoftwareOffice) -> None:
    """A year and a half on, no certificate of today is good for anything."""
    served.clock.advance(600 * 86_400)
    assert (await metadata(served))["jwks"]["keys"] == []


async def test_every_type_is_listed(served: SoftwareOffice) -> None:
    """From the issuer's metadata to the list, from the list to each document, whose hash stands in the list."""
    listed = orjson.loads(await fetched(served, (await metadata(served))["credential_types_uri"]))["types"]

    assert {each["vct"] for each in listed} == {
        kind.id for kind in CREDENTIAL_TYPES.values() if SD_JWT_VC in kind.forms
    }
    for each in listed:
        document = await fetched(served, each["type_metadata"])
        assert orjson.loads(document)["vct"] == each["vct"]
        assert each["integrity"] == f"sha256-{base64.b64encode(hashlib.sha256(document).digest()).decode()}"


async def test_an_unknown_type_is_not_found(served: SoftwareOffice) -> None:
    """By its name, whatever it is."""
    status, problem, _ = await served.api.send("GET", "/types/urn:example:other:1")
    assert (status, problem["type"].rpartition("/")[2]) == (404, "not-found")


async def described(served: SoftwareOffice) -> dict[str, Any]:
    """The type metadata of the credential that tests collect."""
    document: dict[str, Any] = orjson.loads(await fetched(served, f"{served.api.deployment.url}/types/{VCT}"))
    return document


async def test_names_are_in_both_languages(served: SoftwareOffice) -> None:
    """The type's and every claim's."""
    document = await described(served)

    assert document["display"] == [
        {"locale": "en", "name": "Immigration status"},
        {"locale": "cy", "name": "Statws mewnfudo"},
    ]
    for claim in document["claims"]:
        assert [label["locale"] for label in claim["display"]] == ["en", "cy"]
        assert all(label["label"] for label in claim["display"])


def selected(claims: Any, path: list[str]) -> bool:
    """Whether a path of names selects something (section 4.6.1)."""
    for name in path:
        if not isinstance(claims, Mapping) or name not in claims:
            return False
        claims = claims[name]
    return True


async def test_a_credential_is_as_its_type_says(served: SoftwareOffice) -> None:
    """Section 4.6: what is always disclosable is a disclosure of its own, what never is is none; none is left out."""
    document = (await holding(served.api)).credential.encode()
    read = SdJwtVc().read(document)
    payload = orjson.loads(jose.b64url_decode(read.issuer_signed.split(b".")[1], "the payload"))
    hidden = set(sdjwt.disclose(payload, sdjwt.read(document).disclosures).places.values())
    claims = (await described(served))["claims"]

    for claim in claims:
        if selected(read.claims, claim["path"]):
            assert (tuple(claim["path"]) in hidden) == (claim["sd"] == "always"), claim["path"]
    assert {place for place in hidden if len(place) == 1} <= {tuple(claim["path"]) for claim in claims}
