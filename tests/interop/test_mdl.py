"""mdocs of ours in somebody else's wallet and verifier, and theirs in ours: @auth0/mdl, run by Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives.serialization import Encoding

from idverify.core.verdict import CheckId, Result
from idverify.errors import DocumentError
from idverify.formats import cose, jose
from idverify.formats.mdoc import device_auth, device_response
from idverify.formats.mdoc.session_transcript import Session, of_request, proximity
from idverify.formats.strict_cbor import embed, encode
from tests.corpus.layout import load
from tests.simulators import credential_world as world
from tests.simulators import mdoc_world as mdoc

HERE = Path(__file__).parent
NODE = shutil.which("node") or shutil.which("node", path=HERE.parents[1] / ".venv" / "bin")
ROOT_PEM = cryptography_x509.load_der_x509_certificate(world.ROOT).public_bytes(Encoding.PEM).decode()
TRANSCRIPT = of_request(mdoc.ASKED)
WISHES = [(mdoc.ISO, "family_name"), (mdoc.ISO, "portrait"), (mdoc.ISO, "birth_date"), (mdoc.GB, "title")]

pytestmark = pytest.mark.skipif(
    NODE is None or not (HERE / "node_modules" / "@auth0").is_dir(), reason="npm's packages for tests are not installed"
)


def theirs(command: str, **asked: Any) -> Any:
    """What they answer."""
    text = json.dumps({"command": command, "at": world.NOW, **asked})
    done = subprocess.run(
        [str(NODE), str(HERE / "mdl.mjs")], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def presented_by_them(transcript: bytes = TRANSCRIPT, **more: Any) -> bytes:
    """A DeviceResponse that their wallet makes of our IssuerSigned."""
    secret = world.HOLDER_KEY.private_numbers().private_value.to_bytes(32, "big")
    key = jose.public_jwk(world.HOLDER_KEY.public_key()) | {"d": jose.b64url_encode(secret), "kid": "device"}
    answer = theirs(
        "present",
        issuerSigned=mdoc.issue().hex(),
        docType=mdoc.DOC_TYPE,
        wishes=WISHES,
        transcriptBytes=embed(transcript).encoded.hex(),
        deviceKey=key,
        **more,
    )
    return bytes.fromhex(answer["response"])


def accepted_by_them(response: bytes, transcript: bytes = TRANSCRIPT, **more: Any) -> list[str]:
    """The checks that fail in their verifier."""
    spelled = embed(transcript).encoded.hex()
    answer = theirs("verify", response=response.hex(), roots=[ROOT_PEM], transcriptBytes=spelled, **more)
    assert answer["checks"] or "refused" in answer
    failed = [check["check"] for check in answer["checks"] if check["status"] != "PASSED"]
    return failed + ([answer["refused"]] if "refused" in answer and not failed else [])


def test_they_accept_what_our_wallet_presents() -> None:
    """Issuer's chain, digests and device's signature: no check fails."""
    assert accepted_by_them(mdoc.present(mdoc.issue(), WISHES)) == []


def test_we_accept_what_their_wallet_presents() -> None:
    """Made of our document for our request; every check passes, though their CBOR spells lengths otherwise."""
    response = presented_by_them()
    presented = mdoc.FORMAT.read(response)
    found = mdoc.FORMAT.check(presented, mdoc.TRUST, world.NOW, mdoc.ASKED)

    assert {check.result for check in found} == {Result.PASS}
    assert {(space, name) for space, names in presented.claims.items() for name in names} == set(WISHES)
    assert presented.claims[mdoc.ISO]["birth_date"] == mdoc.CLAIMS[mdoc.ISO]["birth_date"]
    unsigned = mdoc.FORMAT.prepare(mdoc.credential(), world.ISSUER, world.entropy())
    assert presented.issuer_signed == unsigned.payload


def test_both_refuse_what_was_made_for_another_request() -> None:
    """Theirs in ours, ours in theirs."""
    other = of_request(mdoc.ASKED)
    elsewhere = proximity(b"\x01", b"\x02")
    checks = mdoc.FORMAT.check_in_session(
        mdoc.FORMAT.read(presented_by_them(elsewhere)), mdoc.TRUST, world.NOW, Session(other)
    )
    binding = next(check for check in checks if check.id is CheckId.HOLDER_BINDING)

    assert binding.evidence == {"rule": "device-signature"}
    assert accepted_by_them(mdoc.present(mdoc.issue(), WISHES), elsewhere) == ["Device signature must be valid"]


def test_macs_go_both_ways() -> None:
    """With the ephemeral key of the reader."""
    reader = world.private_key(77)
    public = cose.cose_key(jose.public_jwk(reader.public_key()))
    transcript = proximity(encode({0: "1.0"}), encode(public))
    response = presented_by_them(transcript, readerKey=encode(public).hex())
    session = Session(transcript, reader)
    found = mdoc.FORMAT.check_in_session(mdoc.FORMAT.read(response), mdoc.TRUST, world.NOW, session)
    assert {check.result for check in found} == {Result.PASS}

    covered = device_auth.device_authentication(transcript, mdoc.DOC_TYPE, embed(b"\xa0"))
    key = device_auth.mac_key(world.HOLDER_KEY, reader.public_key(), transcript)
    protected = encode({cose.ALG: cose.HMAC_256_256})
    mac = [protected, {}, None, cose.mac(protected, covered, key)]
    ours = mdoc.response(mdoc.issue(), {"nameSpaces": embed(b"\xa0"), "deviceAuth": {"deviceMac": mac}})
    secret = public | {-4: reader.private_numbers().private_value.to_bytes(32, "big")}
    assert accepted_by_them(ours, transcript, readerKey=encode(secret).hex()) == []


def differing() -> Iterable[Any]:
    """The hostile documents that are a DeviceResponse which they may well judge: signed things that do not hold."""
    judged = (
        "signature",
        "elements-listed",
        "digests-match",
        "doc-type-matches",
        "device-signature",
        "path",
        "not-expired",
    )
    for case in load("mdoc"):
        # They take any path that leads to the root, whatever a certificate on it says must be understood.
        path_taken = case.name in {"the root along", "an extension that must be understood"}
        if case.breaks and case.breaks.name in judged and case.document[:1] == b"\xa3" and not path_taken:
            yield pytest.param(case, id=f"{case.breaks.name}: {case.name}")


@pytest.mark.parametrize("case", list(differing()))
def test_they_refuse_what_we_refuse(case: Any) -> None:
    """A second opinion, with a second decoder."""
    assert accepted_by_them(case.document) != []


def test_what_their_wallet_cannot_read_ours_refuses() -> None:
    """A document that is cut off."""
    with pytest.raises(DocumentError):
        device_response.prepare(mdoc.issue()[:-1], WISHES, TRANSCRIPT)
