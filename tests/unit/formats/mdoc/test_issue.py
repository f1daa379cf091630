"""What is issued: by the profile of GOV.UK Wallet to the byte, and telling nothing of what it does not show."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from dataclasses import replace
from typing import Any

import cbor2
import pytest

from idverify.core.credential import Issuer
from idverify.formats import jose, x509
from idverify.formats.mdoc.mobile_security_object import whole_days
from tests.simulators import credential_world as world
from tests.simulators import mdoc_world as mdoc


@pytest.fixture
def issued() -> dict[str, Any]:
    """An IssuerSigned, decoded by cbor2 alone."""
    decoded: dict[str, Any] = cbor2.loads(mdoc.issue())
    return decoded


def signed_object(issued: dict[str, Any]) -> dict[str, Any]:
    """Its mobile security object."""
    embedded = cbor2.loads(issued["issuerAuth"][2])
    assert embedded.tag == 24
    decoded: dict[str, Any] = cbor2.loads(embedded.value)
    return decoded


def test_headers_are_those_of_the_profile(issued: dict[str, Any]) -> None:
    """The protected header is ``{1: -7}``, the unprotected ``{33: one certificate}``, and nothing else."""
    protected, unprotected, _, signature = issued["issuerAuth"]

    assert protected == bytes.fromhex("a10126")
    assert unprotected == {33: world.CHAIN[0]}
    assert len(signature) == 64


def test_the_object_is_that_of_the_profile(issued: dict[str, Any]) -> None:
    """Every member that GOV.UK Wallet asks for, and the device's key of exactly four."""
    said = signed_object(issued)

    assert said["version"] == "1.0"
    assert said["digestAlgorithm"] == "SHA-256"
    assert said["docType"] == mdoc.DOC_TYPE
    assert list(said["deviceKeyInfo"]["deviceKey"]) == [1, -1, -2, -3]
    assert said["deviceKeyInfo"]["keyAuthorizations"] == {"nameSpaces": [mdoc.GB, mdoc.ISO]}
    assert said["status"] == {"status_list": {"idx": 5, "uri": world.STATUS_URI}}
    assert said["validityInfo"].keys() == {"signed", "validFrom", "validUntil"}
    assert said["validityInfo"]["signed"] <= said["validityInfo"]["validFrom"] < said["validityInfo"]["validUntil"]


def test_only_where_the_profile_demands_it_may_a_device_say_anything() -> None:
    """A type of our own authorises nothing."""
    document = mdoc.issue(mdoc.credential({"org.example": {"a": 1}}, "org.example.status"))

    assert signed_object(cbor2.loads(document))["deviceKeyInfo"].keys() == {"deviceKey"}


def test_days_are_tagged_as_days(issued: dict[str, Any]) -> None:
    """A full-date is tag 1004, a moment tag 0 (ISO/IEC 18013-5 8.3.1)."""
    birth = next(
        item.value
        for item in issued["nameSpaces"][mdoc.ISO]
        if cbor2.loads(item.value)["elementIdentifier"] == "birth_date"
    )

    assert birth.endswith(bytes.fromhex("d903ec6a") + b"1990-01-31")
    assert b"\xc0\x74" in cbor2.loads(issued["issuerAuth"][2]).value


def test_numbers_and_salts_tell_nothing() -> None:
    """With real entropy no number and no salt comes twice, and the order of the digests is not that of the elements."""
    numbers, salts, first = Counter[int](), Counter[bytes](), Counter[int]()
    for _ in range(40):
        unsigned = mdoc.FORMAT.prepare(mdoc.credential(), world.ISSUER, os.urandom)
        sealed = mdoc.FORMAT.seal(unsigned, bytes(64))
        assert isinstance(sealed, bytes)
        issued = cbor2.loads(sealed)
        items = [cbor2.loads(item.value) for item in issued["nameSpaces"][mdoc.ISO]]
        numbers.update(item["digestID"] for item in items)
        salts.update(item["random"] for item in items)
        digests = list(signed_object(issued)["valueDigests"][mdoc.ISO])
        assert digests == sorted(digests)
        first[digests.index(items[0]["digestID"])] += 1

    assert salts.most_common(1)[0][1] == 1
    assert all(len(salt) == 16 for salt in salts)
    assert max(numbers) > 2**30
    assert len(numbers) > 40 * 12 - 5
    assert len(first) > 5


@pytest.mark.parametrize(
    ("issued_at", "expires_at", "certified_from", "days"),
    [
        (
            "2026-09-21T14:03:05",
            "2026-12-20T14:03:05",
            "2026-01-01T00:00:00",
            ("2026-09-21T00:00:00", "2026-12-19T23:59:59"),
        ),
        (
            "2026-09-21T00:00:00",
            "2026-12-20T23:59:59",
            "2026-01-01T00:00:00",
            ("2026-09-21T00:00:00", "2026-12-20T23:59:59"),
        ),
        (
            "2026-09-21T00:00:00",
            "2026-12-20T00:00:00",
            "2026-09-21T09:30:00",
            ("2026-09-21T09:30:00", "2026-12-19T23:59:59"),
        ),
        (
            "2026-09-21T00:00:00",
            "2026-09-21T18:00:00",
            "2026-01-01T00:00:00",
            ("2026-09-21T00:00:00", "2026-09-21T18:00:00"),
        ),
    ],
)
def test_times_do_not_tell_copies_apart(
    issued_at: str, expires_at: str, certified_from: str, days: tuple[str, str]
) -> None:
    """Whole days, but never past the end, nor before the signer was certified."""
    seconds = [
        int(dt.datetime.fromisoformat(f"{at}+00:00").timestamp()) for at in (issued_at, expires_at, certified_from)
    ]
    due = tuple(int(dt.datetime.fromisoformat(f"{at}+00:00").timestamp()) for at in days)

    assert whole_days(*seconds) == due


def test_what_must_not_be_issued() -> None:
    """Nothing to say, a chain that is not the root's own, a certificate that ends before the document."""
    whole, entropy = mdoc.credential(), world.entropy()
    for claims in ({}, {mdoc.ISO: {}}):
        with pytest.raises(ValueError, match="at least one"):
            mdoc.FORMAT.prepare(mdoc.credential(claims), world.ISSUER, entropy)
    with pytest.raises(ValueError, match="by the root itself"):
        mdoc.FORMAT.prepare(whole, Issuer(world.ISS, (*world.CHAIN, world.ROOT), b""), entropy)
    late = replace(whole, expires_at=x509.not_after(world.CHAIN[0]) + 1)
    with pytest.raises(ValueError, match="renew it first"):
        mdoc.FORMAT.prepare(late, world.ISSUER, entropy)


def test_what_is_read_again_is_what_was_said() -> None:
    """Claims, type, status, holder's key and issuer; raw or in base64url."""
    document = mdoc.issue()
    for spelled in (document, jose.b64url_encode(document).encode()):
        presented = mdoc.FORMAT.read(spelled)
        assert presented.claims == mdoc.CLAIMS
        assert presented.type == mdoc.DOC_TYPE
        assert presented.iss == world.ISS
        assert presented.status == mdoc.credential().status
        assert presented.holder_key == jose.public_jwk(world.HOLDER_KEY.public_key())
        assert presented.signing_chain == world.CHAIN


def test_the_ledger_covers_what_the_issuer_signed() -> None:
    """However a wallet encodes what is around it: the bytes that were prepared are those that are read again."""
    unsigned = mdoc.FORMAT.prepare(mdoc.credential(), world.ISSUER, world.entropy())
    document = mdoc.issue()

    assert mdoc.FORMAT.read(document).issuer_signed == unsigned.payload
    assert mdoc.FORMAT.read(mdoc.present(document, [])).issuer_signed == unsigned.payload
