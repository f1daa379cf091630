"""ISO/IEC 18013-5 annex D: the standard's own example, with the clock set into its validity."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.verdict import CheckId, Result
from idverify.errors import DocumentError
from idverify.formats import strict_cbor, x509
from idverify.formats.base import Presented
from idverify.formats.mdoc import device_auth
from idverify.formats.mdoc.credential import Mdoc
from idverify.formats.mdoc.session_transcript import Session, proximity
from idverify.formats.strict_cbor import Encoded
from tests.simulators.recovered_key import authority_keys

AT = int(dt.datetime(2021, 3, 1, tzinfo=dt.UTC).timestamp())
MDL = "org.iso.18013.5.1.mDL"
FORMAT = Mdoc()
Read = Callable[[str], bytes]


@pytest.fixture
def given(third_party: Path) -> Read:
    """A file of the annex, by its name."""
    folder = third_party / "mdoc" / "iso18013-5-annex-d"
    return lambda name: bytes.fromhex("".join((folder / f"{name}.hex").read_text().split()))


@pytest.fixture
def presented(given: Read) -> Presented:
    """The DeviceResponse, read."""
    return FORMAT.read(given("device_response"))


@pytest.fixture
def session(given: Read) -> Session:
    """The reader's side: the transcript built of what was sent, and the reader's ephemeral key."""
    ours = ec.derive_private_key(int.from_bytes(given("ephemeral_reader_key_d"), "big"), ec.SECP256R1())
    return Session(transcript(given), ours)


def transcript(given: Read) -> bytes:
    """What the two devices saw of each other; the handover messages are given in the transcript alone."""
    _, _, handover = cbor2.loads(cbor2.loads(given("session_transcript_bytes")).value)
    engagement = strict_cbor.encode({0: "1.0", 1: [1, Encoded(given("e_device_key_bytes"))]})
    reader_key = cbor2.loads(given("session_establishment"))["eReaderKey"].value
    return proximity(engagement, reader_key, tuple(handover))


def trust(given: Read) -> TrustStore:
    """The authority of the annex: its key is not given, but it is the one that signed and whose identifier is named."""
    leaf = x509.read_certificate(given("ds_cert"))
    named = leaf.extensions.get_extension_for_class(cryptography_x509.AuthorityKeyIdentifier).value.key_identifier
    fits = [
        key
        for key in authority_keys(leaf)
        if cryptography_x509.SubjectKeyIdentifier.from_public_key(key).digest == named
    ]
    (key,) = fits
    root = (
        cryptography_x509.CertificateBuilder()
        .subject_name(leaf.issuer)
        .issuer_name(leaf.issuer)
        .public_key(key)
        .serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2029, 1, 1, tzinfo=dt.UTC))
        .add_extension(cryptography_x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(cryptography_x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_signs_certificates(), critical=True)
        .sign(ec.derive_private_key(1, ec.SECP256R1()), hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    issuer = TrustedIssuer("https://utopia.example", "Utopia", (root,), frozenset({MDL}), "https://utopia.example/")
    return TrustStore({issuer.iss: issuer})


def _signs_certificates() -> cryptography_x509.KeyUsage:
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "digital_signature")
    others = dict.fromkeys((*names, "encipher_only", "decipher_only"), False)
    return cryptography_x509.KeyUsage(**others, key_cert_sign=True, crl_sign=True)


def results(found: Any) -> Mapping[CheckId, Result]:
    """What each check says."""
    return {check.id: check.result for check in found}


def test_the_session_transcript_is_ours_to_build(given: Read) -> None:
    """Of engagement, reader key and handover as they were sent."""
    assert strict_cbor.embed(transcript(given)).encoded == given("session_transcript_bytes")


def test_everything_holds(given: Read, presented: Presented, session: Session) -> None:
    """Chain, signature, digests, type, dates, and the MAC of the device with the reader's key."""
    found = results(FORMAT.check_in_session(presented, trust(given), AT, session))

    assert set(found.values()) == {Result.PASS}
    assert presented.type == MDL
    assert FORMAT.issuer(presented, trust(given)) is not None
    assert presented.claims["org.iso.18013.5.1"]["family_name"] == "Doe"
    assert presented.claims["org.iso.18013.5.1"]["issue_date"] == dt.date(2019, 10, 20)


def test_six_of_six_digests(presented: Presented) -> None:
    """Each element's digest is the one that was signed, over the bytes as received."""
    items, digests = presented.detail.issuer_signed.items, presented.detail.mso.digests

    assert len(items) == 6
    for item in items:
        assert hashlib.sha256(item.encoded).digest() == digests[item.name_space][item.digest_id]


@pytest.mark.parametrize("name", ["family_name", "portrait", "driving_privileges"])
def test_a_changed_element_is_found(given: Read, name: str) -> None:
    """One bit of one value."""
    response = given("device_response")
    value = next(item.value for item in FORMAT.read(response).detail.issuer_signed.items if item.element == name)
    there = cbor2.dumps(value)[-9:] if name != "family_name" else b"Doe"
    changed = response.replace(there, there[:-1] + bytes([there[-1] ^ 1]), 1)
    found = FORMAT.check(FORMAT.read(changed), trust(given), AT, None)

    assert next(check.evidence for check in found if check.result is Result.FAIL) == {"rule": "digests-match"}


def test_another_session_does_not_hold(given: Read, presented: Presented, session: Session) -> None:
    """Another transcript, another reader's key, or none: the MAC proves nothing."""
    stranger = ec.derive_private_key(7, ec.SECP256R1())
    for other, rule in (
        (Session(session.transcript + b"\x00", session.reader_key), "device-mac"),
        (Session(session.transcript, stranger), "device-mac"),
        (Session(session.transcript), "device-mac-unasked"),
    ):
        checks = {check.id: check for check in FORMAT.check_in_session(presented, trust(given), AT, other)}
        assert checks[CheckId.HOLDER_BINDING].evidence == {"rule": rule}
        assert checks[CheckId.AUDIENCE].result is Result.UNKNOWN


def test_either_side_finds_the_same_key(given: Read, presented: Presented, session: Session) -> None:
    """The device's half of the agreement, with its own static key."""
    device = ec.derive_private_key(int.from_bytes(given("static_device_key_d"), "big"), ec.SECP256R1())
    assert session.reader_key is not None
    ours = device_auth.mac_key(session.reader_key, device.public_key(), session.transcript)

    assert ours == device_auth.mac_key(device, session.reader_key.public_key(), session.transcript)


def test_today_it_has_expired(given: Read, presented: Presented) -> None:
    """Its certificate first of all; and the document too."""
    today = int(dt.datetime(2026, 9, 21, tzinfo=dt.UTC).timestamp())
    checks = {check.id: check for check in FORMAT.check(presented, trust(given), today, None)}

    assert checks[CheckId.ISSUER_TRUSTED].evidence == {"rule": "path-validity"}
    assert checks[CheckId.VALIDITY].result is Result.UNKNOWN


def test_without_its_authority_it_is_refused_by_name(presented: Presented) -> None:
    """Whoever reads the verdict learns which authority is not relied on."""
    checks = {check.id: check for check in FORMAT.check(presented, TrustStore({}), AT, None)}

    assert checks[CheckId.ISSUER_TRUSTED].evidence == {"rule": "issuer-known"}
    assert "CN=utopia iaca" in checks[CheckId.ISSUER_TRUSTED].detail


def test_structures_of_isomdl(third_party: Path, given: Read) -> None:
    """Its transcript is ours to build too; of its documents one holds, and one has an element that was not signed."""
    folder = third_party / "mdoc" / "isomdl" / "definitions"

    def there(name: str) -> bytes:
        return bytes.fromhex("".join((folder / name).read_text().split()))

    embedded = strict_cbor.decode(there("session/session_transcript.cbor"), "The transcript")
    engagement, reader_key, handover = strict_cbor.decode(embedded.content, "The transcript")
    nfc = None if handover is None else tuple(handover)
    assert proximity(engagement.content, reader_key.content, nfc) == embedded.content
    whole = results(FORMAT.check(FORMAT.read(there("issuer_signed.cbor")), trust(given), AT, None))
    assert Result.FAIL not in whole.values()
    assert whole[CheckId.VALIDITY] is Result.PASS
    changed = list(FORMAT.check(FORMAT.read(there("issuer_signed_dehydrated.cbor")), trust(given), AT, None))
    assert [check.evidence for check in changed if check.result is Result.FAIL] == [{"rule": "digests-match"}]
    for name, rule in (("device_response.cbor", "cbor-tag"), ("namespaced_data.cbor", "response-version")):
        with pytest.raises(DocumentError) as refused:
            FORMAT.read(there(name))
        assert refused.value.rule == rule
