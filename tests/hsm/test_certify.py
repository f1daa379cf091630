"""What a CA on a token signs: with every algorithm of the table, for keys of the table alone; it forgets nothing."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from hsm import Algorithm, HsmPolicy, x509
from hsm.algorithms import SIGNING
from hsm.entries import Entry
from hsm.lifecycle import DAY, Stage
from hsm.revocation import read_list, revoking
from hsm.stand_in import Sign, signed
from hsm.verify import algorithm_of, spki_of

from .test_signing import KEYS, signing_key

AT, SUBJECT = 1_780_000_000, x509.name_of("CN=Documents,C=UT")
OPENSSL_READS = [algorithm for algorithm in SIGNING if not algorithm.startswith("ML-DSA")]  # 3.0 of Debian 12


class Held:
    """A key pair as a token has it, and its entry in an inventory."""

    def __init__(self, algorithm: Algorithm, label: str = "ca") -> None:
        self.key = KEYS[algorithm]()
        public = spki_of(self.key.public_key())
        self._held = signing_key((algorithm, self.key), 0)
        self.entry = Entry(label, label, algorithm, Stage.ACTIVE, id=sha256(public).digest()[:8], public_key=public)

    @property
    def sign(self) -> Sign:
        """As `Hsm.sign` answers."""

        async def sign(message: bytes) -> bytes:
            return self._held.sign(message)

        return sign

    async def as_ca(self, days: int = 1000) -> Entry:
        """With a certificate of its own."""
        made = await x509.self_signed(self.entry, x509.name_of("CN=Root,C=UT"), AT, days, self.sign)
        return self.entry.with_certificate(x509.accept(self.entry, made, made, AT))


def openssl(directory: Path, *arguments: str) -> str:
    """What it says."""
    done = subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("algorithm", SIGNING)
async def test_every_algorithm_certifies(algorithm: Algorithm, tmp_path: Path) -> None:
    """A root, a request, a certificate and a list, each signed as the table says; OpenSSL agrees where it can read."""
    ca, leaf = Held(algorithm), Held(algorithm, "leaf")
    authority = await ca.as_ca()
    asked = await x509.request(leaf.entry, SUBJECT, leaf.sign)
    assert asked.is_signature_valid
    made = await x509.issued(authority, asked, AT, 90, ca.sign)
    root = x509.certificate_of(authority)
    made.verify_directly_issued_by(root)
    crl = await revoking(authority, None, [made.serial_number], AT, 7, ca.sign)
    assert x509.accept(leaf.entry, made, root, AT) == made.public_bytes(Encoding.DER)

    for name, part in {"root": root, "leaf": made, "crl": crl}.items():
        (tmp_path / name).write_bytes(part.public_bytes(Encoding.PEM))
    if algorithm in OPENSSL_READS:
        at = ("verify", "-x509_strict", "-attime", str(AT + DAY), "-CAfile", "root")
        assert "leaf: OK" in openssl(tmp_path, *at, "leaf")
        assert "certificate revoked" in openssl(tmp_path, *at, "-CRLfile", "crl", "-crl_check", "leaf")


async def test_what_a_certificate_may_be_used_for() -> None:
    """A CA signs certificates and lists, and has none below it; what it certifies signs, and certifies nobody."""
    ca, leaf = Held(Algorithm.ES256), Held(Algorithm.ES256, "leaf")
    authority = await ca.as_ca()
    made = await x509.issued(authority, await x509.request(leaf.entry, SUBJECT, leaf.sign), AT, 90, ca.sign)
    told = {}
    for name, certificate in {"ca": x509.certificate_of(authority), "leaf": made}.items():
        usage = certificate.extensions.get_extension_for_class(cryptography_x509.KeyUsage)
        constraints = certificate.extensions.get_extension_for_class(cryptography_x509.BasicConstraints)
        assert usage.critical
        assert constraints.critical
        told[name] = (
            constraints.value,
            (usage.value.digital_signature, usage.value.key_cert_sign, usage.value.crl_sign),
        )
    assert told == {
        "ca": (cryptography_x509.BasicConstraints(ca=True, path_length=0), (False, True, True)),
        "leaf": (cryptography_x509.BasicConstraints(ca=False, path_length=None), (True, False, False)),
    }


def asking(key: Any, subject: str) -> cryptography_x509.CertificateSigningRequest:
    """A request by a key that no token made."""
    name = cryptography_x509.Name.from_rfc4514_string(subject)
    return cryptography_x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())


UNFIT: dict[str, Callable[[], cryptography_x509.CertificateSigningRequest]] = {
    "an RSA key of another size": lambda: asking(rsa.generate_private_key(65537, 2048), "CN=x"),
    "a curve of no use here": lambda: asking(ec.generate_private_key(ec.SECP256K1()), "CN=x"),
    "nobody": lambda: asking(KEYS[Algorithm.ES256](), ""),
    "the CA itself": lambda: asking(KEYS[Algorithm.ES256](), "CN=Root,C=UT"),
}


@pytest.mark.parametrize("unfit", UNFIT)
async def test_whoever_is_not_certified(unfit: str) -> None:
    """A key that none of ours is like, a subject that says nothing or is the CA's: nothing is signed."""
    ca = Held(Algorithm.ES256)
    authority = await ca.as_ca()
    with pytest.raises(HsmPolicy, match=r"another kind or size|subject of its own"):
        await x509.issued(authority, UNFIT[unfit](), AT, 10, _never)


async def test_only_a_ca_certifies() -> None:
    """What it certified is none."""
    ca, leaf = Held(Algorithm.ES256), Held(Algorithm.ES256, "leaf")
    asked = await x509.request(leaf.entry, SUBJECT, leaf.sign)
    made = await x509.issued(await ca.as_ca(), asked, AT, 90, ca.sign)
    entry = leaf.entry.with_certificate(made.public_bytes(Encoding.DER))
    with pytest.raises(HsmPolicy, match="to be a CA by its certificate"):
        await x509.issued(entry, asking(KEYS[Algorithm.ES256](), "CN=x"), AT, 10, _never)


async def _never(_: bytes) -> bytes:
    raise AssertionError("Expected nothing to be signed.")


async def test_a_request_that_proves_nothing() -> None:
    """One bit of its signature is another: whoever asks does not have the key."""
    authority = await Held(Algorithm.ES256).as_ca()
    der = bytearray(asking(KEYS[Algorithm.ES256](), "CN=x").public_bytes(Encoding.DER))
    der[-1] ^= 1
    with pytest.raises(HsmPolicy, match="signed by the key that it is for"):
        await x509.issued(authority, cryptography_x509.load_der_x509_csr(bytes(der)), AT, 10, _never)


def test_sizes_and_curves_outside_the_table_are_none() -> None:
    """So that no certificate of them is accepted, and none of their signatures verified."""
    assert algorithm_of(rsa.generate_private_key(65537, 2048).public_key()) is None
    assert algorithm_of(ec.generate_private_key(ec.SECP521R1()).public_key()) is None


async def test_a_list_forgets_nothing() -> None:
    """The next one has all of the one before and a number that is one more; another CA's is not gone on from."""
    ca, other = Held(Algorithm.ES256), Held(Algorithm.EDDSA, "other")
    authority = await ca.as_ca()
    first = await revoking(authority, None, [7, 9], AT, 7, ca.sign)
    second = await revoking(authority, read_list(first.public_bytes(Encoding.PEM)), [8, 9], AT + DAY, 7, ca.sign)
    assert [entry.serial_number for entry in second] == [7, 8, 9]
    assert [entry.revocation_date_utc.timestamp() for entry in second] == [AT, AT + DAY, AT]
    numbers = [
        made.extensions.get_extension_for_class(cryptography_x509.CRLNumber).value.crl_number
        for made in (first, second)
    ]
    assert numbers == [1, 2]
    assert second.next_update_utc is not None
    assert second.next_update_utc.timestamp() == AT + 8 * DAY

    issuer = second.extensions.get_extension_for_class(cryptography_x509.AuthorityKeyIdentifier).value
    own = x509.certificate_of(authority).extensions.get_extension_for_class(cryptography_x509.SubjectKeyIdentifier)
    assert issuer.key_identifier == own.value.digest

    renamed = await x509.self_signed(ca.entry, x509.name_of("CN=Renamed"), AT, 1000, ca.sign)
    as_renamed = ca.entry.with_certificate(renamed.public_bytes(Encoding.DER))
    for foreign in (
        await revoking(await other.as_ca(), None, [1], AT, 7, other.sign),  # a CA of the same name
        await revoking(as_renamed, None, [1], AT, 7, ca.sign),  # a CA of the same key
    ):
        with pytest.raises(HsmPolicy, match="another's"):
            await revoking(authority, foreign, [], AT, 7, _never)
    for days in (0, x509.DAYS_MAX + 1):
        with pytest.raises(HsmPolicy, match="one day"):
            await revoking(authority, first, [], AT, days, _never)
    with pytest.raises(HsmPolicy, match="in PEM"):
        read_list(b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")


async def test_a_builder_that_makes_another_thing_the_second_time() -> None:
    """The token's signature is over the first: nothing is given out."""
    ca = Held(Algorithm.ES256)
    serials = itertools.count(1)
    public: Any = ca.key.public_key()

    def build(key: Any, digest: Any) -> cryptography_x509.Certificate:
        start, end = (datetime.fromtimestamp(at, UTC) for at in (AT, AT + DAY))
        builder = cryptography_x509.CertificateBuilder(SUBJECT, SUBJECT, public, next(serials), start, end)
        return builder.sign(key, digest)

    with pytest.raises(HsmPolicy, match="the same twice"):
        await signed(spki_of(public), ca.sign, build)
