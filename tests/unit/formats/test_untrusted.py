"""Whoever is not trusted is told why by name: the certificate, whose root, since when, who would be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from idverify.core.trust import TrustedIssuer, TrustedRoot, TrustedType, TrustStore, issuer_of_terms
from idverify.core.verdict import Check, CheckId, Result
from idverify.formats import jose, untrusted, x509
from tests.simulators import credential_world as world

NOW, DAY = world.NOW, world.DAY
OTHER_KEY, MIDDLE_KEY = world.private_key(2001), world.private_key(2002)
OTHER_ROOT = world.root(OTHER_KEY, "Other Root")
OTHER = TrustedIssuer("https://other.example", "Other Authority", (OTHER_ROOT,), frozenset({"x"}), "", "XU")
LONG_AGO = NOW - 1000 * DAY


def issuer(roots: Iterable[TrustedRoot], types: Iterable[TrustedType] = ()) -> TrustedIssuer:
    """The usual authority, relied on as these terms say."""
    kinds = tuple(types) or (TrustedType(0, None, "dc+sd-jwt", world.VCT),)
    return issuer_of_terms(world.TRUSTED, tuple(roots), kinds)


def term(root: bytes = world.ROOT, since: int = LONG_AGO, until: int | None = None) -> TrustedRoot:
    """A root in its term."""
    return TrustedRoot(since, until, root, "by hand")


def trusting(*issuers: TrustedIssuer) -> TrustStore:
    """A store of these issuers."""
    return TrustStore({one.key: one for one in issuers})


def certificate(name: str, key: Any, issuer_key: Any, issuer_name: str, start: int, end: int, *, ca: bool) -> bytes:
    """A certificate of any dates: an authority, or a document signer of the usual issuer."""
    named = [
        cryptography_x509.Name(
            [
                cryptography_x509.NameAttribute(cryptography_x509.NameOID.COUNTRY_NAME, "XU"),
                cryptography_x509.NameAttribute(cryptography_x509.NameOID.COMMON_NAME, one),
            ]
        )
        for one in (name, issuer_name)
    ]
    usual = x509.read_certificate(world.ROOT if ca else world.CHAIN[0])
    builder = (
        cryptography_x509.CertificateBuilder(named[1], named[0], key.public_key(), 77)
        .not_valid_before(dt.datetime.fromtimestamp(start, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(end, dt.UTC))
    )
    skipped = (cryptography_x509.SubjectKeyIdentifier, cryptography_x509.AuthorityKeyIdentifier)
    for one in usual.extensions:
        if isinstance(one.value, cryptography_x509.BasicConstraints) and ca:
            builder = builder.add_extension(
                cryptography_x509.BasicConstraints(ca=True, path_length=None), critical=True
            )
        elif not isinstance(one.value, skipped):
            builder = builder.add_extension(one.value, one.critical)
    builder = builder.add_extension(
        cryptography_x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    if issuer_key is not key:
        builder = builder.add_extension(
            cryptography_x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    return builder.sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def under(*chain: bytes, **changes: Any) -> bytes:
    """The usual credential under these certificates."""
    return world.sd_jwt(world.payload(**changes), head=world.header(x5c=jose.x5c_header(chain)))


def explained(document: bytes, trust: TrustStore, at: int = NOW) -> dict[CheckId, Check]:
    """The checks of a document at a time, each explained."""
    then, presented = trust.at(at), world.FORMAT.read(document)
    who = world.FORMAT.issuer(presented, then)
    return {
        check.id: untrusted.explained(check, presented, who, then, at)
        for check in world.FORMAT.check(presented, then, at, None)
    }


def _middle(start: int = NOW - 10 * DAY, end: int = NOW + 500 * DAY, signs: Any = world.ROOT_KEY) -> bytes:
    return certificate("Middle", MIDDLE_KEY, signs, "Long Root", start, end, ca=True)


def _below(start: int = NOW - DAY, end: int = NOW + 100 * DAY) -> bytes:
    return certificate("Signer", world.ISSUER_KEY, MIDDLE_KEY, "Middle", start, end, ca=False)


def _long_root(start: int = LONG_AGO, end: int = NOW + 1000 * DAY) -> bytes:
    return certificate("Long Root", world.ROOT_KEY, world.ROOT_KEY, "Long Root", start, end, ca=True)


def _leaf_of_long_root(start: int, end: int) -> bytes:
    return certificate("Signer", world.ISSUER_KEY, world.ROOT_KEY, "Long Root", start, end, ca=False)


def _website() -> bytes:
    def extension(kind: Any) -> Any:
        return x509.read_certificate(world.CHAIN[0]).extensions.get_extension_for_class(kind).value

    website = cryptography_x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    names = extension(cryptography_x509.SubjectAlternativeName)
    return world.unusual_leaf([(names, False), (extension(cryptography_x509.KeyUsage), True), (website, True)])


def _revoking(der: bytes, trust: TrustStore) -> TrustStore:
    certificate = x509.read_certificate(der)
    listed = frozenset({(certificate.issuer.rfc4514_string(), certificate.serial_number)})
    return replace(trust, revoked_serials=listed)


class Refused(NamedTuple):
    """A document that is refused: by which check, for which reason, and in which words."""

    why: str
    document: Callable[[], bytes]
    trust: Callable[[], TrustStore]
    words: str
    at: int = NOW
    check: CheckId = CheckId.ISSUER_TRUSTED


def usual() -> TrustStore:
    """The usual authority, and another."""
    return trusting(issuer([term()]), OTHER)


def long_root() -> TrustStore:
    """The usual authority, with a root that certifies other authorities."""
    return trusting(issuer([term(_long_root())]))


REFUSED = (
    Refused(
        "issuer-unknown",
        lambda: world.sd_jwt(world.payload(iss="https://new.example")),
        lambda: trusting(OTHER),
        "names https://new.example as its issuer, which is not relied on here. Relied on for XU: Other Authority.",
    ),
    Refused(
        "issuer-unknown",
        lambda: world.sd_jwt(world.payload(iss="https://new.example")),
        lambda: trusting(issuer([term()])),
        "lead to a root of Example Authority, which speaks for itself alone",
    ),
    Refused(
        "issuer-withdrawn",
        world.issue,
        lambda: trusting(issuer([term(until=NOW - DAY)])),
        "Example Authority was relied on here until 20 September 2026, and is not any more.",
    ),
    Refused(
        "issuer-not-yet",
        world.issue,
        lambda: trusting(issuer([term(since=NOW + DAY)])),
        "relied on here only since 22 September 2026; this is checked as of 21 September 2026",
    ),
    Refused(
        "another-root",
        lambda: under(world.leaf(root_key=OTHER_KEY)),
        lambda: trusting(issuer([term()]), replace(OTHER, roots=(world.root(OTHER_KEY),))),
        f"a root of Other Authority ({x509.fingerprint(world.root(OTHER_KEY)).hex()[:16]}), not to one of Example",
    ),
    Refused(
        "root-of-another-key",
        lambda: under(world.leaf(root_key=world.STRANGER_KEY)),
        usual,
        "A root named CN=Example Root,C=XU is known here",
    ),
    Refused(
        "root-unknown",
        lambda: under(_leaf_of_long_root(NOW - DAY, NOW + 100 * DAY)),
        usual,
        "end at CN=Long Root,C=XU, which is a root of nobody who is relied on here",
    ),
    Refused(
        "root-along",
        lambda: under(world.CHAIN[0], world.ROOT),
        usual,
        "is a root itself; it must be left out",
    ),
    Refused(
        "root-withdrawn",
        world.issue,
        lambda: trusting(issuer([term(until=NOW - DAY), term(OTHER_ROOT)])),
        f"The root {x509.fingerprint(world.ROOT).hex()[:16]} of Example Authority was withdrawn on 20 September 2026.",
    ),
    Refused(
        "root-not-yet",
        world.issue,
        lambda: trusting(issuer([term(since=NOW + DAY), term(OTHER_ROOT)])),
        "is relied on only since 22 September 2026",
    ),
    Refused(
        "root-expired",
        lambda: under(_leaf_of_long_root(NOW - DAY, NOW + 100 * DAY)),
        lambda: trusting(issuer([term(_long_root(end=NOW - 2 * DAY))])),
        "expired on 19 September 2026, before the signer was certified",
    ),
    Refused(
        "root-expired",
        lambda: under(_leaf_of_long_root(NOW - 10 * DAY, NOW + 100 * DAY)),
        lambda: trusting(issuer([term(_long_root(end=NOW - 2 * DAY))])),
        "The root CN=Long Root,C=XU expired on 19 September 2026.",
    ),
    Refused(
        "root-not-yet",
        lambda: under(_leaf_of_long_root(LONG_AGO, NOW + 100 * DAY), iat=LONG_AGO),
        lambda: trusting(issuer([term(_long_root(), since=0)])),
        "The root CN=Long Root,C=XU holds only from",
        LONG_AGO - DAY,
    ),
    Refused(
        "authority-expired",
        lambda: under(_below(), _middle(end=NOW - DAY // 2)),
        long_root,
        "The certificate CN=Middle,C=XU expired on 21 September 2026.",
    ),
    Refused(
        "authority-not-yet",
        lambda: under(_below(NOW - 5 * DAY), _middle(NOW - 5 * DAY)),
        long_root,
        "The certificate CN=Middle,C=XU holds only from 16 September 2026 on.",
        NOW - 6 * DAY,
    ),
    Refused(
        "authority-revoked",
        lambda: under(_below(), _middle()),
        lambda: _revoking(_middle(), long_root()),
        "The certificate CN=Middle,C=XU was revoked by CN=Long Root,C=XU.",
    ),
    Refused(
        "leaf-expired",
        lambda: under(world.leaf(days=90), exp=NOW + 200 * DAY),
        usual,
        "The signer's certificate CN=Example Signer,C=XU expired on 20 December 2026.",
        NOW + 100 * DAY,
    ),
    Refused(
        "leaf-not-yet",
        lambda: under(_leaf_of_long_root(NOW - DAY, NOW + 100 * DAY)),
        long_root,
        "The signer's certificate CN=Signer,C=XU holds only from 20 September 2026 on",
        NOW - 2 * DAY,
    ),
    Refused(
        "leaf-revoked",
        world.issue,
        lambda: _revoking(world.CHAIN[0], usual()),
        "CN=Example Signer,C=XU was revoked by CN=Example Root,C=XU",
    ),
    Refused(
        "chain-broken",
        lambda: under(world.CHAIN[0], OTHER_ROOT),
        usual,
        "Certificate 1, CN=Example Signer,C=XU, was not issued by the next one, CN=Other Root,C=XU.",
    ),
    Refused(
        "chain-broken",
        lambda: under(certificate("S", world.ISSUER_KEY, MIDDLE_KEY, "M", NOW - DAY, NOW + DAY, ca=False), _middle()),
        long_root,
        "Certificate 1, CN=S,C=XU, was not issued by the next one, CN=Middle,C=XU.",
    ),
    Refused("another-purpose", lambda: under(_website()), usual, "was made for web servers."),
    Refused(
        "another-purpose",
        lambda: under(world.leaf(x509.Purpose.STATEMENT)),
        usual,
        "was made for statements such as status lists.",
    ),
    Refused(
        "another-name",
        lambda: under(world.leaf(iss="https://elsewhere.example")),
        usual,
        "was made for https://elsewhere.example; the document names https://issuer.example",
    ),
    Refused(
        "type-not-allowed",
        lambda: world.sd_jwt(world.payload(vct="urn:example:visa:1")),
        usual,
        "not relied on for documents of type urn:example:visa:1 as dc+sd-jwt; it is for: urn:idverify:immigration",
        check=CheckId.TYPE_ALLOWED,
    ),
    Refused(
        "type-not-allowed",
        world.issue,
        lambda: trusting(issuer([term()], [TrustedType(0, None, "mso_mdoc", world.VCT)])),
        "as dc+sd-jwt",
        check=CheckId.TYPE_ALLOWED,
    ),
    Refused(
        "type-withdrawn",
        world.issue,
        lambda: trusting(issuer([term()], [TrustedType(0, NOW - DAY, "dc+sd-jwt", world.VCT)])),
        "It was until 20 September 2026.",
        check=CheckId.TYPE_ALLOWED,
    ),
)


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.why}: {case.words[:30]}") for case in REFUSED])
def test_each_reason_by_name(case: Refused) -> None:
    """The check fails with its rule as before; the reason, the sentence and every certificate go with it."""
    check = explained(case.document(), case.trust(), case.at)[case.check]

    assert check.result is Result.FAIL
    assert check.evidence is not None
    assert check.evidence["why"] == case.why
    assert case.words in check.detail
    assert check.evidence["rule"]
    chain = world.FORMAT.read(case.document()).signing_chain
    assert [one["sha256"] for one in check.evidence["certificates"]] == [x509.fingerprint(der).hex() for der in chain]


def test_a_certificate_that_cannot_be_read() -> None:
    """Bytes in the place of a certificate are a reason, not an error."""
    document = under(world.CHAIN[0], b"\x30\x03\x02\x01\x01")
    check = explained(document, usual())[CheckId.ISSUER_TRUSTED]

    assert check.evidence is not None
    assert (check.result, check.evidence["why"]) == (Result.FAIL, "certificate-unreadable")


def test_every_reason_is_tried_and_documented() -> None:
    """No reason without a document that meets it, nor without its line in the documentation."""
    tried = {case.why for case in REFUSED} | {"certificate-unreadable"}
    page = (Path(__file__).parents[3] / "docs" / "checks.md").read_text()

    assert tried == set(untrusted.REASONS)
    assert [reason for reason in untrusted.REASONS if f"`{reason}`" not in page] == []


@pytest.mark.parametrize(
    ("trust", "why"),
    [
        (trusting(issuer([term(until=NOW - DAY)])), "root-withdrawn"),
        (trusting(OTHER), "root-unknown"),
        (trusting(issuer([term(world.root(world.STRANGER_KEY))])), "root-of-another-key"),
    ],
)
def test_a_document_that_names_its_authority_alone(trust: TrustStore, why: str) -> None:
    """As an mdoc may: what is known of that authority's root is the reason."""
    then = trust.at(NOW)
    presented = world.FORMAT.read(world.issue())._replace(iss="CN=Example Root,C=XU")
    refused = Check(CheckId.ISSUER_TRUSTED, Result.FAIL, "", {"rule": "issuer-known"})
    check = untrusted.explained(refused, presented, None, then, NOW)

    assert check.evidence is not None
    assert check.evidence["why"] == why


def test_a_path_that_holds_says_on_which_root() -> None:
    """Whose it is, its SHA-256, and where it came from; of two terms of one root, the later."""
    twice = issuer([term(until=NOW - DAY), TrustedRoot(NOW - 10, None, world.ROOT, "VICAL of Example, issue 7")])
    then = trusting(twice).at(NOW).issuers[world.ISS]
    source = untrusted.trust_source(world.CHAIN[0], then.name, then.roots, then.root_terms)

    assert source == {
        "issuer": "Example Authority",
        "root_sha256": x509.fingerprint(world.ROOT).hex(),
        "origin": "VICAL of Example, issue 7",
    }


def test_a_stranger_key_of_another_curve() -> None:
    """A root whose key is of a kind that we never sign with is compared like any other, without an error."""
    key = ec.generate_private_key(ec.SECP384R1())
    odd = certificate("Example Root", key, key, "Example Root", LONG_AGO, NOW + DAY, ca=True)
    check = explained(world.issue(), trusting(issuer([term(odd)])))[CheckId.ISSUER_TRUSTED]

    assert check.evidence is not None
    assert check.evidence["why"] == "root-of-another-key"


def test_every_purpose_has_its_words() -> None:
    """What a signer was made for is told in words, not by number."""
    assert {purpose.value.dotted_string for purpose in x509.Purpose} <= untrusted.PURPOSES.keys()
