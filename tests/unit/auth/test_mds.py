"""FIDO's metadata: who may sign it, and what is read of it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from idverify.auth import mds
from idverify.auth.mds_status import StatusReport
from idverify.errors import DocumentError
from tests.simulators import authenticator as sim
from tests.simulators.makers import AT_TIME, ROOT
from tests.vectors.make_attestation_vectors import base_payload, blob, load, signer

EXAMPLE = Path(__file__).resolve().parents[4] / "shared" / "vectors" / "fido2" / "python-fido2" / "mds3-example.json"
CASES = load("mds")
ANCHORS = (ROOT.certificate,)


def broken_rule(case: dict[str, Any]) -> str | None:
    """The rule that refuses a case."""
    anchors = tuple(bytes.fromhex(anchor) for anchor in case["anchors"])
    try:
        mds.require_newer(mds.read_blob(case["blob"].encode(), anchors, AT_TIME), case["held"])
    except DocumentError as refused:
        return refused.rule
    return None


def read(**changes: Any) -> mds.Metadata:
    return mds.read_blob(blob(**changes).encode(), ANCHORS, AT_TIME)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_vector(case: dict[str, Any]) -> None:
    """A BLOB is taken, or refused by the rule that its vector names."""
    assert broken_rule(case) == case["breaks"]


@pytest.mark.parametrize("rule", [*(rule.__name__ for rule in mds.RULES), "number"])
def test_rule_knockout(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, every BLOB that the rule refused gets through."""
    refused = [case for case in CASES if case["breaks"] == f"mds-{rule}".replace("_", "-")]
    monkeypatch.setattr(mds, "RULES", tuple(other for other in mds.RULES if other.__name__ != rule))
    if rule == "number":
        monkeypatch.setattr(mds, "require_newer", lambda *_: None)

    assert [broken_rule(case) for case in refused] == [None] * len(refused)
    assert refused, f"nothing shows what {rule} is for"


def test_what_is_read() -> None:
    """Number, the end of the day of the next update, and each model by its id."""
    key = bytes(range(20))
    u2f = {"attestationCertificateKeyIdentifiers": [key.hex()], "statusReports": [{"status": "REVOKED"}]}
    uaf = {"aaid": "0001#0001", "statusReports": [{"status": "FIDO_CERTIFIED"}]}
    entries = [*json.loads(base_payload())["entries"], u2f, uaf]
    metadata = read(entries=entries)
    day = datetime(2025, 1, 1, tzinfo=UTC)

    assert (metadata.number, metadata.next_update) == (7, int(datetime(2026, 7, 2, tzinfo=UTC).timestamp()))
    assert metadata.models == {
        sim.AAGUID: mds.Entry("Maker's key", ANCHORS, (StatusReport("FIDO_CERTIFIED_L1", int(day.timestamp())),)),
        key: mds.Entry("", (), (StatusReport("REVOKED"),)),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"statusReports": ...},
        {"statusReports": [1]},
        {"statusReports": [{"status": 1}]},
        {"statusReports": [{"status": "REVOKED", "effectiveDate": "yesterday"}]},
        {"metadataStatement": []},
        {"metadataStatement": {"attestationRootCertificates": ["!"]}},
        {"metadataStatement": {"attestationRootCertificates": 1}},
    ],
)
def test_an_entry_that_cannot_be_read(changes: dict[str, Any]) -> None:
    """It costs no other entry; its model is known, and not trusted."""
    entry = sim.changed(json.loads(base_payload())["entries"][0], changes)

    assert read(entries=[entry]).models == {sim.AAGUID: mds.Entry("", (), (StatusReport("UNREADABLE"),))}


def test_a_root_that_cannot_be_read() -> None:
    """Nobody is trusted by it, and the others stand; line breaks in one are no reason."""
    whole = base64.b64encode(ROOT.certificate).decode()
    entry = json.loads(base_payload())["entries"][0]
    entry["metadataStatement"]["attestationRootCertificates"] = ["AAAA", f"{whole[:76]}\r\n{whole[76:]}"]

    assert read(entries=[entry]).models[sim.AAGUID].roots == ANCHORS


def test_rs256() -> None:
    """What the service itself signs with."""
    key = rsa.generate_private_key(65537, 2048)
    certificate = signer(key=key.public_key())
    message = blob([certificate], header={"alg": "RS256"}).rpartition(".")[0]
    signature = key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
    signed = f"{message}.{sim.text(signature)}\n".encode()

    assert mds.read_blob(signed, ANCHORS, AT_TIME).number == 7


def test_another_host() -> None:
    """Who mirrors the service under a name and a root of their own says so."""
    text = blob([signer("mds.internal.example")]).encode()

    assert mds.read_blob(text, ANCHORS, AT_TIME, host="mds.internal.example").number == 7


def test_staleness() -> None:
    """The grace begins at the end of the day of the next update."""
    metadata = read()
    end = metadata.next_update

    assert [mds.is_stale(metadata, at, 10) for at in (end, end + 10, end + 11)] == [False, False, True]


def test_sizes() -> None:
    """A BLOB of the largest size is looked into; one byte more is refused for its size."""
    for size, said in ((mds.MAX_BLOB, "must have three parts"), (mds.MAX_BLOB + 1, "bytes long")):
        with pytest.raises(DocumentError, match=said) as refused:
            mds.read_blob(b"x" * size, ANCHORS, AT_TIME)
        assert refused.value.rule == "mds-blob"


@pytest.mark.parametrize("part", [0, 1, 2])
def test_changed_blobs(part: int) -> None:
    """Every change to every byte is refused, by an error of the family."""
    parts = blob(entries=[]).split(".")
    for place in range(len(parts[part])):
        for other in ("A", "-", ".", ""):
            changed = parts[part][:place] + other + parts[part][place + 1 :]
            if changed == parts[part]:
                continue
            text = ".".join([*parts[:part], changed, *parts[part + 1 :]])
            with pytest.raises(DocumentError):
                mds.read_blob(text.encode(), ANCHORS, AT_TIME)


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the shared vectors are not beside this checkout")
def test_the_example_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """python-fido2's BLOB, its signature in the spelling of RFC 7518: refused for its signer's name alone."""
    example = json.loads(EXAMPLE.read_text())
    message, _, der = example["blob_b64_or_jwt"].rpartition(".")
    r, s = decode_dss_signature(base64.urlsafe_b64decode(der + "=="))
    text = f"{message}.{sim.text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}".encode()
    root = base64.b64decode(example["root_b64"])
    at = int(datetime(2022, 1, 1, tzinfo=UTC).timestamp())
    with pytest.raises(DocumentError) as refused:
        mds.read_blob(text, (root,), at)
    assert refused.value.rule == "mds-signer-name"

    monkeypatch.setattr(mds, "RULES", tuple(rule for rule in mds.RULES if rule is not mds.signer_name))
    assert mds.read_blob(text, (root,), at).models
