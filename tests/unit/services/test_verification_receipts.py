"""A check leaves a signed receipt where one is asked for: both sides can prove it, and it tells of nobody."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from idverify.core.trust import TrustedIssuer, TrustedRoot, TrustedType, TrustStore, issuer_of_terms
from idverify.core.verdict import Outcome
from idverify.errors import Unavailable
from idverify.formats import jose, verification_receipt
from idverify.formats.claims_json import claims_digest
from idverify.services.office import VERIFICATION_SIGNER
from idverify.services.verification_receipts import trust_digest
from idverify.stores import tables
from tests.simulators import credential_world as world
from tests.simulators.holder import asked, holding
from tests.simulators.software_office import SoftwareOffice

VERIFY = "/api/v1/verify"


async def looks(served: SoftwareOffice) -> int:
    """How many there are."""
    return len(await served.office.store.fetch(select(tables.look), {}))


async def digests(served: SoftwareOffice) -> list[bytes]:
    """Those that looks keep."""
    rows: list[Any] = await served.office.store.fetch(select(tables.look), {})
    return [row["receipt_digest"] for row in rows if row["receipt_digest"] is not None]


def said(receipt: str) -> dict[str, Any]:
    """What a receipt says, unverified."""
    read: dict[str, Any] = orjson.loads(jose.read_jws(receipt.encode(), verification_receipt.PROFILE).payload)
    return read


async def test_a_receipt_of_a_presentation(served: SoftwareOffice) -> None:
    """It says who asked, of which document, what was found and on what it rested; the look keeps its digest."""
    held = await holding(served.api)
    request = await asked(served.api, "employer")
    document = held.present(request, ["family_name", "work"])
    body = {
        "document": document,
        "verification_request": request["verification_request"],
        "verification_receipt": True,
    }

    answer = await served.api.ok("POST", VERIFY, "employer", body)

    receipt, office = answer["verification_receipt"], served.office
    verdict, told = verification_receipt.check(receipt.encode(), office.trust, office.clock.now())
    assert (answer["verdict"], verdict.verdict) == ("accept", Outcome.ACCEPT)
    assert told is not None
    assert told["checked_by"] == {"organisation": "Example Employer Ltd", "role": "relying-party", "purpose": "work"}
    assert told["document"]["sha256"] == hashlib.sha256(document.encode()).hexdigest()
    assert told["verdict"] == {name: answer[name] for name in ("verdict", "checks", "next_step")}
    assert told["claims_sha256"] == claims_digest(answer["claims"]).hex()
    assert told["relied_on"]["trust_sha256"] == trust_digest(office.trust).hex()
    (listed,) = office.statuses.kept().values()
    assert told["relied_on"]["status_list"]["sha256"] == hashlib.sha256(listed.token).hexdigest()
    nonce = hashlib.sha256(request["nonce"].encode()).hexdigest()
    assert told["request"] == {"audience": request["audience"], "nonce_sha256": nonce}
    assert await digests(served) == [hashlib.sha256(receipt.encode()).digest()]
    for secret in ("SPECIMEN", request["nonce"], str(answer["claims"]["work"])):
        assert secret not in orjson.dumps(told).decode()


async def test_staff_are_named_by_their_role(served: SoftwareOffice) -> None:
    """A receipt leaves the house: it names the authority, not the officer, even for a document that is none."""
    answer = await served.api.ok("POST", VERIFY, "officer", {"document": "junk", "verification_receipt": True})

    told = said(answer["verification_receipt"])
    assert told["checked_by"] == {"organisation": "Utopia", "role": "officer", "purpose": None}
    assert (told["document"]["type"], told["claims_sha256"], told["request"]) == (None, None, None)
    assert told["relied_on"]["status_list"] is None


async def test_each_of_a_batch_has_its_own(served: SoftwareOffice) -> None:
    """As many receipts as verdicts, each with its look; of what was not looked at there is none."""
    documents = [{"document": "a"}, {"document": "b", "verification_request": "0" * 32}, {"document": "c"}]
    body = {"documents": documents, "verification_receipt": True}

    first, refused, last = (await served.api.ok("POST", VERIFY, "employer", body))["results"]

    receipts = [one["verification_receipt"].encode() for one in (first, last)]
    assert sorted(await digests(served)) == sorted(hashlib.sha256(receipt).digest() for receipt in receipts)
    assert "verification_receipt" not in refused


async def test_nobody_is_given_one_who_did_not_ask(served: SoftwareOffice) -> None:
    """Without the wish nothing is signed, and the look has no digest."""
    answer = await served.api.ok("POST", VERIFY, "employer", {"document": "junk"})

    assert "verification_receipt" not in answer
    assert await digests(served) == []


async def test_without_the_token_there_is_no_receipt_and_no_look(served: SoftwareOffice) -> None:
    """A check that was to have a receipt is not recorded without; one without it goes on."""
    before = await looks(served)
    served.token.away = Unavailable("It was taken away.")

    status, _ = await served.api.call("POST", VERIFY, "employer", {"document": "a", "verification_receipt": True})
    assert (status, await looks(served)) == (503, before)

    assert (await served.api.ok("POST", VERIFY, "employer", {"document": "a"}))["verdict"] == "reject"


def test_a_deployment_that_has_no_key_for_it_says_so(served: SoftwareOffice) -> None:
    """Of an earlier version, until the root's token is there again."""
    keys = served.office.keys
    less = {role: issuer for role, issuer in keys.issuers.items() if role != VERIFICATION_SIGNER}
    with pytest.raises(Unavailable, match=VERIFICATION_SIGNER):
        type(keys)(less, keys.log, keys.receipts).issuer(VERIFICATION_SIGNER)


@pytest.mark.parametrize("way", ["?verification_receipt=1", "?verification_receipt=true"])
async def test_asked_for_in_the_query(served: SoftwareOffice, way: str) -> None:
    """Where the body is the document."""
    url, headers = served.api.deployment.url + VERIFY + way, await served.api.identity("employer")
    async with served.api.session.post(url, data=b"junk", headers={**headers, "Content-Type": "text/plain"}) as got:
        assert said((await got.json())["verification_receipt"])["verdict"]["verdict"] == "reject"
    async with served.api.session.post(
        url + "x", data=b"junk", headers={**headers, "Content-Type": "text/plain"}
    ) as got:
        assert got.status == 400


def relied_on(**changes: Any) -> TrustStore:
    """A store of one issuer that is relied on in terms, some of them changed."""
    root = TrustedRoot(0, None, world.ROOT, "decided by two admins")
    kind = TrustedType(0, None, "mso_mdoc", "urn:example:immigration-status:1")
    whole = {"roots": (root,), "types": (kind,), "base": "https://issuer.example/status", "revoked": frozenset()}
    told = whole | changes
    known = TrustedIssuer("https://issuer.example", "Utopia", (), frozenset(), told["base"])
    issuer = issuer_of_terms(known, told["roots"], told["types"])
    return TrustStore({issuer.key: issuer}, told["revoked"])


def test_another_trust_is_another_digest() -> None:
    """A root, a type, a format, a term of either, where status lists are, or a revocation: each tells."""
    root, kind = relied_on().issuers["https://issuer.example"].root_terms[0], TrustedType(0, None, "dc+sd-jwt", "a")
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"roots": (replace(root, until=9),)},
        {"roots": (replace(root, since=9),)},
        {"roots": (root, replace(root, certificate=world.CHAIN[0]))},
        {"types": (kind,)},
        {"types": (replace(kind, format="mso_mdoc"),)},
        {"types": (replace(kind, until=9),)},
        {"types": (replace(kind, since=9),)},
        {"types": ()},
        {"base": "https://elsewhere.example/status"},
        {"revoked": frozenset({("CN=Utopia", 7)})},
    )

    assert len({trust_digest(relied_on(**change)) for change in changes}) == len(changes)


def test_the_same_trust_is_the_same_digest() -> None:
    """In whatever order it was decided, at whatever time it is looked at, and wherever a root came from."""
    first, second = TrustedType(0, None, "mso_mdoc", "a"), TrustedType(5, None, "mso_mdoc", "b")
    store = relied_on(types=(first, second))
    root = store.issuers["https://issuer.example"].root_terms[0]

    assert trust_digest(store) == trust_digest(relied_on(types=(second, first)))
    assert trust_digest(store) == trust_digest(store.at(1))
    assert trust_digest(relied_on()) == trust_digest(relied_on(roots=(replace(root, origin="a list"),)))
