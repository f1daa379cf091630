"""Writes ``mdoc/*.json``: presentations that break one rule each, everything else about them being right.

Each is presented as its verifier asked for, so a rule that is switched off lets it be accepted. ``given``: ``asked``
(false: nobody asked for it), ``revoked`` (the signer's certificate is on a revocation list) and ``requested_type`` (the
type that was asked for). The authority, the wallet and the verifier are those of ``tests.simulators.mdoc_world``.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cbor2
from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from idverify.core.verdict import CheckId
from idverify.formats import cose, x509
from idverify.formats.base import HolderBindingExpected
from idverify.formats.strict_cbor import Embedded, Encoded, embed
from tests.corpus.layout import Case, Rule, write
from tests.simulators import credential_world as world
from tests.simulators import mdoc_world as mdoc

FOLDER = "mdoc"
ISO, GB = mdoc.ISO, mdoc.GB
Breaks = tuple[CheckId, str]

RULES: Mapping[CheckId, Mapping[str, str]] = {
    CheckId.SIZE: {"size": "caps before parsing"},
    CheckId.FORMAT: {
        "base64url": "RFC 7515 section 2",
        "cbor": "RFC 8949 section 3.1: text is UTF-8; RFC 8943: a day is a day",
        "cbor-depth": "caps before parsing",
        "cbor-duplicate-key": "RFC 8949 section 5.6",
        "cbor-key": "ISO/IEC 18013-5 8.3.2.1: keys are text and integers",
        "cbor-length": "RFC 8949 section 3: what is there is as long as it says",
        "cbor-number": "RFC 7493 section 2.2, and RFC 8949 section 4.1 for floats",
        "cbor-simple": "RFC 8949 section 3.3: false, true and null",
        "cbor-tag": "ISO/IEC 18013-5 8.3.1: tags 0, 24 and 1004",
        "cbor-trailing": "RFC 8949 section 5.1: one data item",
        "issuer-signed": "ISO/IEC 18013-5 8.3.2.1.2.2",
        "item-members": "ISO/IEC 18013-5 8.3.2.1.2.2: IssuerSignedItem",
        "item-number": "ISO/IEC 18013-5 9.1.2.4",
        "item-salt": "ISO/IEC 18013-5 9.1.2.5: 16 bytes",
        "element-once": "ISO/IEC 18013-5 7.1: an element has one value",
        "cose": "RFC 9052 section 4.2",
        "header-alg": "ISO/IEC 18013-5 9.1.2.4: alg in the protected header",
        "header-crit": "RFC 9052 section 3.1",
        "header-label-once": "RFC 9052 section 3",
        "x5chain": "ISO/IEC 18013-5 9.1.2.4; RFC 9360 section 2",
        "certificate": "RFC 5280 section 4.1",
        "mso": "ISO/IEC 18013-5 9.1.2.4: MobileSecurityObjectBytes",
        "mso-version": "ISO/IEC 18013-5 9.1.2.4",
        "digest-algorithm": "ISO/IEC 18013-5 9.1.2.5 table 21",
        "value-digests": "ISO/IEC 18013-5 9.1.2.4",
        "doc-type-named": "ISO/IEC 18013-5 9.1.2.4",
        "device-key-info": "ISO/IEC 18013-5 9.1.2.4",
        "cose-key": "ISO/IEC 18013-5 9.1.5.2; RFC 9053 section 7.1.1",
        "jwk": "RFC 9053 section 7.1.1: a point of its curve",
        "validity-info": "ISO/IEC 18013-5 9.1.2.4: tdate without fractions, in UTC",
        "validity-in-order": "ISO/IEC 18013-5 9.1.2.4",
        "status": "Token Status List section 6.3",
        "response-version": "ISO/IEC 18013-5 8.3.2.1.2.2",
        "response-status": "ISO/IEC 18013-5 8.3.2.1.2.3",
        "one-document": "HAIP 1.0 section 5.3.1",
        "document": "ISO/IEC 18013-5 8.3.2.1.2.2",
        "device-signed": "ISO/IEC 18013-5 8.3.2.1.2.2",
    },
    CheckId.SIGNATURE: {
        "signature": "ISO/IEC 18013-5 9.3.1 step 2",
        "leaf-key": "ISO/IEC 18013-5 annex B.1.4 table B.3, with ES256",
        "elements-listed": "ISO/IEC 18013-5 9.3.1 step 3",
        "digests-match": "ISO/IEC 18013-5 9.3.1 step 3",
        "doc-type-matches": "ISO/IEC 18013-5 9.3.1 step 4",
    },
    CheckId.ISSUER_TRUSTED: {
        "issuer-known": "ISO/IEC 18013-5 9.3.3",
        "path": "RFC 5280 section 6",
        "path-validity": "RFC 5280 section 4.1.2.5",
        "path-not-revoked": "RFC 5280 section 6.3",
        "leaf-not-ca": "RFC 5280 section 4.2.1.9",
        "leaf-key-usage": "RFC 5280 section 4.2.1.3",
        "leaf-purpose": "ISO/IEC 18013-5 annex B.1.4: 1.0.18013.5.1.2",
        "san-names-no-other": "RFC 5280 section 4.2.1.6",
        "region-agrees": "ISO/IEC 18013-5 9.3.3, annex B.1.4",
        "country-agrees": "ISO/IEC 18013-5 7.2.1 table 5",
    },
    CheckId.TYPE_ALLOWED: {
        "type-allowed": "who may issue a type is the verifier's decision",
        "type-requested": "the verifier's request",
    },
    CheckId.VALIDITY: {
        "not-expired": "ISO/IEC 18013-5 9.3.1 step 5",
        "not-before": "ISO/IEC 18013-5 9.3.1 step 5",
        "signed-in-certificate": "ISO/IEC 18013-5 9.3.1 step 5",
    },
    CheckId.STATUS: {"status-index": "Token Status List section 8.3"},
    CheckId.HOLDER_BINDING: {
        "device-auth-given": "ISO/IEC 18013-5 9.1.3; demanded by the verifier",
        "device-payload-left-out": "ISO/IEC 18013-5 9.1.3.6: a detached payload",
        "device-signature": "ISO/IEC 18013-5 9.1.3.6",
        "device-mac-unasked": "OpenID4VP 1.0 appendix B.2: a MAC needs a key of the verifier",
        "device-may-say": "ISO/IEC 18013-5 9.1.2.4: keyAuthorizations",
    },
}


def _case(breaks: Breaks | None, name: str, document: bytes, at: int = world.NOW, **given: Any) -> Case:
    rule = None if breaks is None else Rule(breaks[0], breaks[1], RULES[breaks[0]][breaks[1]])
    return Case(rule, name, document, at, given)


def _malformed(rule: str, name: str, document: bytes) -> Case:
    """A case of a presentation that cannot be read."""
    return _case((CheckId.FORMAT, rule), name, document)


def _shown(rule: str, name: str, signed: bytes) -> Case:
    """A case of an IssuerSigned that cannot be read, presented."""
    return _malformed(rule, name, mdoc.response(signed))


def _signed(breaks: Breaks, name: str, signed: bytes, at: int = world.NOW, **given: Any) -> Case:
    """A case of an IssuerSigned that does not hold, presented."""
    return _case(breaks, name, mdoc.response(signed), at, **given)


def holds() -> Iterator[Case]:
    """Without these, refusing everything would pass."""
    whole = mdoc.issue()
    presented = mdoc.present(whole)
    device_says = {"deviceKey": mdoc.DEVICE_KEY, "keyAuthorizations": {"dataElements": {ISO: ["location"]}}}
    yield _case(None, "as issued, presented", presented)
    yield _case(None, "as issued, handed over", whole, asked=False)
    yield _case(None, "in base64url, as OpenID4VP sends it", base64.urlsafe_b64encode(presented).rstrip(b"="))
    yield _case(None, "no element shown", mdoc.present(whole, []))
    yield _case(None, "the least that holds", mdoc.response())
    yield _case(None, "nothing but what was signed", mdoc.response(mdoc.issuer_signed(None)))
    yield _case(None, "a namespace that nobody maps", mdoc.response(_of_values(GB, {"x": {1: [b"y", 2.5, None]}})))
    yield _case(None, "lengths in more bytes than they need", mdoc.response(_long_heads()))
    yield _case(None, "the certificate in a list", mdoc.response(_auth(unprotected={cose.X5CHAIN: [world.CHAIN[0]]})))
    yield _case(None, "SHA-384", mdoc.response(_hashed("SHA-384")))
    yield _case(None, "SHA-512", mdoc.response(_hashed("SHA-512")))
    said = mdoc.device_signed(said={ISO: {"location": "here"}})
    authorised = mdoc.issuer_signed(auth=mdoc.issuer_auth(mdoc.mso(deviceKeyInfo=device_says)))
    yield _case(None, "the device says what it may", mdoc.response(authorised, said))


def size_cases() -> Iterator[Case]:
    """Caps come before parsing."""
    yield _case((CheckId.SIZE, "size"), "too long", b"\xa1" + bytes(64 * 1024))
    items = [mdoc.item(7, "x" * 100, list(range(4000))) for _ in range(2)]
    many = mdoc.issuer_signed(Encoded(b"\xa1\x61x\x9a\x7f\xff\xff\xff" + items[0].encoded))
    yield _case((CheckId.SIZE, "size"), "two milliard elements", mdoc.response(many))


def cbor_cases() -> Iterator[Case]:
    """RFC 8949, wherever something is decoded: the response, the elements, the signed object."""
    good = mdoc.response()
    item = _item_of
    yield _malformed("base64url", "padding", base64.urlsafe_b64encode(good + b"\x00") + b"=")
    yield _malformed("base64url", "spare bits", base64.urlsafe_b64encode(good)[:-3] + b"B")
    yield _malformed("cbor-trailing", "after the response", good + b"\x00")
    yield _shown(
        "cbor-trailing",
        "after an element",
        mdoc.forged({ISO: [embed(mdoc.item(7, "a", 1).content + b"\xf6")]}, {ISO: [7]}),
    )
    yield _malformed("cbor-length", "cut off", good[:-1])
    yield _malformed("cbor-length", "a map without end", b"\xbf" + good[1:] + b"\xff")
    yield _shown("cbor-length", "longer than it is", item(bytes.fromhex("5b7fffffffffffffff")))
    yield _shown("cbor-length", "text in pieces", item(bytes.fromhex("7f6161ff")))
    yield _malformed("cbor-depth", "a deep response", mdoc.response(more=[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]))
    yield _shown("cbor-depth", "a deep element", item(b"\x81" * 40 + b"\x00"))
    yield _malformed("cbor-duplicate-key", "two versions", b"\xa4" + good[1:] + b"\x67version\x631.0")
    yield _shown("cbor-duplicate-key", "two values", embed_only(_twice(mdoc.item(7, "age_over_18", False), True)))
    twice = cbor2.dumps(mdoc.mso())
    again = b"\xa8" + twice[1:] + b"\x67docType" + cbor2.dumps("org.example.visa")
    yield _shown("cbor-duplicate-key", "two types signed", _payload(embed(again).encoded))
    yield _shown("cbor-key", "a key of bytes", item(bytes.fromhex("a1416101")))
    yield _shown("cbor-number", "beyond 2^53", item(bytes.fromhex("1b0020000000000000")))
    yield _shown("cbor-number", "not a number", item(bytes.fromhex("f97e00")))
    yield _shown("cbor-simple", "undefined", item(bytes.fromhex("f7")))
    yield _shown("cbor-tag", "a large number", item(bytes.fromhex("c24f") + bytes(15)))
    yield _shown("cbor-tag", "a shared value", item(bytes.fromhex("d81c80")))
    yield _shown("cbor-tag", "a chain of tags", item(b"\xd8\x18" * 200 + b"\x40"))
    yield _malformed(
        "cbor-tag", "elements that are not embedded in bytes", good.replace(b"\xd8\x18\x58", b"\xd8\x18\x78", 1)
    )
    yield _shown("cbor", "text that is none", item(bytes.fromhex("61ff")))
    yield _shown("cbor", "the thirty-first of February", item(bytes.fromhex("d903ec6a") + b"2026-02-31"))


def structure_cases() -> Iterator[Case]:
    """ISO/IEC 18013-5 8.3.2.1.2.2: who stands where."""
    good, plain = mdoc.issuer_signed(), mdoc.ITEMS
    yield _malformed("response-version", "a map of nothing", cbor2.dumps({}))
    yield _malformed("response-version", "version 2.0", mdoc.response(version="2.0"))
    yield _malformed("response-status", "an error", mdoc.response(status=10))
    yield _malformed("response-status", "no status", mdoc.response(status=None))
    yield _malformed("response-status", "true", mdoc.response(status=False))
    yield _malformed("one-document", "two documents", mdoc.response(documents=[mdoc.document(good)] * 2))
    yield _malformed("one-document", "no documents", mdoc.response(documents=[]))
    yield _malformed("one-document", "nothing", mdoc.response(documents=None))
    yield _malformed("document", "a list", mdoc.response(documents=[[1]]))
    yield _malformed("document", "no type", mdoc.response(documents=[mdoc.document(good, doc_type=5)]))
    yield _malformed("document", "more members", mdoc.response(documents=[mdoc.document(good, more=1)]))
    yield _malformed(
        "document",
        "nothing signed by the device",
        mdoc.response(documents=[{"docType": mdoc.DOC_TYPE, "issuerSigned": Encoded(good)}]),
    )
    yield _shown("issuer-signed", "a list", cbor2.dumps([1]))
    yield _shown("issuer-signed", "not signed", cbor2.dumps({"nameSpaces": {}}))
    yield _shown("issuer-signed", "more members", mdoc.issuer_signed(more=1))
    yield _shown("issuer-signed", "namespaces in a list", mdoc.issuer_signed([1]))
    yield _shown("issuer-signed", "a numbered namespace", mdoc.issuer_signed({1: plain[ISO]}))
    yield _shown("issuer-signed", "an empty namespace", mdoc.issuer_signed({**plain, "empty": []}))
    yield _shown("issuer-signed", "an element that is not embedded", mdoc.issuer_signed({ISO: [{"digestID": 7}]}))
    for name, device in (
        ("a list", [1]),
        ("no proof", {"nameSpaces": embed(b"\xa0")}),
        ("two proofs", {**mdoc.device_signed(), "deviceAuth": {"deviceSignature": [], "deviceMac": []}}),
        ("elements not embedded", {**mdoc.device_signed(), "nameSpaces": {}}),
        ("elements in a list", {**mdoc.device_signed(), "nameSpaces": embed(b"\x80")}),
        ("an empty namespace", mdoc.device_signed(said={ISO: {}})),
    ):
        yield _malformed("device-signed", name, mdoc.response(device=device))


def item_cases() -> Iterator[Case]:
    """ISO/IEC 18013-5 8.3.2.1.2.2: the elements, each of them listed by the issuer."""

    def one(*items: Embedded, numbers: tuple[Any, ...] = (7,)) -> bytes:
        return mdoc.forged({ISO: list(items)}, {ISO: numbers})

    first, second = mdoc.item(7, "age_over_18", False), mdoc.item(8, "age_over_18", True)
    yield _shown("item-members", "a fifth member", one(mdoc.item(7, "a", 1, more=1)))
    yield _shown("item-members", "no salt", one(mdoc.item(7, "a", 1, random=None)))
    yield _shown("item-members", "a list", one(embed(b"\x80")))
    yield _shown("item-members", "a number that is text", one(mdoc.item(7, "a", 1, digestID="7")))
    yield _shown("item-members", "a number that is true", one(mdoc.item(7, "a", 1, digestID=True), numbers=(1,)))
    yield _shown("item-members", "a name that is a number", one(mdoc.item(7, 5, 1)))
    yield _shown("item-number", "below 0", one(mdoc.item(-1, "a", 1), numbers=(-1,)))
    yield _shown("item-number", "beyond 32 bits", one(mdoc.item(2**32, "a", 1), numbers=(2**32,)))
    yield _shown("item-salt", "15 bytes", one(mdoc.item(7, "a", 1, random=bytes(15))))
    yield _shown("item-salt", "nothing", one(mdoc.item(7, "a", 1, random=b"")))
    yield _shown("element-once", "two values of one element", one(first, second, numbers=(7, 8)))


def header_cases() -> Iterator[Case]:
    """RFC 9052: each is signed by the right key all the same."""
    chain = {cose.X5CHAIN: world.CHAIN[0]}
    yield _shown("header-alg", "another algorithm", _auth(protected=cbor2.dumps({1: -35})))
    yield _shown("header-alg", "a shared secret", _auth(protected=cbor2.dumps({1: 5})))
    yield _shown("header-alg", "none", _auth(protected=b""))
    yield _shown("header-alg", "not protected", _auth(protected=b"", unprotected={1: -7, **chain}))
    yield _shown("header-crit", "an extension", _auth(protected=cbor2.dumps({1: -7, 2: [99], 99: 1})))
    yield _shown("header-label-once", "two certificates", _auth(protected=cbor2.dumps({1: -7, 33: b"x"})))
    yield _shown("x5chain", "no certificate", _auth(unprotected={}))
    yield _shown("x5chain", "an empty list", _auth(unprotected={33: []}))
    yield _shown("x5chain", "text", _auth(unprotected={33: "certificate"}))
    yield _shown("x5chain", "ten certificates", _auth(unprotected={33: [b"x"] * 10}))
    yield _shown("certificate", "bytes that are none", _auth(unprotected={33: b"certificate"}))
    yield _shown("cose", "three members", mdoc.issuer_signed(auth=cbor2.dumps([mdoc.PROTECTED, {}, b""])))
    yield _shown("cose", "a header that is a list", _auth(protected=b"\x80"))
    wrong = mdoc.device_signed(protected=cbor2.dumps({1: -35}))
    yield _malformed("header-alg", "of the device", mdoc.response(device=wrong))


def mso_cases() -> Iterator[Case]:
    """ISO/IEC 18013-5 9.1.2.4: what the issuer signed, had it signed anything else."""
    key = mdoc.DEVICE_KEY
    digest = bytes(32)
    yield _shown("cbor-tag", "null signed", _payload(b"\xf6"))
    yield _shown("cbor-tag", "the object not embedded", _payload(cbor2.dumps(mdoc.mso())))
    yield _shown("mso", "a list", _payload(embed(b"\x80").encoded))
    yield _shown("mso-version", "2.0", _mso(version="2.0"))
    yield _shown("mso-version", "a number", _mso(version=1))
    yield _shown("digest-algorithm", "MD5", _mso(digestAlgorithm="MD5"))
    yield _shown("digest-algorithm", "none", _mso(digestAlgorithm=None))
    yield _shown("value-digests", "none", _mso(valueDigests={}))
    yield _shown("value-digests", "a digest cut short", _mso(valueDigests=_digests_and({99: digest[1:]})))
    yield _shown("value-digests", "a digest that is text", _mso(valueDigests=_digests_and({99: "x" * 32})))
    yield _shown("value-digests", "a named digest", _mso(valueDigests=_digests_and({"99": digest})))
    empty = mdoc.document(_mso(docType=""), doc_type="", device=mdoc.device_signed(doc_type=""))
    yield _malformed("doc-type-named", "an empty type", mdoc.response(documents=[empty]))
    yield _shown("doc-type-named", "no type", _mso(docType=None))
    yield _shown("device-key-info", "more members", _mso(deviceKeyInfo={"deviceKey": key, "more": 1}))
    yield _shown("device-key-info", "no key", _mso(deviceKeyInfo={}))
    yield _shown("cose-key", "a key with alg", _mso(deviceKeyInfo={"deviceKey": key | {3: -7}}))
    yield _shown("cose-key", "a private key", _mso(deviceKeyInfo={"deviceKey": key | {-4: bytes(32)}}))
    yield _shown("cose-key", "another curve", _mso(deviceKeyInfo={"deviceKey": key | {-1: 2}}))
    yield _shown("jwk", "no point", _mso(deviceKeyInfo={"deviceKey": key | {-2: bytes(32)}}))
    yield _shown("jwk", "a zero left out", _mso(deviceKeyInfo={"deviceKey": key | {-2: key[-2][1:]}}))
    times = mdoc.validity()
    half = {"signed": times["signed"] + dt.timedelta(milliseconds=500)}
    there = {"signed": times["signed"].astimezone(dt.timezone(dt.timedelta(hours=2)))}
    yield _shown(
        "validity-info",
        "half a second",
        _mso(validityInfo=times | half | {"validFrom": times["signed"] + dt.timedelta(seconds=1)}),
    )
    yield _shown("validity-info", "another time zone", _mso(validityInfo=times | there))
    yield _shown("validity-info", "an update some day", _mso(validityInfo=times | {"expectedUpdate": "tomorrow"}))
    yield _shown("validity-info", "a day", _mso(validityInfo=times | {"validUntil": dt.date(2030, 1, 1)}))
    yield _shown("validity-info", "text", _mso(validityInfo=times | {"validUntil": "2030-01-01T00:00:00Z"}))
    yield _shown(
        "validity-info", "no end", _mso(validityInfo={"signed": times["signed"], "validFrom": times["signed"]})
    )
    yield _shown(
        "validity-in-order", "valid before it was signed", _mso(validityInfo=mdoc.validity(signed=60, valid_from=59))
    )
    yield _shown("validity-in-order", "never valid", _mso(validityInfo=mdoc.validity(valid_from=60, valid_until=60)))
    for name, status in (
        ("another kind", {"identifier_list": {"id": b"x", "uri": world.STATUS_URI}}),
        ("no index", {"status_list": {"uri": world.STATUS_URI}}),
        ("true as index", {"status_list": {"idx": True, "uri": world.STATUS_URI}}),
        ("below 0", {"status_list": {"idx": -1, "uri": world.STATUS_URI}}),
        ("a list", [5]),
    ):
        yield _shown("status", name, _mso(status=status))


def signature_cases() -> Iterator[Case]:
    """ISO/IEC 18013-5 9.3.1: what the issuer did not say."""
    signature, listed, match = ((CheckId.SIGNATURE, rule) for rule in ("signature", "elements-listed", "digests-match"))
    good = mdoc.issuer_signed()
    title = mdoc.item(7, "title", "Sir")
    forged = mdoc.issuer_auth(key=world.STRANGER_KEY)
    yield _signed(signature, "another key", mdoc.issuer_signed(auth=forged))
    yield _signed(signature, "a byte of the signature", good[:-1] + bytes([good[-1] ^ 1]))
    yield _signed(signature, "another end", good.replace(b"2026-09-22T", b"2036-09-22T", 1))
    yield _signed(
        listed,
        "an injected element",
        mdoc.issuer_signed({**mdoc.ITEMS, GB: [*mdoc.ITEMS[GB], mdoc.item(8, "welsh_licence", True)]}),
    )
    yield _signed(listed, "an injected namespace", mdoc.issuer_signed({**mdoc.ITEMS, "org.example": [title]}))
    moved = {ISO: mdoc.ITEMS[ISO], "org.example": mdoc.ITEMS[GB]}
    yield _signed(listed, "a namespace that was renamed", mdoc.issuer_signed(moved))
    yield _signed(match, "another value", mdoc.issuer_signed({**mdoc.ITEMS, GB: [title]}))
    yield _signed(
        match,
        "a number of another element",
        mdoc.issuer_signed({ISO: [*mdoc.ITEMS[ISO], mdoc.item(7, "given_name", "Ada")]}),
    )
    yield _signed(match, "an element under another namespace", mdoc.issuer_signed({ISO: mdoc.ITEMS[GB]}))
    swapped = mdoc.device_signed(doc_type="org.example.visa")
    other = mdoc.document(good, doc_type="org.example.visa", device=swapped)
    yield _case((CheckId.SIGNATURE, "doc-type-matches"), "shown as another type", mdoc.response(documents=[other]))
    p384 = world.unusual_leaf(_usual(), key=ec.derive_private_key(5, ec.SECP384R1()))
    yield _signed((CheckId.SIGNATURE, "leaf-key"), "a P-384 key", _under(p384))


def issuer_cases() -> Iterator[Case]:
    """RFC 5280 and annex B: signed with the issuer's key, under certificates that are wrong in one way each."""

    def wrong(rule: str, name: str, *chain: bytes, at: int = world.NOW, **given: Any) -> Case:
        return _signed((CheckId.ISSUER_TRUSTED, rule), name, _under(*chain), at, **given)

    names, signs, purpose = _usual()
    authority = (cryptography_x509.BasicConstraints(ca=True, path_length=None), True)
    no_signing = (_extension(world.ROOT, cryptography_x509.KeyUsage), True)
    website = (cryptography_x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), True)
    late = world.NOW + 100 * world.DAY
    yield wrong("issuer-known", "another root", _foreign_leaf())
    yield wrong("path", "another root of the same name", world.unusual_leaf(_usual(), root_key=world.STRANGER_KEY))
    yield wrong("path", "the root along", world.CHAIN[0], world.ROOT)
    unknown = cryptography_x509.UnrecognizedExtension(cryptography_x509.ObjectIdentifier("2.25.1"), b"\x05\x00")
    yield wrong("path", "an extension that must be understood", world.unusual_leaf([*_usual(), (unknown, True)]))
    yield wrong("leaf-not-ca", "an authority", world.unusual_leaf([names, signs, purpose, authority]))
    yield wrong("leaf-key-usage", "no signing", world.unusual_leaf([names, no_signing, purpose]))
    yield wrong("leaf-purpose", "a website", world.unusual_leaf([names, signs, website]))
    yield wrong("leaf-purpose", "no purpose", world.unusual_leaf([names, signs]))
    yield wrong("leaf-purpose", "a statement signer", world.leaf(x509.Purpose.STATEMENT))
    yield wrong("san-names-no-other", "signs for another", world.leaf(iss="https://other.example"))
    yield wrong("region-agrees", "another country", world.unusual_leaf(_usual(), country="XZ"))
    elsewhere = _of_values(ISO, {"issuing_country": "XZ"})
    yield _signed((CheckId.ISSUER_TRUSTED, "country-agrees"), "issued elsewhere", elsewhere)
    yield _signed(
        (CheckId.ISSUER_TRUSTED, "path-validity"),
        "signer expired",
        _under(world.leaf(days=90), validityInfo=mdoc.validity(valid_until=late + world.DAY - world.NOW)),
        late,
    )
    yield wrong("path-not-revoked", "signer revoked", world.CHAIN[0], revoked=True)


def time_cases() -> Iterator[Case]:
    """ISO/IEC 18013-5 9.3.1 step 5, and what the verifier asked for."""

    def when(rule: str, name: str, **times: int) -> Case:
        return _signed((CheckId.VALIDITY, rule), name, _mso(validityInfo=mdoc.validity(**times)))

    before = -2 * world.DAY
    yield when("not-expired", "expired", signed=-3600, valid_from=-3600, valid_until=-60)
    yield when("not-before", "not yet", valid_from=61)
    yield when("not-before", "signed tomorrow", signed=world.DAY, valid_from=world.DAY, valid_until=2 * world.DAY)
    yield when("signed-in-certificate", "before its signer was certified", signed=before, valid_from=before)
    allowed, asked = ((CheckId.TYPE_ALLOWED, rule) for rule in ("type-allowed", "type-requested"))
    visa = "org.example.visa"
    shown = mdoc.document(_mso(docType=visa), doc_type=visa, device=mdoc.device_signed(doc_type=visa))
    yield _case(allowed, "a type it may not issue", mdoc.response(documents=[shown]))
    yield _case(asked, "another type than asked", mdoc.response(), requested_type=world.VCT)
    listed = {"status_list": {"idx": 2**20, "uri": world.STATUS_URI}}
    yield _signed((CheckId.STATUS, "status-index"), "beyond the list", _mso(status=listed))


def holder_cases() -> Iterator[Case]:
    """ISO/IEC 18013-5 9.1.3: somebody else's document, request or word."""

    def held(rule: str, name: str, device: Any) -> Case:
        return _case((CheckId.HOLDER_BINDING, rule), name, mdoc.response(device=device))

    asked = mdoc.ASKED
    others = {
        "another verifier": HolderBindingExpected("https://other.example", asked.nonce, asked.response_uri),
        "another request": HolderBindingExpected(asked.audience, "another nonce", asked.response_uri),
        "answered elsewhere": HolderBindingExpected(asked.audience, asked.nonce, "https://other.example/answer"),
    }
    yield _case((CheckId.HOLDER_BINDING, "device-auth-given"), "handed over, not presented", mdoc.issuer_signed())
    yield held("device-signature", "another key", mdoc.device_signed(key=world.STRANGER_KEY))
    for name, other in others.items():
        yield held("device-signature", name, mdoc.device_signed(asked=other))
    yield held("device-signature", "for another type", mdoc.device_signed(doc_type="org.example.visa"))
    said = {**mdoc.device_signed(), "nameSpaces": embed(cbor2.dumps({ISO: {"location": "here"}}))}
    yield held("device-signature", "said afterwards", said)
    yield held("device-payload-left-out", "the payload along", mdoc.device_signed(payload=b"anything"))
    yield held("device-may-say", "what nobody allowed", mdoc.device_signed(said={ISO: {"family_name": "Other"}}))
    mac = [cbor2.dumps({1: 5}), {}, None, hashlib.sha256(b"a MAC").digest()]
    yield held("device-mac-unasked", "a MAC", {"nameSpaces": embed(b"\xa0"), "deviceAuth": {"deviceMac": mac}})


# --- parts --------------------------------------------------------------------------------------------------------


def _auth(**how: Any) -> bytes:
    """The least IssuerSigned, with another issuerAuth."""
    return mdoc.issuer_signed(auth=mdoc.issuer_auth(**how))


def _payload(payload: bytes) -> bytes:
    return _auth(payload=payload)


def _mso(**changes: Any) -> bytes:
    """The least IssuerSigned, with another mobile security object."""
    return _auth(said=mdoc.mso(**changes))


def _under(*chain: bytes, **changes: Any) -> bytes:
    """The least IssuerSigned, under other certificates."""
    given = chain[0] if len(chain) == 1 else list(chain)
    return _auth(said=mdoc.mso(**changes), unprotected={cose.X5CHAIN: given})


def _item_of(value: bytes) -> bytes:
    """One element with an encoded value, listed by the issuer."""
    head = mdoc.item(7, "a", 0).content
    assert head.endswith(b"\x00")
    return embed_only(embed(head[:-1] + value))


def embed_only(item: Embedded) -> bytes:
    """One element, listed by the issuer."""
    return mdoc.forged({ISO: [item]}, {ISO: [7]})


def _twice(item: Embedded, value: Any) -> Embedded:
    return embed(b"\xa5" + item.content[1:] + cbor2.dumps("elementValue") + cbor2.dumps(value))


def _of_values(space: str, values: Mapping[str, Any]) -> bytes:
    items = [mdoc.item(number, element, value) for number, (element, value) in enumerate(values.items())]
    return mdoc.forged({space: items}, {space: range(len(items))})


def _digests_and(more: Mapping[Any, Any]) -> dict[str, Any]:
    """The digests of the elements that are shown, and one more."""
    return mdoc.digests() | {"org.example": more}


def _hashed(algorithm: str) -> bytes:
    digests = {
        space: {
            number: hashlib.new(algorithm.replace("-", ""), item.encoded).digest()
            for number, item in zip(mdoc.NUMBERS[space], items, strict=True)
        }
        for space, items in mdoc.ITEMS.items()
    }
    return _mso(digestAlgorithm=algorithm, valueDigests=digests)


def _long_heads() -> bytes:
    """An element whose length and map are spelled as some libraries do; its digest covers it so."""
    content = mdoc.item(7, "title", "Dr").content
    content = b"\xb9\x00\x04" + content[1:]
    item = Embedded(b"\xd8\x18\x5a" + len(content).to_bytes(4, "big") + content, content)
    return mdoc.forged({GB: [item]}, {GB: [7]})


def _extension(certificate: bytes, kind: Any) -> Any:
    return x509.read_certificate(certificate).extensions.get_extension_for_class(kind).value


def _usual() -> list[tuple[Any, bool]]:
    return [
        (_extension(world.CHAIN[0], cryptography_x509.SubjectAlternativeName), False),
        (_extension(world.CHAIN[0], cryptography_x509.KeyUsage), True),
        (cryptography_x509.ExtendedKeyUsage([x509.Purpose.DOCUMENT.value]), True),
    ]


def _foreign_leaf() -> bytes:
    return world.unusual_leaf(_usual(), root_key=world.STRANGER_KEY, root_name="Another Root")


FAMILIES: tuple[Callable[[], Iterator[Case]], ...] = (
    holds,
    size_cases,
    cbor_cases,
    structure_cases,
    item_cases,
    header_cases,
    mso_cases,
    signature_cases,
    issuer_cases,
    time_cases,
    holder_cases,
)


def cases() -> Iterator[Case]:
    """Every case of this folder."""
    for family in FAMILIES:
        yield from family()


if __name__ == "__main__":
    write(FOLDER, cases())
