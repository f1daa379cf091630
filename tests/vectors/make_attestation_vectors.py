"""Writes ``fido2/attestation.json``, ``trust.json`` and ``mds.json``: what makers of keys say, truly and not.

For each rule of ours there are cases that break it alone, all correctly signed. Run from the root of the project:
``python -m tests.vectors.make_attestation_vectors``. Keys and signatures are fixed: a second run writes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.simulators import authenticator as sim
from tests.simulators import makers
from tests.simulators.authenticator import AT, BE, UP, UV, authenticator_data
from tests.simulators.makers import BATCH, CA, NOT_CA, OTHER, OTHER_ROOT, ROOT, Authority, aaguid_extension, name

FOLDER = Path(__file__).parent / "fido2"
OTHER_AAGUID = bytes(range(16))
DAY = 86_400


@dataclass(frozen=True)
class Statement:
    """A registration. ``breaks`` is the rule that refuses it; one that holds ``proves`` a type of attestation."""

    name: str
    response: dict[str, Any]
    breaks: str | None = None
    proves: str | None = None


@dataclass(frozen=True)
class Trust:
    """A registered key before a policy. ``allow`` is (model, root or none, name); binary members are in hex.

    ``reports`` are those of the key's model, (status, from, until), unless the metadata does not know it (``None``).
    """

    name: str
    response: dict[str, Any]
    breaks: str | None = None
    allow: tuple[tuple[str, str | None, str], ...] = ()
    roots: tuple[str, ...] = ()
    metadata_roots: tuple[str, ...] = ()
    metadata_model: str = sim.AAGUID.hex()
    reports: tuple[tuple[str, int | None, int | None], ...] | None = (("FIDO_CERTIFIED_L1", None, None),)
    next_update: int = makers.AT_TIME + 30 * DAY
    minimum: str | None = "FIDO_CERTIFIED_L1"
    fips: bool = False
    grace: int = 7 * DAY
    registered_at: int | None = None
    other_key: bool = False


@dataclass(frozen=True)
class Blob:
    """A metadata BLOB, its anchors in hex, and the number of the one that is held."""

    name: str
    blob: str
    breaks: str | None = None
    anchors: tuple[str, ...] = field(default=(ROOT.certificate.hex(),))
    held: int | None = 6


def packed_cases() -> Iterator[Statement]:
    """Section 8.2."""
    stranger = sim.elliptic_key("a stranger")
    yield Statement("packed", makers.packed(), proves="basic")
    yield Statement("packed, a chain", makers.packed(chain_of(ROOT.below("CA"))), proves="basic")
    unnamed = makers.batch_certificate(extensions=(NOT_CA,))
    yield Statement("packed, no model named", makers.packed([unnamed]), proves="basic")
    for what, changes in (
        ("another's signature", {"signer": stranger}),
        ("a signature of other data", {"message": makers.said_by()}),
        ("ES384 with a key of P-256", {"alg": -35}),
        ("EdDSA with a key of P-256", {"alg": -8}),
        ("RS256 with a key of P-256", {"alg": -257}),
        ("no signature", {"sig": b""}),
    ):
        yield Statement(f"packed: {what}", makers.packed(**changes), "packed-signature")  # type: ignore[arg-type]
    for what, extensions, breaks in (
        ("an authority's certificate", (CA, aaguid_extension()), "certificate-not-ca"),
        ("nothing about authority", (aaguid_extension(),), "certificate-not-ca"),
        ("another model named", (NOT_CA, aaguid_extension(OTHER_AAGUID)), "certificate-aaguid"),
        ("a critical model", (NOT_CA, aaguid_extension(critical=True)), "certificate-aaguid"),
        ("a model not wrapped", (NOT_CA, makers.unknown(makers.AAGUID_EXTENSION, sim.AAGUID)), "certificate-aaguid"),
    ):
        certificate = makers.batch_certificate(extensions=extensions)
        yield Statement(f"packed: {what}", makers.packed([certificate]), f"packed-{breaks}")
    old = makers.version_1(makers.batch_certificate(), ROOT)
    yield Statement("packed: version 1", makers.packed([old]), "packed-certificate-version")
    unit = "Authenticator Attestation"
    for what, subject in (
        ("another unit", name(C="GB", O="Maker", OU="Authenticators", CN="x")),
        ("no country", name(O="Maker", OU=unit, CN="x")),
        ("no organisation", name(C="GB", OU=unit, CN="x")),
        ("no name", name(C="GB", O="Maker", OU=unit)),
        ("a country that is none", name(C="44", O="Maker", OU=unit, CN="x")),
        ("nobody", name()),
    ):
        certificate = makers.batch_certificate(subject=subject)
        yield Statement(f"packed: {what}", makers.packed([certificate]), "packed-certificate-subject")
    yield Statement("packed, self", makers.packed_self(), proves="self")
    yield Statement("packed, self: another's signature", makers.packed_self(signer=stranger), "packed-self-signature")
    yield Statement("packed, self: another algorithm", makers.packed_self(alg=-257), "packed-self-algorithm")


def chain_of(*authorities: Authority) -> list[bytes]:
    """A batch certificate by the last of ``authorities``, and theirs."""
    return [makers.batch_certificate(authorities[-1]), *(above.certificate for above in reversed(authorities))]


def u2f_cases() -> Iterator[Statement]:
    """Section 8.6."""
    wide = sim.Authenticator(sim.elliptic_key("384", ec.SECP384R1()))
    yield Statement("fido-u2f", makers.fido_u2f(), proves="basic")
    yield Statement("fido-u2f, an AAGUID that nobody signed", makers.fido_u2f(aaguid=sim.AAGUID), proves="basic")
    yield Statement("fido-u2f: other client data", makers.fido_u2f(client_hash=bytes(32)), "fido-u2f-signature")
    yield Statement("fido-u2f: a key of P-384", makers.fido_u2f(key=wide), "fido-u2f-credential-key")
    ed25519 = ROOT.certify(makers.BATCH_NAME, sim.edwards_key("edwards").public_key())
    for what, more in (("its user was verified", UV), ("it may be backed up", BE)):
        yield Statement(f"fido-u2f: {what}", makers.fido_u2f(flags=UP | AT | more), "fido-u2f-flags")
    yield Statement("fido-u2f: a certificate of Ed25519", makers.fido_u2f([ed25519]), "fido-u2f-signature")


def apple_cases() -> Iterator[Statement]:
    """Section 8.8."""
    middle = ROOT.below("CA")
    yield Statement("apple", makers.apple(), proves="anonca")
    yield Statement("apple, a chain", makers.apple(middle, above=[middle.certificate]), proves="anonca")
    yield Statement("apple: another key", makers.apple(key=OTHER), "apple-credential-key")
    yield Statement("apple: another answer", makers.apple(nonce=b"another"), "apple-nonce")
    yield Statement("apple: no nonce", makers.apple(extensions=(NOT_CA,)), "apple-nonce")


def android_cases() -> Iterator[Statement]:
    """Section 8.4."""
    described, listed = makers.key_description, makers.authorizations
    everybody = makers.der(600, makers.der(0x05))
    yield Statement("android-key", makers.android_key(), proves="basic")
    yield Statement("android-key, software", makers.android_key(described(software=listed(), tee=b"")), proves="basic")
    yield Statement("android-key, silent lists", makers.android_key(described(tee=b"")), proves="basic")
    for what, description, breaks in (
        ("another ceremony", described(bytes(32)), "challenge"),
        ("for all applications", described(tee=listed(more=everybody)), "all-applications"),
        ("for all applications, software", described(software=everybody), "all-applications"),
        ("imported", described(tee=listed(origin=b"\x02")), "origin"),
        ("imported, software", described(software=listed(origin=b"\x02"), tee=b""), "origin"),
        ("decrypts", described(tee=listed(purpose=b"\x01")), "purpose"),
        ("decrypts and signs", described(tee=listed(purpose=b"\x01\x02")), "purpose"),
    ):
        yield Statement(f"android-key: {what}", makers.android_key(description), f"android-key-{breaks}")
    app, middle = makers.key_of_an_app(), ROOT.below("CA")
    chained = makers.android_key(authority=middle, above=[middle.certificate])
    yield Statement("android-key, a chain", chained, proves="basic")
    by_app = makers.android_key(authority=app, above=[app.certificate])
    yield Statement("android-key: certified by an app's key", by_app, "android-key-authorities")
    yield Statement("android-key: another key", makers.android_key(key=OTHER), "android-key-credential-key")
    stranger = makers.android_key(signer=sim.elliptic_key("a stranger"))
    yield Statement("android-key: another's signature", stranger, "android-key-signature")


def tpm_cases() -> Iterator[Statement]:
    """Section 8.3."""
    area = makers.public_area()
    wide = hashlib.sha384(makers.public_area(name_algorithm=0x000C)).digest()
    yield Statement("tpm", makers.tpm(), proves="attca")
    yield Statement("tpm, a key that may leave", makers.tpm(makers.public_area(attributes=0x00040000)), proves="attca")
    info = makers.cert_info(area, tpm_name=b"\x00\x0c" + wide)
    yield Statement(
        "tpm, a name of SHA-384", makers.tpm(makers.public_area(name_algorithm=0x000C), info), proves="attca"
    )
    for what, response, breaks in (
        ("version 1.2", makers.tpm(ver="1.2"), "version"),
        ("another key", makers.tpm(makers.public_area(OTHER)), "public-area"),
        ("no magic", makers.tpm(area, makers.cert_info(area, magic=0)), "magic"),
        ("a quote", makers.tpm(area, makers.cert_info(area, type_=0x8018)), "attest-type"),
        ("another ceremony", makers.tpm(area, makers.cert_info(area, bytes(32))), "extra-data"),
        ("another key certified", makers.tpm(area, makers.cert_info(makers.public_area(OTHER))), "attested-name"),
        ("a name of SHA-1", makers.tpm(makers.public_area(name_algorithm=4)), "attested-name"),
        ("another's signature", makers.tpm(signer=sim.elliptic_key("a stranger")), "signature"),
    ):
        yield Statement(f"tpm: {what}", response, f"tpm-{breaks}")
    not_ca, usage, names = makers.TPM_EXTENSIONS
    web = (x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), False)
    host = (x509.SubjectAlternativeName([x509.DNSName("tpm.example")]), True)
    for what, certificate, breaks in (
        ("version 1", makers.version_1(makers.aik_certificate(), ROOT), "version"),
        ("a subject", makers.aik_certificate(subject=name(CN="x")), "subject"),
        ("no make", makers.aik_certificate((not_ca, usage)), "alternative-name"),
        ("half a make", makers.aik_certificate((not_ca, usage, makers.tpm_names(1, 2))), "alternative-name"),
        ("a host", makers.aik_certificate((not_ca, usage, host)), "alternative-name"),
        ("for web sites", makers.aik_certificate((not_ca, web, names)), "key-usage"),
        ("for everything", makers.aik_certificate((not_ca, names)), "key-usage"),
        ("an authority", makers.aik_certificate((CA, usage, names)), "not-ca"),
        ("another model", makers.aik_certificate((not_ca, usage, names, aaguid_extension(OTHER_AAGUID))), "aaguid"),
    ):
        yield Statement(f"tpm: {what}", makers.tpm(certificate=certificate), f"tpm-certificate-{breaks}")


def shape_cases() -> Iterator[Statement]:
    """Statements that are none of their format, and those of formats that nobody evaluates."""
    yield Statement("none", makers.register("none", {}), proves="none")
    yield Statement("none with a statement", makers.register("none", {"alg": -7}), "none-statement")
    yield Statement("android-safetynet", makers.register("android-safetynet", {"ver": "1"}), proves="unverified")
    yield Statement("a format of the future", makers.register("future", {"x": [1]}), proves="unverified")
    yield Statement("packed with RS1", makers.packed(alg=-65535), proves="unverified")
    good = [makers.packed(), makers.packed_self()]
    yield Statement("compound", makers.compound(*good), proves="basic")
    yield Statement("compound of nothing to trust", makers.compound(good[1], good[1]), proves="unverified")
    wrong = makers.packed(message=b"")
    yield Statement("compound: one is wrong", makers.compound(good[0], wrong), "packed-signature")
    malformed = (
        ("packed as a list", makers.register("packed", [])),
        ("packed with ECDAA", makers.packed(ecdaaKeyId=b"id")),
        ("packed without alg", makers.packed(alg=...)),
        ("packed, alg as text", makers.packed(alg="ES256")),
        ("packed, x5c empty", makers.packed(x5c=[])),
        ("packed, x5c of text", makers.packed(x5c=["certificate"])),
        ("packed, nine certificates", makers.packed(x5c=[makers.batch_certificate()] * 9)),
        ("fido-u2f, two certificates", makers.fido_u2f([makers.batch_certificate()] * 2)),
        ("apple with a signature", makers.register("apple", {"x5c": [b"x"], "sig": b"x"})),
        ("tpm, half a certInfo", makers.tpm(certInfo=b"\xff\x54\x43\x47")),
        ("tpm, bytes after pubArea", makers.tpm(makers.public_area() + b"\x00")),
        ("tpm, a symmetric key", makers.tpm(bytes.fromhex("0025000b00040000000000100010"))),
        ("android-key, nothing described", makers.register("android-key", makers.parts(makers.packed())["attStmt"])),
        ("android-key, seven fields", makers.android_key(makers.key_description(fields=7))),
        ("android-key, no DER", makers.android_key(b"\x30\xff")),
        ("compound of one", makers.compound(good[0])),
        ("compound of itself", makers.compound(makers.register("compound", {}), good[0])),
        ("compound as a map", makers.register("compound", {})),
    )
    for what, response in malformed:
        yield Statement(f"malformed: {what}", response, "attestation-statement")
    for what, certificate in (("no certificate", b"x"), ("a huge one", bytes(9000))):
        yield Statement(f"malformed: {what}", makers.packed([certificate]), "attestation-certificate")


def statements() -> Iterator[Statement]:
    """Section 8, format by format."""
    for cases in (packed_cases, u2f_cases, apple_cases, android_cases, tpm_cases, shape_cases):
        yield from cases()


def listed(root: Authority | None = ROOT, model: bytes = sim.AAGUID) -> tuple[tuple[str, str | None, str], ...]:
    """An allow-list of one model, with one root or any that the metadata names."""
    fingerprint = None if root is None else hashlib.sha256(root.certificate).hexdigest()
    return ((model.hex(), fingerprint, "Maker's key"),)


def trust(what: str, response: dict[str, Any], breaks: str | None = None, **changes: Any) -> Trust:
    """A case whose policy has one root, and metadata that certifies the model."""
    honest = {"allow": listed(), "roots": (ROOT.certificate.hex(),)}
    return Trust(what, response, breaks, **{**honest, **changes})


def trust_path_cases() -> Iterator[Trust]:
    """Who vouches for a model."""
    middle, good = ROOT.below("CA"), makers.packed()
    leaf = makers.batch_certificate()
    yield trust("by a listed root", good)
    yield trust("by an authority below it", makers.packed(chain_of(middle)))
    yield trust("by any root of the metadata", good, allow=listed(None), metadata_roots=(ROOT.certificate.hex(),))
    yield trust(
        "by a certificate that is listed itself",
        good,
        allow=listed(Authority(name(), BATCH, leaf)),
        roots=(leaf.hex(),),
    )
    yield trust(
        "by an authority as anchor",
        makers.packed(chain_of(middle)),
        allow=listed(middle),
        roots=(middle.certificate.hex(),),
    )
    lines = listed(OTHER_ROOT) + listed()
    yield trust("by the second of two roots of a model", good, allow=lines)
    yield trust("without metadata", good, minimum=None, reports=None)
    unlisted = "attestation-untrusted"
    yield trust("self attestation under a trusted model", makers.packed_self(), unlisted)
    yield trust("a format that nobody evaluates", makers.register("future", {}), "attestation-missing")
    yield trust("by another root", good, unlisted, allow=listed(OTHER_ROOT), roots=(OTHER_ROOT.certificate.hex(),))
    both = (ROOT.certificate.hex(), OTHER_ROOT.certificate.hex())
    yield trust("the model of one root by another", good, unlisted, allow=listed(OTHER_ROOT), roots=both)
    yield trust(
        "by a root that the metadata does not name", good, unlisted, allow=listed(None), metadata_roots=both[1:]
    )
    yield trust("by a root of the policy, where the metadata counts", good, unlisted, allow=listed(None))
    for what, chain in bad_paths():
        yield trust(what, makers.packed(chain), unlisted)


def bad_paths() -> Iterator[tuple[str, list[bytes]]]:
    """Certificates that lead to ``ROOT`` in no valid way."""
    impostor = makers.root("Root", "an impostor")
    yield "a root of the same name that came along", [*chain_of(impostor)]
    yield "a root of another name that came along", [*chain_of(OTHER_ROOT)]
    yield "an expired certificate", [makers.batch_certificate(years=(2020, 2025))]
    yield "a certificate of the future", [makers.batch_certificate(years=(2030, 2044))]
    yield "an expired authority", chain_of(ROOT.below("expired", years=(2020, 2025)))
    yield "a device as authority", chain_of(ROOT.below("device", (NOT_CA,)))
    yield "a certificate without constraints as authority", chain_of(ROOT.below("device", ()))
    short: makers.Extension = (x509.BasicConstraints(ca=True, path_length=0), True)
    first = ROOT.below("short", (short,))
    yield "a path that is too long", chain_of(first, first.below("CA"))
    signs: makers.Extension = (x509.KeyUsage(True, *[False] * 8), True)
    yield "an authority that may not certify", chain_of(ROOT.below("signs", (CA, signs)))
    strange = makers.unknown(x509.ObjectIdentifier("2.25.1"), b"\x05\x00", critical=True)
    yield "an authority with something critical that nobody knows", chain_of(ROOT.below("strange", (CA, strange)))
    yield "a certificate with something critical", [makers.batch_certificate(extensions=(NOT_CA, strange))]
    elsewhere: makers.Extension = (x509.NameConstraints([x509.DNSName("elsewhere.example")], None), True)
    bound = ROOT.below("bound", (CA, elsewhere))
    host: makers.Extension = (x509.SubjectAlternativeName([x509.DNSName("maker.example")]), False)
    yield (
        "a name that the authority may not certify",
        [
            bound.certify(makers.BATCH_NAME, BATCH.public_key(), (NOT_CA, host)),
            bound.certificate,
        ],
    )
    yield "the authority is missing", chain_of(ROOT.below("CA"))[:1]
    forged = Authority(ROOT.subject, sim.elliptic_key("a stranger"))
    yield "a forged signature", [makers.batch_certificate(forged)]


def trust_model_cases() -> Iterator[Trust]:
    """Which model it is, and whether the key is that key."""
    good = makers.packed()
    yield trust("no attestation", makers.register("none", {}), "attestation-missing")
    yield trust("another model", good, "aaguid", allow=listed(model=OTHER_AAGUID))
    yield trust("no model at all", good, "aaguid", allow=())
    yield trust("the evidence of another key", good, "attestation-evidence", other_key=True)
    point = BATCH.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    u2f = hashlib.sha1(point).digest()  # noqa: S324 RFC 5280 section 4.2.1.2
    yield trust("U2F by its key", makers.fido_u2f(), allow=listed(model=u2f), metadata_model=u2f.hex())
    yield trust("U2F that writes itself an AAGUID", makers.fido_u2f(aaguid=sim.AAGUID), "aaguid", minimum=None)
    touched = makers.said_by(flags=UP | AT)
    yield trust(
        "the same in a compound",
        makers.compound(makers.fido_u2f(aaguid=sim.AAGUID), makers.packed_self(said=touched), said=touched),
        "aaguid",
        minimum=None,
    )
    yield trust("TPM", makers.tpm())
    yield trust("a TPM's key that may leave", makers.tpm(makers.public_area(attributes=0x00040000)), "key-stays")
    silent = makers.android_key(makers.key_description(software=makers.authorizations(), tee=b""))
    yield trust("Android", makers.android_key())
    yield trust("Android that only software vouches for", silent, "key-stays")
    attested, kept, odd = (
        makers.key_description(attested_by=b"\0"),
        makers.key_description(kept_by=b"\0"),
        makers.key_description(kept_by=b"\3"),
    )
    for what, description in (("attested in software", attested), ("kept in software", kept), ("of no level", odd)):
        yield trust(f"Android {what}", makers.android_key(description), "key-stays")
    yield trust("Apple", makers.apple())
    synced = authenticator_data(UP | UV | AT | BE, tail=makers.KEY.attested())
    yield trust("a passkey that may be backed up", makers.packed(said=synced), "key-stays")


def trust_status_cases() -> Iterator[Trust]:
    """What the metadata says of a model."""
    good, now = makers.packed(), makers.AT_TIME
    certified = ("FIDO_CERTIFIED_L1", None, None)

    def said(what: str, *reports: tuple[str, int | None, int | None], breaks: str | None = None, **more: Any) -> Trust:
        return trust(what, good, breaks, reports=reports, **more)

    for status in (
        "REVOKED",
        "USER_VERIFICATION_BYPASS",
        "USER_KEY_REMOTE_COMPROMISE",
        "USER_KEY_PHYSICAL_COMPROMISE",
        "ATTESTATION_KEY_COMPROMISE",
    ):
        weak = (status, now - DAY, None)
        yield said(f"{status}", certified, weak, breaks="revoked-model")
        yield said(f"{status}, certified again since", weak, certified, breaks="revoked-model")
        yield said(
            f"{status}, of a registered key", certified, weak, breaks="revoked-model", registered_at=now - 9 * DAY
        )
        yield said(f"{status}, which is over", certified, (status, now - 9 * DAY, now - DAY), breaks="revoked-model")
        gone = {"allow": (), "registered_at": now - 9 * DAY}
        yield said(f"{status}, which is on no list any more", certified, weak, breaks="revoked-model", **gone)
        yield said(f"{status}, from tomorrow on", certified, (status, now + DAY, None))
    for status in ("RETIRED", "SOMETHING_NEW"):
        yield said(f"{status}", certified, (status, None, None), breaks="retired-model")
        yield said(f"{status}, of a registered key", certified, (status, None, None), registered_at=now - DAY)
    for status in ("UPDATE_AVAILABLE", "SELF_ASSERTION_SUBMITTED", "NOT_FIDO_CERTIFIED", "FIPS140_CERTIFIED_L1"):
        yield said(f"{status} beside a certification", certified, (status, None, None))
        yield said(f"{status} alone", (status, None, None), breaks="not-certified")
    for status in ("FIDO_CERTIFIED_L1plus", "FIDO_CERTIFIED_L2", "FIDO_CERTIFIED_L3plus"):
        yield said(f"{status} where L1 is enough", (status, None, None))
    yield said("the old certification", ("FIDO_CERTIFIED", None, None), breaks="not-certified")
    yield said("the old certification where it is enough", ("FIDO_CERTIFIED", None, None), minimum="FIDO_CERTIFIED")
    yield said("L1 where L2 is needed", certified, breaks="not-certified", minimum="FIDO_CERTIFIED_L2")
    yield said("a certification from tomorrow on", ("FIDO_CERTIFIED_L1", now + DAY, None), breaks="not-certified")
    yield said("a certification that ended", ("FIDO_CERTIFIED_L1", None, now), breaks="not-certified")
    yield said("no reports", breaks="not-certified")
    yield trust("not in the metadata", good, "not-certified", reports=None)
    yield said("no certification needed", minimum=None)
    yield said("FIPS", certified, ("FIPS140_CERTIFIED_L2", None, None), fips=True)
    yield said("no FIPS", certified, breaks="not-fips", fips=True)
    yield said("FIPS at level 1", certified, ("FIPS140_CERTIFIED_L1", None, None), breaks="not-fips", fips=True)
    stale, late = now - 8 * DAY, now - 7 * DAY
    yield trust("metadata out of date", good, "metadata-stale", next_update=stale)
    yield trust("metadata out of date, within the grace", good, next_update=late)
    yield trust("metadata out of date, a registered key", good, next_update=stale, registered_at=now - DAY)
    old = makers.packed([makers.batch_certificate(years=(2020, 2025))])
    yield trust("a certificate that expired since", old, registered_at=now - 700 * DAY)


def trusts() -> Iterator[Trust]:
    """Whom a role trusts."""
    for cases in (trust_path_cases, trust_model_cases, trust_status_cases):
        yield from cases()


MDS = "mds.fidoalliance.org"


def signer(
    host: str = MDS, authority: Authority = ROOT, years: tuple[int, int] = makers.YEARS, key: Any = None
) -> bytes:
    """A web site's certificate."""
    names: makers.Extension = (x509.SubjectAlternativeName([x509.DNSName(host)]), False)
    return authority.certify(name(CN=host), key or BATCH.public_key(), (NOT_CA, names), years)


def blob(
    chain: list[bytes] | None = None,
    *,
    key: ec.EllipticCurvePrivateKey = BATCH,
    payload: bytes | None = None,
    header: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    """A BLOB, signed with ES256."""
    certificates = [b64encode(certificate).decode() for certificate in chain or [signer()]]
    head = sim.changed({"alg": "ES256", "typ": "JWT", "x5c": certificates}, header)
    entry = {
        "aaguid": str(UUID(bytes=sim.AAGUID)),
        "metadataStatement": {
            "description": "Maker's key",
            "attestationRootCertificates": [b64encode(ROOT.certificate).decode()],
        },
        "statusReports": [{"status": "FIDO_CERTIFIED_L1", "effectiveDate": "2025-01-01"}],
    }
    honest = {"legalHeader": "none", "no": 7, "nextUpdate": "2026-07-01", "entries": [entry]}
    content = json.dumps(sim.changed(honest, changes)).encode() if payload is None else payload
    message = f"{sim.text(json.dumps(head).encode())}.{sim.text(content)}"
    r, s = decode_dss_signature(makers.sign(key, message.encode()))
    return f"{message}.{sim.text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def blobs() -> Iterator[Blob]:
    """Metadata Service 3.1, section 3."""
    middle, device = ROOT.below("CA"), ROOT.below("device", (NOT_CA,))
    yield Blob("as published", blob())
    yield Blob("by an authority below the root", blob([signer(authority=middle), middle.certificate]))
    yield Blob("the first", blob(), held=None)
    yield Blob("its next update is overdue", blob(nextUpdate="2001-01-01"))
    yield Blob("a sibling's", blob([signer("www.attacker.example")]), "mds-signer-name")
    yield Blob("a wildcard's", blob([signer("*.fidoalliance.org")]), "mds-signer-name")
    yield Blob("by a name within the subject alone", blob([makers.batch_certificate()]), "mds-signer-name")
    yield Blob("an expired signer's", blob([signer(years=(2020, 2025))]), "mds-path")
    yield Blob("a signer of the future's", blob([signer(years=(2030, 2044))]), "mds-path")
    yield Blob("a device as authority", blob([signer(authority=device), device.certificate]), "mds-path")
    yield Blob("under another root", blob([signer(authority=OTHER_ROOT)]), "mds-path")
    came_along = [signer(authority=OTHER_ROOT), OTHER_ROOT.certificate]
    yield Blob("under a root that came along", blob(came_along), "mds-path")
    yield Blob("another's signature", blob(key=sim.elliptic_key("a stranger")), "mds-signature")
    yield Blob("RS256 with a key of P-256", blob(header={"alg": "RS256"}), "mds-signature")
    yield Blob("the one that is held", blob(no=6), "mds-number")
    yield Blob("an older one", blob(no=5), "mds-number")
    twice = json.loads(base_payload())["entries"] * 2
    for what, text in (
        ("nothing", ""),
        ("two parts", "e30.e30"),
        ("padding", blob() + "="),
        ("not ASCII", "é.é.é"),
        ("no algorithm", blob(header={"alg": "none"})),
        ("an algorithm as a list", blob(header={"alg": ["ES256"]})),
        ("HMAC", blob(header={"alg": "HS256"})),
        ("something critical", blob(header={"crit": ["exp"]})),
        ("no certificates", blob(header={"x5c": ...})),
        ("certificates as text", blob(header={"x5c": "x"})),
        ("a certificate that is none", blob([b"x"])),
        ("seven certificates", blob([signer()] * 7)),
        ("a payload that is a list", blob(payload=b"[]")),
        ("a name twice", blob(payload=b'{"no": 7, "no": 8}')),
        ("a payload without end", blob(payload=b'{"a":' + b"[" * 5_000)),
        ("no number", blob(no=...)),
        ("a number as text", blob(no="7")),
        ("no date", blob(nextUpdate=...)),
        ("a date that is none", blob(nextUpdate="2026-02-30")),
        ("no entries", blob(entries=...)),
        ("an entry that is none", blob(entries=[1])),
        ("an AAGUID that is none", blob(entries=[{"aaguid": "x"}])),
        ("an AAGUID as a number", blob(entries=[{"aaguid": 1}])),
        ("identifiers as a number", blob(entries=[{"attestationCertificateKeyIdentifiers": 1}])),
        ("an identifier as a number", blob(entries=[{"attestationCertificateKeyIdentifiers": [1]}])),
        ("an AAGUID as identifier", blob(entries=[{"attestationCertificateKeyIdentifiers": [sim.AAGUID.hex()]}])),
        ("a model twice", blob(entries=twice)),
    ):
        yield Blob(what, text, "mds-blob")


def base_payload() -> bytes:
    """The payload of an honest BLOB."""
    return urlsafe_b64decode(blob().split(".")[1] + "==")


FAMILIES: dict[str, Callable[[], Iterator[Any]]] = {"attestation": statements, "trust": trusts, "mds": blobs}


def document(family: str) -> str:
    """The file of one family."""
    return json.dumps([asdict(case) for case in FAMILIES[family]()], indent=1) + "\n"


def load(family: str) -> list[dict[str, Any]]:
    """The cases of one family, from its file."""
    cases: list[dict[str, Any]] = json.loads((FOLDER / f"{family}.json").read_text())
    return cases


if __name__ == "__main__":
    for written in FAMILIES:
        (FOLDER / f"{written}.json").write_text(document(written))
