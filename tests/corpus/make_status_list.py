"""Writes ``status_list/*.json``: status lists that break one rule each, everything else about them being right.

Each is what the address serves to which a document refers that holds in all else; in each list the document is VALID,
so a rule that is switched off lets it be accepted. ``given``: ``index`` (that of the document, 5 unless said),
``revoked`` (the list's signer is on a revocation list) and ``seen`` (when the newest list was signed that was relied on
before). JWTs and CWTs stand side by side: what a file is, its first byte says.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import cbor2
from cryptography import x509 as cryptography_x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from idverify.core.credential import Issuer
from idverify.core.verdict import CheckId
from idverify.formats import cose, jose, status_list, status_list_cwt, x509, x509_build
from idverify.formats.status_list import MAX_PACKED, StatusListClaims
from idverify.formats.strict_json import encode_json
from tests.corpus.layout import Case, Rule, write
from tests.simulators import credential_world as world

FOLDER = "status_list"
RULES: Mapping[str, str] = {
    "size": "section 4.1 step 4 backwards: caps before memory is taken",
    "jws": "RFC 7515 section 7.1",
    "base64url": "RFC 7515 section 2",
    "json": "RFC 7519 section 7.2",
    "json-duplicate-name": "RFC 7519 section 4",
    "cose": "RFC 9052 section 4.2",
    "cwt": "section 5.2; RFC 8392 section 7.2",
    "cwt-tag": "section 5.2",
    "cbor-duplicate-key": "RFC 8949 section 5.6",
    "cbor-length": "RFC 8949 section 3.2.1",
    "cbor-trailing": "RFC 8949 section 5.3.1",
    "header-alg": "RFC 8725 section 3.1; RFC 9052 section 3.1",
    "header-typ": "sections 5.1 and 5.2; RFC 9596",
    "header-crit": "RFC 7515 section 4.1.11; RFC 9052 section 3.1",
    "header-key-source": "RFC 8725 section 3.10",
    "header-label-once": "RFC 9052 section 3",
    "x5c": "RFC 7515 section 4.1.6",
    "x5chain": "RFC 9360 section 2",
    "sub": "sections 5.1 and 5.2",
    "iat": "sections 5.1 and 5.2",
    "exp": "sections 5.1 and 5.2",
    "ttl": "sections 5.1 and 5.2",
    "nbf": "sections 5.1 and 5.2, rule 3; RFC 7519 section 4.1.5",
    "status-list": "sections 4.2 and 4.3",
    "status-bits": "section 4.1 step 1",
    "status-zlib": "section 4.1 step 4",
    "signature": "sections 5.1 and 5.2, rule 2",
    "path": "section 11.3; RFC 5280 section 6",
    "path-validity": "RFC 5280 section 4.1.2.5",
    "path-not-revoked": "RFC 5280 section 6.3",
    "leaf-not-ca": "RFC 5280 section 4.2.1.9",
    "leaf-key-usage": "RFC 5280 section 4.2.1.3",
    "leaf-purpose": "section 10; RFC 5280 section 4.2.1.12",
    "san-names-issuer": "section 11.3",
    "list-uri": "section 8.3 step 4.1",
    "list-issued": "RFC 7519 section 4.1.6",
    "list-not-expired": "section 8.3 step 4.3",
    "list-not-before": "sections 5.1 and 5.2, rule 3; RFC 7519 section 4.1.5",
    "list-audience": "sections 5.1 and 5.2, rule 3; RFC 7519 section 4.1.3",
    "list-ttl": "sections 5.1 and 5.2",
    "list-newest": "section 8.3 step 4.2",
    "status-index": "section 8.3 step 6",
}
STATUSES = status_list.pack(16, 2, {6: 1})
COMPRESSED = status_list.compress(STATUSES.packed)
CLAIMS = StatusListClaims(world.STATUS_URI, world.NOW, world.NOW + 3600, 300)
HEADER = {cose.ALG: cose.ES256, cose.TYP: status_list_cwt.MEDIA_TYPE}
BODY = {2: world.STATUS_URI, 6: world.NOW, 4: world.NOW + 3600, 65534: 300, 65533: {"bits": 2, "lst": COMPRESSED}}


def _case(breaks: str | None, name: str, document: bytes, **given: Any) -> Case:
    rule = None if breaks is None else Rule(CheckId.STATUS, breaks, RULES[breaks])
    return Case(rule, name, document, world.NOW, given)


# --- each form, with anything in it ---------------------------------------------------------------------------------


def jwt(head: Mapping[str, Any] | None = None, key: Any = world.ISSUER_KEY, **changes: Any) -> bytes:
    """A JWT with these claims, ``None`` for one that is left out, under these headers."""
    whole = {"sub": world.STATUS_URI, "iat": world.NOW, "exp": world.NOW + 3600, "ttl": 300, "status_list": content()}
    claims = {name: value for name, value in (whole | changes).items() if value is not None}
    return world.jwt(world.header(typ="statuslist+jwt", **(head or {})), claims, key)


def content(**changes: Any) -> dict[str, Any]:
    """The list itself in JSON."""
    return {"bits": 2, "lst": jose.b64url_encode(COMPRESSED)} | changes


def raw_jwt(payload: bytes) -> bytes:
    """A JWT of bytes that need not be JSON."""
    return world_signed(jose.signing_input(world.header(typ="statuslist+jwt"), payload))


def world_signed(unsigned: bytes) -> bytes:
    """The compact JWS of a signing input."""
    return jose.jws(unsigned, world.sign(world.ISSUER_KEY, unsigned))


def cwt(
    changes: Mapping[Any, Any] | None = None,
    header: Mapping[Any, Any] | None = None,
    unprotected: Mapping[Any, Any] | None = None,
    key: Any = world.ISSUER_KEY,
    payload: bytes | None = None,
) -> bytes:
    """A CWT with these claims, ``None`` for one that is left out, under these headers."""
    body = {name: value for name, value in {**BODY, **(changes or {})}.items() if value is not None}
    encoded, protected = payload or cbor2.dumps(body), cbor2.dumps(dict(HEADER if header is None else header))
    carried = {cose.X5CHAIN: world.CHAIN[0]} if unprotected is None else unprotected
    return b"\xd2" + cose.sign1(protected, carried, encoded, world.sign(key, cose.sign1_input(protected, encoded)))


def both(breaks: str | None, name: str, chain: tuple[bytes, ...] = world.CHAIN, key: Any = world.ISSUER_KEY,
         given: Mapping[str, Any] | None = None, **changes: Any) -> Iterator[Case]:  # fmt: skip
    """One list in both forms as we sign it, with other claims, under another chain or another key."""
    claims, issuer = StatusListClaims(**(asdict(CLAIMS) | changes)), Issuer(world.ISS, chain, b"")
    as_jwt = status_list.prepare(STATUSES, claims, issuer)
    as_cwt = status_list_cwt.prepare(STATUSES, claims, issuer, COMPRESSED)
    yield _case(breaks, name, status_list.seal(as_jwt, world.sign(key, as_jwt.payload)), **(given or {}))
    sealed = status_list_cwt.seal(as_cwt, world.sign(key, as_cwt.payload))
    yield _case(breaks, f"{name}, CWT", sealed, **(given or {}))


# --- what is wrong --------------------------------------------------------------------------------------------------


def holding_cases() -> Iterator[Case]:
    """Without these, refusing everything would pass."""
    yield from both(None, "as we sign it", version=7)
    yield from both(None, "without what is only recommended", expires_at=None, ttl=None)
    yield from both(None, "signed by a statement signer", (world.leaf(x509.Purpose.STATEMENT),))
    yield _case(None, "with a claim of the issuer's own", jwt(iss="https://issuer.example", jti="1"))
    yield _case(None, "taken into use a minute from now, with clocks that differ", jwt(nbf=world.NOW + 60))
    yield _case(None, "taken into use before, CWT", cwt({5: world.NOW - 1}))
    lists = {"aggregation_uri": f"{world.ISS}/status"}
    yield _case(None, "with the address of all lists", jwt(status_list=content(**lists)))
    yield _case(None, "with the address of all lists, CWT", cwt({65533: {"bits": 2, "lst": COMPRESSED, **lists}}))
    yield _case(None, "one bit, best compression", jwt(status_list=content(bits=1)))
    yield _case(None, "the last index", jwt(), index=15)


def compression_cases() -> Iterator[Case]:
    """Section 4.1: one whole zlib stream, and no more than a list may have."""
    whole = zlib.compress(STATUSES.packed, 9)
    gzip = zlib.compressobj(9, wbits=31)
    raw = zlib.compressobj(9, wbits=-15)
    for rule, name, stream in (
        ("size", "a byte more than a list may unpack to", zlib.compress(bytes(MAX_PACKED + 1), 9)),
        ("size", "a bomb of 16 MiB", zlib.compress(bytes(16 * 1024 * 1024), 9)),
        ("status-zlib", "cut short", whole[:-1]),
        ("status-zlib", "a byte too many", whole + b"\0"),
        ("status-zlib", "two streams", whole + whole),
        ("status-zlib", "another checksum", whole[:-1] + bytes([whole[-1] ^ 1])),
        ("status-zlib", "gzip", gzip.compress(STATUSES.packed) + gzip.flush()),
        ("status-zlib", "deflate without zlib", raw.compress(STATUSES.packed) + raw.flush()),
        ("status-zlib", "not compressed", STATUSES.packed),
        ("status-zlib", "nothing", b""),
        ("status-zlib", "a dictionary that nobody has", b"\x78\xbb\x00\x00\x00\x01" + whole[2:]),
    ):
        yield _case(rule, name, jwt(status_list=content(lst=jose.b64url_encode(stream))))
        yield _case(rule, f"{name}, CWT", cwt({65533: {"bits": 2, "lst": stream}}))


def content_cases() -> Iterator[Case]:
    """Sections 4.2 and 4.3."""
    for name, bits in (("three bits", 3), ("no bits", 0), ("sixteen bits", 16), ("true", True), ("a fraction", 2.0)):
        if type(bits) is not float:
            yield _case("status-bits", name, jwt(status_list=content(bits=bits)))
        yield _case("status-bits", f"{name}, CWT", cwt({65533: {"bits": bits, "lst": COMPRESSED}}))
    yield _case("status-bits", "text", jwt(status_list=content(bits="2")))
    yield _case("status-bits", "none said", jwt(status_list={"lst": content()["lst"]}))
    yield _case("status-list", "none", jwt(status_list=None))
    yield _case("status-list", "none, CWT", cwt({65533: None}))
    yield _case("status-list", "an array", jwt(status_list=[2, content()["lst"]]))
    yield _case("status-list", "no lst", jwt(status_list={"bits": 2}))
    yield _case("status-list", "text in place of bytes, CWT", cwt({65533: content()}))
    yield _case("status-list", "an address of all lists that is none", jwt(status_list=content(aggregation_uri=1)))
    listed = {"bits": 2, "lst": COMPRESSED, "aggregation_uri": 1}
    yield _case("status-list", "an address of all lists that is none, CWT", cwt({65533: listed}))
    yield _case("base64url", "padding", jwt(status_list=content(lst=content()["lst"] + "==")))
    yield _case("base64url", "bits that say nothing", jwt(status_list=content(lst=_spare())))
    yield _case("base64url", "the other alphabet", jwt(status_list=content(lst="+/+/")))


def _spare() -> str:
    """A list whose last character has spare bits, which are not all 0."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    streams = (status_list.compress(status_list.pack(4 * size, 2, {6: 1}).packed) for size in range(4, 12))
    encoded = next(text for stream in streams if len(text := jose.b64url_encode(stream)) % 4)
    return encoded[:-1] + alphabet[alphabet.index(encoded[-1]) + 1]


def claim_cases() -> Iterator[Case]:
    """Sections 5.1 and 5.2: every claim is there and of its type."""
    for rule, label, values in (
        ("sub", 2, (None, 5, "")),
        ("iat", 6, (None, "now", 1.5, True, -1)),
        ("exp", 4, ("never", 1.5, True)),
        ("ttl", 65534, ("300", 0.5, True, -300)),
        ("nbf", 5, ("now", 1.5, True, -1)),
    ):
        for value in values:
            if type(value) is not float:  # JSON has its own rule for those
                yield _case(rule, f"{rule}: {value!r}", jwt(**{rule: value}))
            yield _case(rule, f"{rule}: {value!r}, CWT", cwt({label: value}))


def framing_cases() -> Iterator[Case]:
    """What is no JWT and no CWT of ours."""
    whole = jwt()
    yield _case("jws", "two parts", whole.rpartition(b".")[0])
    yield _case("jws", "four parts", whole + b".AA")
    yield _case("jws", "nothing", b"")
    yield _case("json", "a payload that is no JSON", raw_jwt(b"{"))
    yield _case("json", "a list in place of claims", raw_jwt(b"[]"))
    said = encode_json({"sub": world.STATUS_URI, "iat": world.NOW, "status_list": content()})
    twice = said.replace(b'"sub":', b'"sub":"https://elsewhere.example/1","sub":', 1)
    yield _case("json-duplicate-name", "two addresses", raw_jwt(twice))
    sealed = cwt()
    yield _case("cwt-tag", "the tag of a MAC", b"\xd1" + sealed[1:])
    yield _case("cwt-tag", "the tag of a CWT around it", b"\xd8\x3d" + sealed)
    yield _case("cwt-tag", "no tag", sealed[1:])
    yield _case("cwt", "claims elsewhere", b"\xd2" + cose.sign1(cbor2.dumps(HEADER), {33: world.CHAIN[0]}, None, b""))
    yield _case("cwt", "a list in place of claims", cwt(payload=b"\x80"))
    yield _case("cose", "an array of three", b"\xd2" + cbor2.dumps([cbor2.dumps(HEADER), {}, b""]))
    yield _case("cbor-trailing", "a byte behind it", sealed + b"\0")
    yield _case("cbor-length", "cut short", sealed[:-1])
    body = cbor2.dumps(BODY)
    yield _case("cbor-duplicate-key", "two addresses, CWT", cwt(payload=_one_more(body)))


def _one_more(body: bytes) -> bytes:
    """The map with its address once more at the end."""
    return bytes([body[0] + 1]) + body[1:] + b"\x02" + cbor2.dumps(world.STATUS_URI)


def header_cases() -> Iterator[Case]:
    """Which header, each under the right key all the same."""
    for rule, name, head in (
        ("header-alg", "no algorithm", {"alg": "none"}),
        ("header-alg", "a shared secret", {"alg": "HS256"}),
        ("header-alg", "another curve", {"alg": "ES384"}),
        ("header-typ", "a JWT of any kind", {"typ": "JWT"}),
        ("header-typ", "a credential", {"typ": "dc+sd-jwt"}),
        ("header-typ", "the media type of the other form", {"typ": "statuslist+cwt"}),
        ("header-crit", "an extension", {"crit": ["exp"]}),
        ("header-key-source", "a key elsewhere", {"jku": "https://attacker.example/keys"}),
        ("header-key-source", "a key along", {"jwk": jose.public_jwk(world.STRANGER_KEY.public_key())}),
        ("x5c", "no certificate", {"x5c": []}),
    ):
        # ``typ`` is a header that every case has
        merged = world.header(**{"typ": "statuslist+jwt", **head})
        claims = {"sub": world.STATUS_URI, "iat": world.NOW, "exp": world.NOW + 3600, "status_list": content()}
        yield _case(rule, name, world.jwt(merged, claims, world.ISSUER_KEY))
    for rule, name, header in (
        ("header-alg", "another curve, CWT", {**HEADER, cose.ALG: -35}),
        ("header-alg", "no algorithm, CWT", {cose.TYP: status_list_cwt.MEDIA_TYPE}),
        ("header-typ", "no type, CWT", {cose.ALG: cose.ES256}),
        ("header-typ", "the media type of the other form, CWT", {**HEADER, cose.TYP: status_list.MEDIA_TYPE}),
        ("header-typ", "another number, CWT", {**HEADER, cose.TYP: 60}),
        ("header-crit", "an extension, CWT", {**HEADER, cose.CRIT: [cose.TYP]}),
    ):
        yield _case(rule, name, cwt(header=header))
    carried = {cose.X5CHAIN: world.CHAIN[0]}
    yield _case("header-label-once", "a type in both headers", cwt(unprotected={**carried, cose.TYP: "x"}))
    yield _case("x5chain", "no certificate, CWT", cwt(unprotected={}))
    yield _case("x5chain", "text in place of a certificate", cwt(unprotected={cose.X5CHAIN: "MII"}))


def signer_cases() -> Iterator[Case]:
    """Who signed it, and whether they may."""

    def extension(certificate: bytes, kind: Any) -> Any:
        return x509.read_certificate(certificate).extensions.get_extension_for_class(kind).value

    names = (extension(world.CHAIN[0], cryptography_x509.SubjectAlternativeName), False)
    signs = (extension(world.CHAIN[0], cryptography_x509.KeyUsage), True)
    no_signing = (extension(world.ROOT, cryptography_x509.KeyUsage), True)
    purpose = (cryptography_x509.ExtendedKeyUsage([x509.Purpose.STATEMENT.value]), True)
    website = (cryptography_x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), True)
    authority = (cryptography_x509.BasicConstraints(ca=True, path_length=None), True)
    yield from both("signature", "another key", key=world.STRANGER_KEY)
    yield _case("signature", "an entry changed, CWT", _changed(cwt()))
    yield from both("path", "the key of another issuer", (world.leaf(root_key=world.STRANGER_KEY),))
    yield from both("path", "the root along", (world.CHAIN[0], world.ROOT))
    yield from both("path-validity", "the signer expired", (_expired(),))
    yield from both("path-not-revoked", "the signer revoked", (world.unusual_leaf([names, signs, purpose]),),
                    given={"revoked": True})  # fmt: skip
    yield from both("leaf-not-ca", "an authority", (world.unusual_leaf([names, signs, purpose, authority]),))
    yield from both("leaf-key-usage", "no signing", (world.unusual_leaf([names, no_signing, purpose]),))
    yield from both("leaf-purpose", "a website", (world.unusual_leaf([names, signs, website]),))
    yield from both("leaf-purpose", "whoever signs trust lists", (world.leaf(x509.Purpose.TRUST_LIST),))
    yield from both("san-names-issuer", "another name", (world.leaf(iss="https://other.example"),))


def _expired() -> bytes:
    """A signer's certificate that ended a second ago."""
    times = world.NOW - world.DAY, world.NOW - 1
    subject = x509_build.Certified("XU", "Example Signer", world.spki(world.ISSUER_KEY), 1 << 100, *times)
    tbs = x509_build.tbs_leaf(subject, x509.Purpose.STATEMENT, world.ROOT, iss=world.ISS, crl_uri=world.CRL_URI)
    return x509_build.seal_certificate(tbs, world.sign(world.ROOT_KEY, tbs))


def _changed(sealed: bytes) -> bytes:
    """The same CWT with another entry withdrawn, and the signature of before."""
    other = status_list.compress(status_list.pack(16, 2, {7: 1}).packed)
    assert len(other) == len(COMPRESSED)
    return sealed.replace(COMPRESSED, other)


def rule_cases() -> Iterator[Case]:
    """Section 8.3."""
    yield from both("list-uri", "another list of the issuer", uri=f"{world.ISS}/status/2")
    yield from both("list-uri", "the same address with a slash", uri=f"{world.STATUS_URI}/")
    yield from both("list-issued", "from the future", issued_at=world.NOW + 61)
    yield from both("list-not-expired", "expired this second", expires_at=world.NOW)
    yield _case("list-not-before", "taken into use later", jwt(nbf=world.NOW + 61))
    yield _case("list-not-before", "taken into use later, CWT", cwt({5: world.NOW + 61}))
    for name, audience in (("somebody", "https://verifier.example"), ("several", ["https://verifier.example", "x"])):
        yield _case("list-audience", f"for {name}", jwt(aud=audience))
        yield _case("list-audience", f"for {name}, CWT", cwt({3: audience}))
    yield _case("list-audience", "for nobody", jwt(aud=[]))
    yield from both("list-ttl", "no time to live", ttl=0)
    yield from both("list-newest", "older than one seen", given={"seen": [world.NOW + 1, 0]})
    yield from both("list-newest", "of the same second, an earlier version", version=3, given={"seen": [world.NOW, 4]})
    yield from both("status-index", "one beyond", given={"index": 16})
    yield from both("status-index", "a huge index", given={"index": 2**53 - 1})


def cases() -> Iterator[Case]:
    """Every case of the folder."""
    for family in (
        holding_cases,
        compression_cases,
        content_cases,
        claim_cases,
        framing_cases,
        header_cases,
        signer_cases,
        rule_cases,
    ):
        yield from family()


if __name__ == "__main__":
    write(FOLDER, cases())
