"""Time stamps: what is asked, what is refused and by which failure, and what OpenSSL says of our answers."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from cryptography.hazmat.primitives.serialization import Encoding

from idverify.errors import DocumentError
from idverify.formats import timestamp, x509
from idverify.formats.der import OCTET_STRING, sequence, tlv
from idverify.formats.timestamp import Imprint, Request
from tests.simulators import credential_world as world
from tests.simulators import paper_world as paper

IMPRINT = Imprint("sha256", hashlib.sha256(b"a letter").digest())
SERIAL = (1 << 127) + 5
LEAF = paper.stamp_signer()


def stamped(request: Request) -> bytes:
    """The token for a request."""
    info = timestamp.tst_info(
        request.imprint, policy=timestamp.POLICY, serial=SERIAL, at=world.NOW, nonce=request.nonce
    )
    signature = world.sign(paper.STAMP_KEY, timestamp.to_be_signed(info, LEAF))
    return timestamp.token(info, signature, (LEAF,), certificates=request.certificates)


@pytest.mark.parametrize("arguments", [["-sha256", "-cert"], ["-sha384"], ["-sha512", "-no_nonce", "-cert"]])
def test_openssl_asks_and_verifies(arguments: list[str], tmp_path: Path) -> None:
    """Its request is understood, and the answer holds for it: digest, nonce, policy, certificate and signature."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")

    def openssl(*more: str) -> str:
        run = subprocess.run(["openssl", "ts", *more], cwd=tmp_path, capture_output=True, text=True, check=True)
        return run.stdout

    (tmp_path / "data").write_bytes(b"a letter")
    openssl("-query", "-data", "data", "-out", "asked", *arguments)
    request = timestamp.read_request((tmp_path / "asked").read_bytes())
    assert request.certificates is ("-cert" in arguments)
    (tmp_path / "answer").write_bytes(timestamp.granted(stamped(request)))
    for name, der in (("root", paper.stamp_root()), ("leaf", LEAF)):
        (tmp_path / name).write_bytes(x509.read_certificate(der).public_bytes(Encoding.PEM))
    known = ("-in", "answer", "-CAfile", "root", "-untrusted", "leaf", "-attime", str(world.NOW))
    assert "Verification: OK" in openssl("-verify", "-queryfile", "asked", *known)
    text = openssl("-reply", "-in", "answer", "-text")
    assert f"Policy OID: {timestamp.POLICY}" in text
    assert "Accuracy: 0x01 seconds" in text


def _asked(**changes: Any) -> bytes:
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": IMPRINT.digest}
    return bytes(tsp.TimeStampReq({"version": "v1", "message_imprint": imprint} | changes).dump())


def _imprint(algorithm: str, size: int) -> dict[str, Any]:
    return {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": bytes(size)}


def _deep() -> bytes:
    """Sequences in sequences, for whoever looks inside before refusing."""
    value = b""
    while len(value) < 3000:
        value = sequence(value)
    named = sequence(core.ObjectIdentifier("1.2.3.4").dump(), tlv(OCTET_STRING, value))
    return sequence(GOOD[2:], tlv(0xA0, named))


GOOD = timestamp.query(IMPRINT, nonce=7)
EXTENSION = {"extn_id": "1.2.3.4", "extn_value": core.OctetString(b"\x05\x00")}
HOSTILE = {
    "nothing": (b"", "badDataFormat"),
    "too long": (GOOD + bytes(timestamp.MAX_REQUEST), "badDataFormat"),
    "cut": (GOOD[:-1], "badDataFormat"),
    "bytes after it": (GOOD + b"\x00", "badDataFormat"),
    "another thing": (b"\x04\x02ab", "badDataFormat"),
    "an indefinite length": (b"\x30\x80" + GOOD[2:] + b"\x00\x00", "badDataFormat"),
    "a length in too many bytes": (b"\x30\x81" + GOOD[1:], "badDataFormat"),
    "a default that is written": (
        GOOD.replace(b"\x01\x01\xff", b"\x01\x01\x00"),
        "badDataFormat",
    ),
    "version 2": (GOOD.replace(b"\x02\x01\x01", b"\x02\x01\x02", 1), "badRequest"),
    "an extension of nothing but depth": (_deep(), "unacceptedExtension"),
    "SHA-1": (_asked(message_imprint=_imprint("sha1", 20)), "badAlg"),
    "MD5": (_asked(message_imprint=_imprint("md5", 16)), "badAlg"),
    "an algorithm of nobody's": (_asked(message_imprint=_imprint("1.2.3.4.5", 32)), "badAlg"),
    "a digest of another length": (_asked(message_imprint=_imprint("sha256", 31)), "badDataFormat"),
    "another policy": (_asked(req_policy="1.2.3.4"), "unacceptedPolicy"),
    "an extension": (_asked(extensions=[EXTENSION]), "unacceptedExtension"),
    "a critical extension": (_asked(extensions=[EXTENSION | {"critical": True}]), "unacceptedExtension"),
    "a nonce without end": (_asked(nonce=1 << 600), "badDataFormat"),
    "a nonce below nought": (_asked(nonce=-1), "badDataFormat"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_refused(what: str) -> None:
    """With the failure that RFC 3161 has for it, in an answer that others can read."""
    der, failure = HOSTILE[what]
    with pytest.raises(DocumentError) as refused:
        timestamp.read_request(der)
    assert refused.value.rule == failure

    status = tsp.PKIStatusInfo.load(core.Sequence.load(timestamp.refused(failure, "No."), strict=True)[0].dump())
    assert status["status"].native == "rejection"
    assert status["fail_info"].native == {timestamp.FAILURES[failure]}


def test_every_changed_bit_is_refused_or_is_another_request() -> None:
    """No single bit brings anything but a request or a failure by name."""
    for place in range(len(GOOD) * 8):
        changed = bytearray(GOOD)
        changed[place // 8] ^= 1 << place % 8
        try:
            timestamp.read_request(bytes(changed))
        except DocumentError as refused:
            assert refused.rule in timestamp.FAILURES  # noqa: PT017  what is not refused is a request
    for size in range(len(GOOD)):
        with pytest.raises(DocumentError):
            timestamp.read_request(GOOD[:size])


@pytest.mark.parametrize("null", [False, True])
@pytest.mark.parametrize("nonce", [None, 0, (1 << 512) - 1])
def test_a_token_repeats_what_was_asked(nonce: int | None, null: bool) -> None:  # noqa: FBT001  a parameter
    """The imprint as it was spelled, and the nonce; serial number, time, accuracy and policy are the authority's."""
    imprint = Imprint("sha384", bytes(range(48)), null)
    asked = timestamp.query(imprint, nonce=nonce, policy=timestamp.POLICY)
    request = timestamp.read_request(asked)
    assert request == Request(imprint, nonce, certificates=True)
    said = cms.ContentInfo.load(stamped(request))["content"]["encap_content_info"]["content"].parsed
    wanted = tsp.TimeStampReq.load(asked)["message_imprint"].dump()

    assert said["message_imprint"].dump() == wanted
    assert (said["nonce"].native, said["serial_number"].native) == (nonce, SERIAL)
    assert int(said["gen_time"].native.timestamp()) == world.NOW
    assert said["accuracy"]["seconds"].native == timestamp.ACCURACY_SECONDS
    assert said["policy"].native == timestamp.POLICY


def test_a_signature_that_does_not_hold_makes_no_token() -> None:
    """The token is verified before it leaves."""
    info = timestamp.tst_info(IMPRINT, policy=timestamp.POLICY, serial=1, at=world.NOW)
    with pytest.raises(DocumentError) as refused:
        timestamp.token(info, world.sign(world.STRANGER_KEY, timestamp.to_be_signed(info, LEAF)), (LEAF,))
    assert refused.value.rule == "signature"
