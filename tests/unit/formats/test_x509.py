"""The certificates and revocation lists that we build, as ``cryptography`` and ``openssl`` see them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from idverify.errors import DocumentError
from idverify.formats import x509, x509_build
from tests.simulators import credential_world as world

DOCUMENT = frozenset({x509.Purpose.DOCUMENT})
SERIAL = (1 << 100) + 2


def crl(*, key: object = None, next_update: int = world.NOW + world.DAY) -> bytes:
    """A list that revokes our leaf."""
    tbs = x509_build.tbs_crl(
        world.ROOT,
        number=7,
        this_update=world.NOW,
        next_update=next_update,
        revoked=[(SERIAL, world.NOW), (5, world.NOW)],
    )
    return x509_build.seal_crl(tbs, world.sign(world.STRANGER_KEY if key == "stranger" else world.ROOT_KEY, tbs))


def test_the_root_is_that_of_annex_b() -> None:
    """ISO/IEC 18013-5 B.1.2: an authority without authorities below, critical where the annex says so."""
    root = cryptography_x509.load_der_x509_certificate(world.ROOT)
    root.verify_directly_issued_by(root)
    critical = {extension.oid._name: extension.critical for extension in root.extensions}
    assert critical == {
        "subjectKeyIdentifier": False,
        "cRLDistributionPoints": False,
        "basicConstraints": True,
        "keyUsage": True,
        "issuerAltName": False,
    }
    basic = root.extensions.get_extension_for_class(cryptography_x509.BasicConstraints).value
    usage = root.extensions.get_extension_for_class(cryptography_x509.KeyUsage).value
    assert (basic.ca, basic.path_length) == (True, 0)
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)


def test_the_signer_is_that_of_annex_b() -> None:
    """ISO/IEC 18013-5 B.1.4: one purpose, critical; named for its issuer; tied to its root."""
    leaf = cryptography_x509.load_der_x509_certificate(world.CHAIN[0])
    leaf.verify_directly_issued_by(cryptography_x509.load_der_x509_certificate(world.ROOT))
    purpose = leaf.extensions.get_extension_for_class(cryptography_x509.ExtendedKeyUsage)
    names = leaf.extensions.get_extension_for_class(cryptography_x509.SubjectAlternativeName).value
    assert purpose.critical
    assert [usage.dotted_string for usage in purpose.value] == ["1.0.18013.5.1.2"]
    assert names.get_values_for_type(cryptography_x509.UniformResourceIdentifier) == [world.ISS]


def test_a_path_is_verified() -> None:
    """The verified leaf says whose key it is, for whom, from when to when."""
    leaf = x509.verify_chain(world.CHAIN, (world.ROOT,), world.NOW, purposes=DOCUMENT)
    assert leaf.public_key.public_numbers() == world.ISSUER_KEY.public_key().public_numbers()
    assert (leaf.san_uris, leaf.serial, leaf.issuer) == ((world.ISS,), SERIAL, "CN=Example Root,C=XU")
    assert (leaf.not_before, leaf.not_after) == (world.NOW - world.DAY, world.NOW + 400 * world.DAY)
    assert leaf.path == {("CN=Example Root,C=XU", SERIAL)}


@pytest.mark.parametrize(
    ("at", "holds"),
    [(-world.DAY - 1, False), (-world.DAY, True), (400 * world.DAY, True), (400 * world.DAY + 1, False)],
)
def test_the_time_is_checked_each_call(at: int, holds: bool) -> None:  # noqa: FBT001 - a column of the table
    """A path that was verified before is still refused outside its window."""
    x509.verify_chain(world.CHAIN, (world.ROOT,), world.NOW, purposes=DOCUMENT)
    if holds:
        assert x509.verify_chain(world.CHAIN, (world.ROOT,), world.NOW + at, purposes=DOCUMENT).serial == SERIAL
        return
    with pytest.raises(DocumentError, match="not valid at this time"):
        x509.verify_chain(world.CHAIN, (world.ROOT,), world.NOW + at, purposes=DOCUMENT)


def test_roots_of_others_do_not_count() -> None:
    """A chain holds under its own root among several, and under no other."""
    other = world.root(world.STRANGER_KEY)
    assert x509.verify_chain(world.CHAIN, (other, world.ROOT), world.NOW, purposes=DOCUMENT).serial == SERIAL
    with pytest.raises(DocumentError) as refused:
        x509.verify_chain(world.CHAIN, (other,), world.NOW, purposes=DOCUMENT)
    assert refused.value.rule == "path"


def test_no_roots_no_trust() -> None:
    """An issuer without roots signs nothing that holds."""
    with pytest.raises(DocumentError) as refused:
        x509.verify_chain(world.CHAIN, (), world.NOW, purposes=DOCUMENT)
    assert refused.value.rule == "path"


@pytest.mark.parametrize("days", [0, 458, 4000])
def test_a_signer_does_not_live_too_long(days: int) -> None:
    """457 days, and never longer than the root; the first day is yesterday."""
    with pytest.raises(DocumentError) as refused:
        world.leaf(days=days - 1)
    assert refused.value.rule == "leaf-lifetime"


def test_a_signer_does_not_outlive_its_root() -> None:
    """A root in its last year signs no certificate that goes on after it."""
    subject = x509_build.Certified(
        "XU", "Late", world.spki(world.ISSUER_KEY), 9, world.NOW + 3600 * world.DAY, world.NOW + 3700 * world.DAY
    )
    with pytest.raises(DocumentError, match="outlive its root"):
        x509_build.tbs_leaf(subject, x509.Purpose.DOCUMENT, world.ROOT, iss=world.ISS, crl_uri=world.CRL_URI)


def test_a_revocation_list_is_read() -> None:
    """What it revokes has the form of the trust store, and a revoked signer is refused."""
    read = x509.read_crl(crl(), world.ROOT)
    assert (read.number, read.this_update, read.next_update) == (7, world.NOW, world.NOW + world.DAY)
    assert read.revoked == {("CN=Example Root,C=XU", SERIAL), ("CN=Example Root,C=XU", 5)}
    expected = x509.SignerExpected(world.ISS, (world.ROOT,), DOCUMENT, read.revoked, world.NOW)
    with pytest.raises(DocumentError) as refused:
        x509.verify_signer(world.CHAIN, expected)
    assert refused.value.rule == "path-not-revoked"


def test_an_empty_revocation_list_is_read() -> None:
    """Nothing revoked is a statement too."""
    tbs = x509_build.tbs_crl(world.ROOT, number=1, this_update=world.NOW, next_update=world.NOW + world.DAY, revoked=[])
    assert x509.read_crl(x509_build.seal_crl(tbs, world.sign(world.ROOT_KEY, tbs)), world.ROOT).revoked == frozenset()


@pytest.mark.parametrize(
    ("der", "rule"),
    [
        (crl(key="stranger"), "crl-signature"),
        (crl()[:-1], "crl"),
        (b"", "crl"),
        (bytes(x509.MAX_CRL + 1), "size"),
    ],
    ids=["another key", "cut", "empty", "too large"],
)
def test_a_forged_revocation_list_is_refused(der: bytes, rule: str) -> None:
    """Another key, damage and excess are refused by name."""
    with pytest.raises(DocumentError) as refused:
        x509.read_crl(der, world.ROOT)
    assert refused.value.rule == rule


def test_a_revocation_list_of_another_authority_is_refused() -> None:
    """A list speaks for its own authority only."""
    with pytest.raises(DocumentError) as refused:
        x509.read_crl(crl(), world.root(name="Another Root"))
    assert refused.value.rule == "crl-signature"


@pytest.mark.parametrize("der", [b"", b"0", world.CHAIN[0][:-1], world.CHAIN[0] + b"0"])
def test_a_broken_certificate_is_refused(der: bytes) -> None:
    """Cut, empty or followed by something: no certificate."""
    with pytest.raises(DocumentError) as refused:
        x509.read_certificate(der)
    assert refused.value.rule == "certificate"


def test_a_certificate_of_the_year_0_is_refused() -> None:
    """A date that no calendar has is found when the certificate is read, not later."""
    late = 253_339_228_800  # the year 9998, written in full digits
    subject = x509_build.Certified("XU", "Late", world.spki(world.ROOT_KEY), 9, late, late + world.DAY)
    tbs = x509_build.tbs_root(subject, uri=world.ISS, crl_uri=world.CRL_URI)
    der = x509_build.seal_certificate(tbs, world.sign(world.ROOT_KEY, tbs))
    with pytest.raises(DocumentError) as refused:
        x509.read_certificate(der.replace(b"9998", b"0000"))
    assert refused.value.rule == "certificate"


def test_a_huge_certificate_is_not_parsed() -> None:
    """The size is capped first."""
    with pytest.raises(DocumentError) as refused:
        x509.read_certificate(bytes(x509.MAX_CERTIFICATE + 1))
    assert refused.value.rule == "size"


LEAF_TBS = x509.read_certificate(world.CHAIN[0]).tbs_certificate_bytes
CRL_TBS = cryptography_x509.load_der_x509_crl(crl()).tbs_certlist_bytes


def changed(der: bytes, signed: bytes, place: int, difference: int) -> bytes:
    """``der`` with one byte of its signed part changed."""
    copy = bytearray(der)
    copy[der.index(signed) + place] ^= difference
    return bytes(copy)


# cryptography warns of what it still parses; the document is refused all the same
@pytest.mark.filterwarnings("ignore:Parsed a serial number", "ignore:Attribute's length")
@given(st.integers(0, len(LEAF_TBS) - 1), st.integers(1, 255))
@example(8, 0x40)  # another version
def test_one_changed_byte_breaks_the_path(place: int, difference: int) -> None:
    """Whichever signed byte of the certificate changes, it is refused, and nothing else happens."""
    forged = changed(world.CHAIN[0], LEAF_TBS, place, difference)
    with pytest.raises(DocumentError):
        x509.verify_chain((forged,), (world.ROOT,), world.NOW, purposes=DOCUMENT)


@pytest.mark.filterwarnings("ignore:Parsed a serial number", "ignore:Attribute's length")
@given(st.integers(0, len(CRL_TBS) - 1), st.integers(1, 255))
def test_one_changed_byte_breaks_the_list(place: int, difference: int) -> None:
    """Whichever signed byte of a revocation list changes, it is refused, and nothing else happens."""
    forged = changed(crl(), CRL_TBS, place, difference)
    with pytest.raises(DocumentError):
        x509.read_crl(forged, world.ROOT)


def test_a_partial_revocation_list_is_refused() -> None:
    """RFC 5280 section 5.2.4: what has changed since another list is not the whole list."""
    authority = x509.read_certificate(world.ROOT)
    partial = (
        cryptography_x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(authority.not_valid_before_utc)
        .next_update(authority.not_valid_after_utc)
        .add_extension(cryptography_x509.CRLNumber(8), critical=False)
        .add_extension(cryptography_x509.DeltaCRLIndicator(7), critical=True)
        .sign(world.ROOT_KEY, hashes.SHA256())
    )
    with pytest.raises(DocumentError, match="must be complete"):
        x509.read_crl(partial.public_bytes(Encoding.DER), world.ROOT)


def test_an_entry_that_must_be_understood_is_refused() -> None:
    """RFC 5280 section 5.3: a list with such an entry tells the status of nobody."""
    authority = x509.read_certificate(world.ROOT)
    another = cryptography_x509.CertificateIssuer([cryptography_x509.DirectoryName(authority.subject)])
    entry = (
        cryptography_x509.RevokedCertificateBuilder()
        .serial_number(5)
        .revocation_date(authority.not_valid_before_utc)
        .add_extension(another, critical=True)
        .build()
    )
    listed = (
        cryptography_x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(authority.not_valid_before_utc)
        .next_update(authority.not_valid_after_utc)
        .add_extension(cryptography_x509.CRLNumber(8), critical=False)
        .add_revoked_certificate(entry)
        .sign(world.ROOT_KEY, hashes.SHA256())
    )
    with pytest.raises(DocumentError, match="must be complete"):
        x509.read_crl(listed.public_bytes(Encoding.DER), world.ROOT)


def test_a_key_that_signs_no_lists_is_refused() -> None:
    """RFC 5280 section 6.3.3 step f: the authority's certificate says what its key may sign."""
    authority = x509.read_certificate(world.ROOT)
    usage = cryptography_x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    without = (
        cryptography_x509.CertificateBuilder()
        .subject_name(authority.subject)
        .issuer_name(authority.subject)
        .public_key(world.ROOT_KEY.public_key())
        .serial_number(9)
        .not_valid_before(authority.not_valid_before_utc)
        .not_valid_after(authority.not_valid_after_utc)
        .add_extension(usage, critical=True)
        .sign(world.ROOT_KEY, hashes.SHA256())
    )
    with pytest.raises(DocumentError) as refused:
        x509.read_crl(crl(), without.public_bytes(Encoding.DER))
    assert refused.value.rule == "crl-key-usage"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
def test_openssl_agrees(tmp_path: Path) -> None:
    """``openssl verify`` accepts root, leaf and list, strictly, and refuses the revoked leaf."""
    files = {name: tmp_path / f"{name}.pem" for name in ("root", "leaf", "crl")}
    for name, der in (("root", world.ROOT), ("leaf", world.CHAIN[0])):
        files[name].write_bytes(cryptography_x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    files["crl"].write_bytes(cryptography_x509.load_der_x509_crl(crl()).public_bytes(Encoding.PEM))
    verify = ["openssl", "verify", "-x509_strict", "-attime", str(world.NOW), "-CAfile", str(files["root"])]
    accepted = subprocess.run([*verify, str(files["leaf"])], capture_output=True, check=False, timeout=30)
    assert accepted.returncode == 0, accepted.stderr
    checking = [*verify, "-crl_check", "-CRLfile", str(files["crl"]), str(files["leaf"])]
    revoked = subprocess.run(checking, capture_output=True, check=False, timeout=30)
    assert b"certificate revoked" in revoked.stderr
