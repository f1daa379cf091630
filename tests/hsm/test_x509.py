"""Certificates, revocation lists and time stamps by keys of each provider's token, judged by OpenSSL."""

from __future__ import annotations

from pathlib import Path

import pytest
from asn1crypto import tsp
from cryptography.hazmat.primitives.serialization import Encoding

from hsm import Algorithm, Hsm, x509
from hsm.algorithms import SIGNING
from hsm.entries import Entry
from hsm.lifecycle import DAY, Stage
from hsm.revocation import revoking
from hsm.stand_in import Sign
from hsm.time_stamps import stamped

from .conftest import Prepared, each
from .test_certify import AT, openssl

POLICY = "1.3.6.1.4.1.32473.1"  # of the arc for examples, RFC 5612
TIMED = (Algorithm.ES256, Algorithm.ES384)  # OpenSSL 3.0 verifies answers with these
WRAPPED = (*TIMED, Algorithm.PS256)  # and tokens, as CMS, with these


class Issuing:
    """A CA on a token and what it certified for time stamps, both with the one key of this algorithm."""

    def __init__(self, provided: Prepared, algorithm: Algorithm, hsm: Hsm) -> None:
        key = provided.keys[algorithm]
        self._plain = Entry("ca", "ca", algorithm, Stage.ACTIVE, id=key.id, public_key=key.public_key)
        self._hsm, self._key = hsm, key.id

    @property
    def sign(self) -> Sign:
        """By the token."""
        return lambda message: self._hsm.sign(self._key, message)

    async def into(self, directory: Path) -> Entry:
        """Files `root`, `leaf`, `revoked` and `crl`, all PEM; the key of the leaf."""
        made = await x509.self_signed(self._plain, x509.name_of("CN=root"), AT, 1000, self.sign)
        authority = self._plain.with_certificate(made.public_bytes(Encoding.DER))
        files = {"root": made.public_bytes(Encoding.PEM)}
        for name in ("leaf", "revoked"):
            asked = await x509.request(self._plain, x509.name_of(f"CN={name}"), self.sign)
            made = await x509.issued(authority, asked, AT, 100, self.sign, stamping=True)
            files[name] = made.public_bytes(Encoding.PEM)
        crl = await revoking(authority, None, [made.serial_number], AT, 7, self.sign)
        files["crl"] = crl.public_bytes(Encoding.PEM)
        for name, content in files.items():
            (directory / name).write_bytes(content)
        leaf = x509.read_certificate(files["leaf"])
        return self._plain.with_certificate(leaf.public_bytes(Encoding.DER))


@each(SIGNING)
async def test_openssl_accepts_certificates_and_lists(provided: Prepared, algorithm: Algorithm, tmp_path: Path) -> None:
    """A root, what it issued and its revocation list hold; the certificate on the list does not."""
    async with Hsm(provided.config) as hsm:
        await Issuing(provided, algorithm, hsm).into(tmp_path)
    at = ("-attime", str(AT + DAY), "-CAfile", "root", "-CRLfile", "crl", "-crl_check")

    assert "leaf: OK" in openssl(tmp_path, "verify", *at, "leaf")
    assert "certificate revoked" in openssl(tmp_path, "verify", *at, "revoked")
    assert "verify OK" in openssl(tmp_path, "crl", "-in", "crl", "-CAfile", "root", "-noout")


@each(WRAPPED)
async def test_openssl_accepts_time_stamps(provided: Prepared, algorithm: Algorithm, tmp_path: Path) -> None:
    """Asked by OpenSSL, the answer holds for what was asked and for nothing else; the token is CMS (RFC 3161)."""
    async with Hsm(provided.config) as hsm:
        issuing = Issuing(provided, algorithm, hsm)
        leaf = await issuing.into(tmp_path)
        for name in ("data", "other"):
            (tmp_path / name).write_text(name)
            openssl(tmp_path, "ts", "-query", "-data", name, "-sha256", "-cert", "-out", f"{name}.tsq")
        query = (tmp_path / "data.tsq").read_bytes()
        (tmp_path / "answer").write_bytes(await stamped(leaf, query, POLICY, AT, issuing.sign))
    openssl(tmp_path, "ts", "-reply", "-in", "answer", "-token_out", "-out", "token")
    at = ("-CAfile", "root", "-attime", str(AT + DAY))

    cms = ("cms", "-verify", "-cades", "-inform", "DER", "-in", "token", "-purpose", "timestampsign", "-out", "info")
    assert "CAdES Verification successful" in openssl(tmp_path, *cms, *at)
    assert tsp.TSTInfo.load((tmp_path / "info").read_bytes())["gen_time"].native.timestamp() == AT
    told = openssl(tmp_path, "ts", "-verify", "-queryfile", "data.tsq", "-in", "answer", *at)
    assert ("Verification: OK" in told) is (algorithm in TIMED)
    told = openssl(tmp_path, "ts", "-verify", "-queryfile", "other.tsq", "-in", "answer", *at)
    assert "Verification: OK" not in told


@pytest.mark.parametrize("missing", ["leaf", "crl"])
async def test_openssl_notices_another_root(token: Prepared, missing: str, tmp_path: Path) -> None:
    """What it accepts above it accepts for its signature: that of a key of another algorithm is not this root's."""
    async with Hsm(token.config) as hsm:
        await Issuing(token, Algorithm.ES384, hsm).into(tmp_path)
        foreign = (tmp_path / missing).read_bytes()
        await Issuing(token, Algorithm.ES256, hsm).into(tmp_path)
    (tmp_path / missing).write_bytes(foreign)
    at = ("-attime", str(AT + DAY), "-CAfile", "root", "-CRLfile", "crl", "-crl_check")

    assert "leaf: OK" not in openssl(tmp_path, "verify", *at, "leaf")
