"""Certificates, revocation lists and time stamps signed through `Hsm.sign`, judged by OpenSSL."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from hsm import Algorithm, Hsm
from hsm.algorithms import SCHEMES, SIGNING
from hsm.verify import x509_signature

from .conftest import Prepared, each
from .test_signing import KEYS

NOW: Final = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
POLICY: Final = "1.3.6.1.4.1.32473.1"  # of the arc for examples, RFC 5612
HASHES: Final = {None: None, "sha256": hashes.SHA256(), "sha384": hashes.SHA384()}

Sign = Callable[[bytes], Awaitable[bytes]]


def openssl(directory: Path, *arguments: str) -> str:
    """What OpenSSL says, and whether it is content, on one line."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    run = subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, text=True, check=False)
    return f"{run.returncode} {run.stdout} {run.stderr}"


def signer(hsm: Hsm, algorithm: Algorithm, key: bytes) -> Sign:
    """Signatures as X.509 and CMS carry them."""

    async def sign(tbs: bytes) -> bytes:
        return x509_signature(algorithm, await hsm.sign(key, tbs))

    return sign


async def sealed(algorithm: Algorithm, tbs: bytes, sign: Sign) -> bytes:
    """SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }, of RFC 5280 sections 4.1 and 5.1 alike."""
    identifier = SCHEMES[algorithm].x509
    assert identifier is not None
    content = tbs + identifier + core.OctetBitString(await sign(tbs)).dump()
    return core.Sequence(contents=content).dump()


def throw_away(algorithm: Algorithm, builder: Any) -> Any:
    """Certificate or list signed by a key that is then forgotten: only what is to be signed is wanted."""
    scheme = SCHEMES[algorithm]
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if algorithm is Algorithm.PS256 else None
    return builder.sign(KEYS[algorithm](), HASHES[scheme.hash], rsa_padding=pss)


def certificate(spki: bytes, subject: str, serial: int, extension: x509.ExtensionType) -> x509.CertificateBuilder:
    """From the issuer "root", for a year about `NOW`, with one critical extension."""
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in (subject, "root")]
    public: Any = load_der_public_key(spki)
    year = dt.timedelta(days=180)
    return x509.CertificateBuilder(names[1], names[0], public, serial, NOW - year, NOW + year).add_extension(
        extension, critical=True
    )


async def issue(directory: Path, hsm: Hsm, algorithm: Algorithm, key: bytes) -> None:
    """Files `root`, `leaf`, `revoked` and `crl`, all PEM, signed by one key of the token."""
    spki, sign = await hsm.public_key(key), signer(hsm, algorithm, key)
    stamping = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.TIME_STAMPING])
    for serial, (name, extension) in enumerate(
        [
            ("root", x509.BasicConstraints(ca=True, path_length=None)),
            ("leaf", stamping),
            ("revoked", stamping),
        ],
        start=1,
    ):
        tbs = throw_away(algorithm, certificate(spki, name, serial, extension)).tbs_certificate_bytes
        made = x509.load_der_x509_certificate(await sealed(algorithm, tbs, sign))
        (directory / name).write_bytes(made.public_bytes(Encoding.PEM))
    revoked = x509.RevokedCertificateBuilder(3, NOW).build()
    root = x509.load_pem_x509_certificate((directory / "root").read_bytes())
    listed = x509.CertificateRevocationListBuilder(root.subject, NOW, NOW + dt.timedelta(days=7), [], [revoked])
    tbs = throw_away(algorithm, listed).tbs_certlist_bytes
    made_list = x509.load_der_x509_crl(await sealed(algorithm, tbs, sign))
    (directory / "crl").write_bytes(made_list.public_bytes(Encoding.PEM))


@each(SIGNING)
async def test_openssl_accepts_certificates_and_lists(provided: Prepared, algorithm: Algorithm, tmp_path: Path) -> None:
    """A root, what it issued and its revocation list hold; the certificate on the list does not."""
    async with Hsm(provided.config) as hsm:
        await issue(tmp_path, hsm, algorithm, provided.id(algorithm))
    at = ("-attime", str(int(NOW.timestamp())), "-CAfile", "root", "-CRLfile", "crl", "-crl_check")

    assert openssl(tmp_path, "verify", *at, "leaf").startswith("0 leaf: OK")
    assert "certificate revoked" in openssl(tmp_path, "verify", *at, "revoked")
    assert "verify OK" in openssl(tmp_path, "crl", "-in", "crl", "-CAfile", "root", "-noout")


@each([Algorithm.ES256, Algorithm.ES384])  # OpenSSL 3.0 reads time stamps of no other algorithm of ours
async def test_openssl_accepts_time_stamps(provided: Prepared, algorithm: Algorithm, tmp_path: Path) -> None:
    """Asked by OpenSSL, the answer holds for what was asked and for nothing else (RFC 3161)."""
    async with Hsm(provided.config) as hsm:
        await issue(tmp_path, hsm, algorithm, provided.id(algorithm))
        for name in ("data", "other"):
            (tmp_path / name).write_text(name)
            assert openssl(tmp_path, "ts", "-query", "-data", name, "-sha256", "-cert", "-out", f"{name}.tsq")[0] == "0"
        asked = tsp.TimeStampReq.load((tmp_path / "data.tsq").read_bytes())
        sign = signer(hsm, algorithm, provided.id(algorithm))
        answer = await stamped(asked, (tmp_path / "leaf").read_bytes(), algorithm, sign)
    (tmp_path / "answer").write_bytes(answer)
    known = ("-in", "answer", "-CAfile", "root", "-untrusted", "leaf", "-attime", str(int(NOW.timestamp())))

    assert "Verification: OK" in openssl(tmp_path, "ts", "-verify", "-queryfile", "data.tsq", *known)
    assert "Verification: OK" not in openssl(tmp_path, "ts", "-verify", "-queryfile", "other.tsq", *known)


async def stamped(asked: tsp.TimeStampReq, leaf: bytes, algorithm: Algorithm, sign: Sign) -> bytes:
    """TimeStampResp: granted, with a SignedData over TSTInfo."""
    read = asn1_x509.Certificate.load(x509.load_pem_x509_certificate(leaf).public_bytes(Encoding.DER))
    digest = SCHEMES[algorithm].hash
    assert digest is not None
    info = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": POLICY,
            "message_imprint": asked["message_imprint"],
            "serial_number": 7,
            "gen_time": NOW,
            "nonce": asked["nonce"],
        }
    )
    named = tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(read.dump()).digest()})]})
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["tst_info"]},
            {"type": "message_digest", "values": [hashlib.new(digest, info.dump()).digest()]},
            {"type": "signing_certificate_v2", "values": [named]},
        ]
    )
    signer_info = {
        "version": "v1",
        "sid": {"issuer_and_serial_number": {"issuer": read.issuer, "serial_number": read.serial_number}},
        "digest_algorithm": {"algorithm": digest},
        "signed_attrs": attributes,
        "signature_algorithm": algos.SignedDigestAlgorithm.load(SCHEMES[algorithm].x509),
        "signature": await sign(attributes.dump()),
    }
    signed = {
        "version": "v3",
        "digest_algorithms": [{"algorithm": digest}],
        "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info.dump())},
        "certificates": [read],
        "signer_infos": [signer_info],
    }
    token = {"content_type": "signed_data", "content": cms.SignedData(signed)}
    answer: bytes = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump()
    return answer
