"""Writes ``paper_code/*.json``: codes that break one rule each, everything else about them being right.

Nobody is asked to prove that a code is theirs, so one whose rule is switched off is accepted. ``given``: ``asks`` (the
code is handed over in answer to a request), ``revoked`` (the signer's certificate is on a revocation list) and
``requested_type`` (the type that was asked for). The authority is that of ``tests.simulators.code_world``; ``TRUST``
has a certificate for each of the signers here, which a code names by key id alone.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import cbor2
from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from idverify.core.verdict import CheckId
from idverify.formats import cose, x509
from idverify.formats.paper_code import KID, PREFIX
from tests.corpus.layout import Case, Rule, write
from tests.simulators import code_world as paper
from tests.simulators import credential_world as world

FOLDER: Final = "paper_code"
Breaks = tuple[CheckId, str]

RULES: Final[Mapping[CheckId, Mapping[str, str]]] = {
    CheckId.SIZE: {"size": "caps before parsing"},
    CheckId.FORMAT: {
        "base45": "RFC 9285 section 6: refused, not repaired",
        "compressed": "RFC 1950 section 2.2: one stream, to its end",
        "cose": "RFC 9052 section 4.2, with its tag",
        "cbor-duplicate-key": "RFC 8949 section 5.6",
        "cbor-depth": "caps before parsing",
        "header-alg": "RFC 9052 section 3.1",
        "one-key-id": "ours: the signer is named once, in what is signed",
        "claims-inside": "RFC 8392 section 7.2",
        "claim-names": "RFC 8392 section 3.1: a claim goes by its number",
        "claim-values": "ours: what JSON has",
        "metadata-given": "RFC 8392 section 3.1.1, 3.1.4, 3.1.6; ours: required",
        "picture-is-one": "ours: a WebP",
        "status": "Token Status List section 6.3",
    },
    CheckId.SIGNATURE: {
        "signer-known": "RFC 9052 section 3.1: kid",
        "signature": "RFC 9052 section 4.4",
    },
    CheckId.ISSUER_TRUSTED: {
        "path": "RFC 5280 section 6",
        "path-validity": "RFC 5280 section 4.1.2.5",
        "path-not-revoked": "RFC 5280 section 6.3",
        "leaf-not-ca": "RFC 5280 section 4.2.1.9",
        "leaf-key-usage": "RFC 5280 section 4.2.1.3",
        "leaf-purpose": "RFC 5280 section 4.2.1.12: ours, for paper",
        "san-names-issuer": "RFC 5280 section 4.2.1.6",
        "key-usage-period": "RFC 3280 section 4.2.1.4",
    },
    CheckId.TYPE_ALLOWED: {
        "type-allowed": "who may issue a type is the verifier's decision",
        "type-requested": "the verifier's request",
    },
    CheckId.VALIDITY: {
        "not-expired": "RFC 8392 section 3.1.4",
        "issued-in-past": "RFC 8392 section 3.1.6",
    },
    CheckId.STATUS: {"status-index": "Token Status List section 8.3"},
    CheckId.HOLDER_BINDING: {"binding-given": "paper answers no request"},
}

AUTHORITY, NO_SIGNING, WEBSITE, NO_PURPOSE, DOCUMENTS, OTHER, STRANGE, EXPIRED, PERIOD, UNKNOWN = (
    world.private_key(2000 + number) for number in range(10)
)
AUTUMN: Final = world.NOW + 100 * world.DAY


def _extension(certificate: bytes, kind: Any) -> Any:
    return x509.read_certificate(certificate).extensions.get_extension_for_class(kind).value


_NAMES: Final = (_extension(paper.LEAF, cryptography_x509.SubjectAlternativeName), False)
_SIGNS: Final = (_extension(paper.LEAF, cryptography_x509.KeyUsage), True)
_PURPOSE: Final = (cryptography_x509.ExtendedKeyUsage([x509.Purpose.PAPER.value]), True)


def _in_use(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate whose key signs for a year, from noon of the day of ``NOW`` on."""
    noon = world.NOW - world.NOW % world.DAY + world.DAY // 2
    begins, ends = (dt.datetime.fromtimestamp(at, dt.UTC) for at in (noon, noon + 365 * world.DAY))
    period = cryptography_x509.PrivateKeyUsagePeriod(begins, ends)
    return world.unusual_leaf([_NAMES, _SIGNS, _PURPOSE, (period, False)], key=key)


def signers() -> Mapping[str, tuple[ec.EllipticCurvePrivateKey, bytes]]:
    """Key and certificate of each signer that is wrong in one way, by the rule that says so."""
    authority = (cryptography_x509.BasicConstraints(ca=True, path_length=None), True)
    no_signing = (_extension(world.ROOT, cryptography_x509.KeyUsage), True)
    website = (cryptography_x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), True)
    purpose = x509.Purpose.PAPER
    return {
        "an authority": (AUTHORITY, world.unusual_leaf([_NAMES, _SIGNS, _PURPOSE, authority], key=AUTHORITY)),
        "no signing": (NO_SIGNING, world.unusual_leaf([_NAMES, no_signing, _PURPOSE], key=NO_SIGNING)),
        "a website": (WEBSITE, world.unusual_leaf([_NAMES, _SIGNS, website], key=WEBSITE)),
        "no purpose": (NO_PURPOSE, world.unusual_leaf([_NAMES, _SIGNS], key=NO_PURPOSE)),
        "a document signer": (DOCUMENTS, world.leaf(x509.Purpose.DOCUMENT, key=DOCUMENTS)),
        "signs for another": (OTHER, world.leaf(purpose, iss="https://other.example", key=OTHER)),
        "another root": (STRANGE, world.leaf(purpose, key=STRANGE, root_key=world.STRANGER_KEY)),
        "signer expired": (EXPIRED, world.leaf(purpose, key=EXPIRED, days=90)),
        "in use from noon": (PERIOD, _in_use(PERIOD)),
    }


SIGNERS: Final = signers()
TRUST: Final = paper.trust(*(certificate for _, certificate in SIGNERS.values()))


def _case(breaks: Breaks | None, name: str, document: bytes, at: int = world.NOW, **given: Any) -> Case:
    rule = None if breaks is None else Rule(breaks[0], breaks[1], RULES[breaks[0]][breaks[1]])
    return Case(rule, name, document, at, given)


def _malformed(rule: str, name: str, document: bytes) -> Case:
    return _case((CheckId.FORMAT, rule), name, document)


def _by(who: str, **changes: Any) -> bytes:
    """A code by one of ``SIGNERS``."""
    key, certificate = SIGNERS[who]
    header = {cose.ALG: cose.ES256, KID: x509.key_id(certificate)}
    return paper.code(paper.claims(**changes), header=header, key=key)


def holds() -> Iterator[Case]:
    """Without these, refusing everything would pass."""
    yield _case(None, "as issued", paper.issue())
    yield _case(None, "with a portrait", paper.issue({**paper.CLAIMS, "picture": paper.PORTRAIT}))
    yield _case(None, "the least that holds", paper.code())
    yield _case(None, "nothing of a person", paper.code(paper.claims(family_name=None)))
    yield _case(None, "not compressed well", paper.text(zlib.compress(paper.message(), 0)))
    yield _case(None, "a signer in use since noon", _by("in use from noon"))


def text_cases() -> Iterator[Case]:
    """What stands in the code, before anything is decoded."""
    good = paper.issue()
    packed = zlib.compress(paper.message(), 9)
    yield _case((CheckId.SIZE, "size"), "longer than any code", PREFIX + b"0" * 4292)
    yield _case((CheckId.SIZE, "size"), "a bomb", paper.text(zlib.compress(bytes(1_000_000), 9)))
    yield _malformed("base45", "small letters", good[:5] + good[5:].lower())
    yield _malformed("base45", "a digit short", good[:-1] if len(good[5:]) % 3 != 2 else good[:-2] + b"0")
    yield _malformed("base45", "a group beyond two bytes", good + (b"" if len(good[5:]) % 3 == 0 else b":") + b":::")
    yield _malformed("base45", "a letter that is none of its digits", good.replace(b"IDV1:", b"IDV1:\xc3\xa9", 1))
    yield _malformed("compressed", "not compressed", paper.text(paper.message()))
    yield _malformed("compressed", "cut off", paper.text(packed[:-5]))
    yield _malformed("compressed", "something after it", paper.text(packed + b"\x00"))
    yield _malformed("compressed", "a second stream", paper.text(packed + packed))
    yield _malformed("compressed", "without its checksum", paper.text(packed[:-4]))
    yield _malformed("cose", "no tag", paper.text(zlib.compress(paper.message()[1:], 9)))
    yield _malformed("cose", "a MAC by its tag", paper.text(zlib.compress(b"\xd1" + paper.message()[1:], 9)))
    yield _malformed("cose", "a CWT by its tag", paper.text(zlib.compress(b"\xd8\x3d" + paper.message(), 9)))


def message_cases() -> Iterator[Case]:
    """RFC 9052: each is signed by the right key all the same."""
    good = {cose.ALG: cose.ES256, KID: paper.KEY_ID}
    yield _malformed("header-alg", "another algorithm", paper.code(header=good | {cose.ALG: -35}))
    yield _malformed("header-alg", "none", paper.code(header={KID: paper.KEY_ID}))
    yield _malformed("one-key-id", "a second one beside it", paper.code(unprotected={"kid": world.CHAIN[0][:8]}))
    yield _malformed("one-key-id", "a longer one", paper.code(header=good | {KID: paper.KEY_ID + b"\x00"}))
    yield _malformed("one-key-id", "none", paper.code(header={cose.ALG: cose.ES256}))
    yield _malformed("one-key-id", "a certificate along", paper.code(header=good | {33: b"\x30\x00"}))
    yield _malformed("claims-inside", "claims elsewhere", paper.text(zlib.compress(paper.without_payload(), 9)))
    yield _malformed("claims-inside", "a list", paper.code([1, 2]))


def claim_cases() -> Iterator[Case]:
    """RFC 8392: what is signed, had it been signed by somebody careless."""
    twice = b"\xa7" + cbor2.dumps(paper.claims())[1:] + cbor2.dumps("family_name") + cbor2.dumps("Other")
    yield _malformed("cbor-duplicate-key", "two names", paper.code(payload=twice))
    yield _malformed("cbor-depth", "a deep claim", paper.code(paper.claims(x=[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]])))
    yield _malformed("claim-names", "nbf by its number", paper.code(paper.claims(c5=world.NOW + world.DAY)))
    yield _malformed("claim-names", "exp by its name", paper.code(paper.claims(exp=world.NOW + 10 * world.DAY)))
    yield _malformed("claim-names", "bound to a key", paper.code(paper.claims(c8={})))
    yield _malformed("claim-values", "bytes", paper.code(paper.claims(given_name=b"Ada")))
    yield _malformed("claim-values", "a numbered member", paper.code(paper.claims(work={1: "yes"})))
    yield _malformed("claim-values", "something embedded", paper.code(paper.claims(x=cbor2.CBORTag(24, b"\x00"))))
    yield _malformed("claim-values", "a date", paper.code(paper.claims(x=[cbor2.CBORTag(1004, "2026-01-31")])))
    yield _malformed("metadata-given", "half a second", paper.code(paper.claims(c4=world.NOW + 60.5)))
    yield _malformed("metadata-given", "no end", paper.code(paper.claims(c4=None)))
    yield _malformed("metadata-given", "no type", paper.code(paper.claims(vct=None)))
    yield _malformed("metadata-given", "an issuer without a name", paper.code(paper.claims(c1="")))
    yield _malformed("picture-is-one", "another kind of image", paper.code(paper.claims(picture=b"\xff\xd8\xff\xe0")))
    yield _malformed("picture-is-one", "text", paper.code(paper.claims(picture="data:image/webp;base64,")))
    yield _malformed("status", "another kind", paper.code(paper.claims(c65535={"identifier_list": {}})))
    yield _malformed("status", "below 0", paper.code(paper.claims(c65535=_listed(-1))))


def signature_cases() -> Iterator[Case]:
    """Codes that the issuer did not sign."""
    signature = (CheckId.SIGNATURE, "signature")
    good = paper.message()
    by_another = paper.code(key=world.STRANGER_KEY)
    unknown = {cose.ALG: cose.ES256, KID: world.spki(UNKNOWN)[:8]}
    yield _case((CheckId.SIGNATURE, "signer-known"), "a key of nobody", paper.code(header=unknown, key=UNKNOWN))
    other = paper.claims(c1="https://other.example")
    yield _case((CheckId.SIGNATURE, "signer-known"), "an issuer of nobody", paper.code(other))
    yield _case(signature, "another key", by_another)
    changed = good.replace(b"\x67Example", b"\x67Exomple", 1)
    yield _case(signature, "another name", paper.text(zlib.compress(changed, 9)))
    later = good.replace((world.NOW + world.DAY).to_bytes(4, "big"), (world.NOW + 99 * world.DAY).to_bytes(4, "big"))
    yield _case(signature, "a later end", paper.text(zlib.compress(later, 9)))
    index = good.replace(b"\x63idx\x05", b"\x63idx\x06", 1)
    yield _case(signature, "another place in the list", paper.text(zlib.compress(index, 9)))


def issuer_cases() -> Iterator[Case]:
    """RFC 5280: signed with the key of a certificate that is wrong in one way."""

    def wrong(rule: str, who: str, at: int = world.NOW, **changes: Any) -> Case:
        return _case((CheckId.ISSUER_TRUSTED, rule), who, _by(who, **changes), at)

    yield wrong("path", "another root")
    yield wrong("leaf-not-ca", "an authority")
    yield wrong("leaf-key-usage", "no signing")
    yield wrong("leaf-purpose", "a website")
    yield wrong("leaf-purpose", "no purpose")
    yield wrong("leaf-purpose", "a document signer")
    yield wrong("san-names-issuer", "signs for another")
    yield wrong("path-validity", "signer expired", AUTUMN, c4=AUTUMN + world.DAY)
    period = (CheckId.ISSUER_TRUSTED, "key-usage-period")
    today, late = world.NOW - world.NOW % world.DAY, world.NOW + 380 * world.DAY
    yield _case(period, "the day before its use began", _by("in use from noon", c6=today - world.DAY))
    after = _by("in use from noon", c6=today + 370 * world.DAY, c4=late + world.DAY)
    yield _case(period, "after its use has ended", after, late)
    yield _case((CheckId.ISSUER_TRUSTED, "path-not-revoked"), "signer revoked", paper.code(), revoked=True)


def time_cases() -> Iterator[Case]:
    """RFC 8392 section 3.1, and what the verifier asked for."""
    ended, early = ((CheckId.VALIDITY, rule) for rule in ("not-expired", "issued-in-past"))
    allowed, asked = ((CheckId.TYPE_ALLOWED, rule) for rule in ("type-allowed", "type-requested"))
    yield _case(ended, "expired", paper.code(paper.claims(c4=world.NOW - 60)))
    yield _case(early, "issued tomorrow", paper.code(paper.claims(c6=world.NOW + world.DAY)))
    yield _case(allowed, "a type it may not issue", paper.code(paper.claims(vct="urn:example:visa")))
    yield _case(asked, "another type than asked", paper.code(), requested_type="urn:eudi:pid:1")
    yield _case((CheckId.STATUS, "status-index"), "beyond the list", paper.code(paper.claims(c65535=_listed(2**20))))
    yield _case((CheckId.HOLDER_BINDING, "binding-given"), "in answer to a request", paper.code(), asks=True)


def _listed(index: int) -> dict[str, Any]:
    return {"status_list": {"idx": index, "uri": world.STATUS_URI}}


FAMILIES: Final[tuple[Callable[[], Iterator[Case]], ...]] = (
    holds,
    text_cases,
    message_cases,
    claim_cases,
    signature_cases,
    issuer_cases,
    time_cases,
)


def cases() -> Iterator[Case]:
    """Every case of this folder."""
    for family in FAMILIES:
        yield from family()


if __name__ == "__main__":
    write(FOLDER, cases())
