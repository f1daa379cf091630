"""Time stamps: by every algorithm of the table, for what is given, by keys that are certified for nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import new as digest_by
from hashlib import sha256
from typing import Any

import pytest
from asn1crypto import core, tsp
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateBuilder, ExtendedKeyUsage
from cryptography.x509.oid import ExtendedKeyUsageOID

from hsm import Algorithm, HsmPolicy, x509
from hsm.algorithms import SCHEMES, SIGNING
from hsm.entries import Entry
from hsm.lifecycle import DAY
from hsm.time_stamps import QUERY_MAX, RULES, stamped
from hsm.verify import verify_signature

from .test_certify import AT, SUBJECT, Held, _never
from .test_x509 import POLICY

IMPRINT = tsp.MessageImprint({"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": bytes(32)})


def query(**changed: Any) -> bytes:
    """A request for a digest of zeros, with a nonce and the certificate, in DER."""
    whole = {"version": "v1", "message_imprint": IMPRINT, "nonce": 7, "cert_req": True, **changed}
    return bytes(tsp.TimeStampReq({name: value for name, value in whole.items() if value is not None}).dump())


async def certified(held: Held, *, stamping: bool = True, days: int = 90) -> Entry:
    """Its entry, once a CA of the same algorithm has certified it."""
    ca = Held(held.entry.algorithm)
    authority = await ca.as_ca()
    asked = await x509.request(held.entry, SUBJECT, held.sign)
    made = await x509.issued(authority, asked, AT, days, ca.sign, stamping=stamping)
    return held.entry.with_certificate(x509.accept(held.entry, made, x509.certificate_of(authority), AT))


@pytest.mark.parametrize("algorithm", SIGNING)
async def test_every_algorithm_stamps(algorithm: Algorithm) -> None:
    """The signature holds over the attributes, they over the TSTInfo and the certificate, and that over the digest."""
    held = Held(algorithm, "tsa")
    entry = await certified(held)
    answer = tsp.TimeStampResp.load(await stamped(entry, query(), POLICY, AT, held.sign), strict=True)
    assert answer["status"]["status"].native == "granted"
    signed = answer["time_stamp_token"]["content"]
    (signer,) = signed["signer_infos"]
    info = signed["encap_content_info"]["content"]
    attributes = {one["type"].native: one["values"][0] for one in signer["signed_attrs"]}
    (named,) = attributes["signing_certificate_v2"]["certs"]
    (identifier,) = signed["digest_algorithms"]

    assert SCHEMES[algorithm].x509 == signer["signature_algorithm"].dump()
    assert identifier.dump() == signer["digest_algorithm"].dump()
    assert isinstance(identifier["parameters"], core.Void)
    assert identifier["algorithm"].native == (SCHEMES[algorithm].hash or "sha512")
    made = digest_by(identifier["algorithm"].native, info.parsed.dump()).digest()
    assert attributes["message_digest"].native == made
    assert named["cert_hash"].native == sha256(entry.certificate or b"").digest()
    over = signer["signed_attrs"].untag().dump()
    signature = signer["signature"].native
    if algorithm in {Algorithm.ES256, Algorithm.ES384}:
        size = (SCHEMES[algorithm].signature_size or 0) // 2
        signature = b"".join(
            number.native.to_bytes(size) for number in core.SequenceOf.load(signature, spec=core.Integer)
        )
    verify_signature(entry.public_key or b"", over, signature)
    assert signed["certificates"][0].chosen.dump() == entry.certificate


async def test_what_is_said() -> None:
    """Digest and nonce as they were asked, the time as it was given, and a serial number of its own."""
    held = Held(Algorithm.ES256, "tsa")
    entry = await certified(held)
    told = []
    for asked in (query(), query(req_policy=POLICY), query(nonce=None, cert_req=False)):
        answer = tsp.TimeStampResp.load(await stamped(entry, asked, POLICY, AT + DAY, held.sign))
        signed = answer["time_stamp_token"]["content"]
        info = signed["encap_content_info"]["content"].parsed
        told.append((info["nonce"].native, len(signed["certificates"] or ()), info["serial_number"].native))
        assert info["message_imprint"].dump() == IMPRINT.dump()
        assert (info["policy"].native, info["gen_time"].native.timestamp()) == (POLICY, AT + DAY)
    assert [(nonce, certificates) for nonce, certificates, _ in told] == [(7, 1), (7, 1), (None, 0)]
    serials = {serial for *_, serial in told}
    assert len(serials) == 3
    assert max(serials) > 1 << 64


async def test_an_imprint_comes_back_as_it_was_written() -> None:
    """With parameters NULL or without: whoever asked may compare bytes."""
    held = Held(Algorithm.ES256, "tsa")
    entry = await certified(held)
    bare = bytes.fromhex("302f300b0609608648016503040201") + b"\4\x20" + bytes(32)
    answer = await stamped(entry, query(message_imprint=tsp.MessageImprint.load(bare)), POLICY, AT, held.sign)

    assert bare in answer
    assert IMPRINT.dump() not in answer


def imprint(algorithm: str, size: int) -> tsp.MessageImprint:
    """Zeros."""
    return tsp.MessageImprint({"hash_algorithm": {"algorithm": algorithm}, "hashed_message": bytes(size)})


# a digest whose length is written in two bytes where one does
LONG_FORM = bytes.fromhex("3032300d06096086480165030402010500") + b"\4\x81\x20" + bytes(32)
EXTENSION = {"extn_id": "1.2.3.4", "critical": False, "extn_value": b"\5\0"}

REFUSED: Mapping[str, bytes] = {
    "version 1": query(version=2),
    "a digest by sha256, sha384, sha512": query(message_imprint=imprint("sha1", 20)),
    "a digest of its algorithm's length": query(message_imprint=imprint("sha384", 32)),
    "a digest in DER": query(message_imprint=tsp.MessageImprint.load(LONG_FORM)),
    "the policy that is given, or names none": query(req_policy="1.2.3.4"),
    "a nonce from 0 to 2^512 - 1, or none": query(nonce=1 << 512),
    "no extensions": query(extensions=[EXTENSION]),
}


@pytest.mark.parametrize("rule", RULES)
async def test_what_is_not_given(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule refuses, alone, and without a signature; without it the same request is stamped."""
    held = Held(Algorithm.ES256, "tsa")
    entry = await certified(held)
    with pytest.raises(HsmPolicy, match="got another") as refused:
        await stamped(entry, REFUSED[rule], POLICY, AT, _never)
    assert rule in str(refused.value)

    monkeypatch.setattr("hsm.time_stamps.RULES", {name: holds for name, holds in RULES.items() if name != rule})
    await stamped(entry, REFUSED[rule], POLICY, AT, held.sign)


@pytest.mark.parametrize("wrong", [b"", b"\x30\x00", query()[:-1], query() + b"\0", b"\x30\x80" * 1000, b"\xff" * 40])
async def test_what_is_no_request(wrong: bytes) -> None:
    """Nothing, half of one, one with more behind it, and too deep."""
    entry = await certified(Held(Algorithm.ES256, "tsa"))
    with pytest.raises(HsmPolicy, match="Expected"):
        await stamped(entry, wrong, POLICY, AT, _never)


async def test_every_field_is_read_before_anything_is_signed() -> None:
    """A Boolean that is written as one is not may stand anywhere in it."""
    entry = await certified(Held(Algorithm.ES256, "tsa"))
    crafted = query().replace(b"\x01\x01\xff", b"\x21\x01\xff")
    assert crafted != query()
    with pytest.raises(HsmPolicy, match="TimeStampReq"):
        await stamped(entry, crafted, POLICY, AT, _never)


async def test_a_request_has_an_end() -> None:
    """What is longer is not read."""
    entry = await certified(Held(Algorithm.ES256, "tsa"))
    long = query(extensions=[{**EXTENSION, "extn_value": bytes(QUERY_MAX)}])
    with pytest.raises(HsmPolicy, match=f"at most {QUERY_MAX} bytes"):
        await stamped(entry, long, POLICY, AT, _never)


USAGES = {"time": ExtendedKeyUsageOID.TIME_STAMPING, "code": ExtendedKeyUsageOID.CODE_SIGNING}


def certified_for(held: Held, usages: list[str], *, critical: bool) -> Entry:
    """Its entry with a certificate by itself, for these uses."""
    start, end = (datetime.fromtimestamp(at, UTC) for at in (AT - DAY, AT + DAY))
    builder = CertificateBuilder(SUBJECT, SUBJECT, held.key.public_key(), 1, start, end)
    made = builder.add_extension(ExtendedKeyUsage([USAGES[usage] for usage in usages]), critical=critical)
    return held.entry.with_certificate(made.sign(held.key, SHA256()).public_bytes(Encoding.DER))


async def test_who_may_not_stamp() -> None:
    """Without a certificate, with one for other things, with one that has ended; nor is a policy a word."""
    held = Held(Algorithm.ES256, "tsa")
    with pytest.raises(HsmPolicy, match="to have a certificate"):
        await stamped(held.entry, query(), POLICY, AT, _never)
    with pytest.raises(HsmPolicy, match="for time stamps alone"):
        await stamped(await certified(held, stamping=False), query(), POLICY, AT, _never)
    for usages, critical in ((["time", "code"], True), (["time"], False)):
        with pytest.raises(HsmPolicy, match="for time stamps alone"):
            await stamped(certified_for(held, usages, critical=critical), query(), POLICY, AT, _never)
    entry = await certified(held, days=1)
    for at in (AT - DAY, AT + DAY + 1):
        with pytest.raises(HsmPolicy, match="hold now"):
            await stamped(entry, query(), POLICY, at, _never)
    with pytest.raises(HsmPolicy, match="Expected a policy"):
        await stamped(entry, query(), "ours", AT, _never)
