"""Writes ``sd_jwt/*.json``: presentations that break one rule each, everything else about them being right.

Each is presented as its verifier asked for, so a rule that is switched off lets it be accepted. ``given``:
``asked`` (false: nobody asked for it), ``revoked`` (the signer's certificate is on a revocation list) and
``requested_type`` (the type that was asked for). The authority, the wallet and the verifier are those of
``tests.simulators.credential_world``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cryptography import x509 as cryptography_x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from idverify.core.verdict import CheckId
from idverify.formats import jose, x509
from tests.corpus.layout import Case, Rule, write
from tests.simulators import credential_world as world

FOLDER = "sd_jwt"

RULES: Mapping[CheckId, Mapping[str, str]] = {
    CheckId.FORMAT: {
        "header-alg": "RFC 8725 section 3.1",
        "header-typ": "RFC 8725 section 3.11; SD-JWT VC section 2.2.1",
        "header-crit": "RFC 7515 section 4.1.11",
        "header-key-source": "RFC 8725 section 3.10",
        "sd-alg-known": "RFC 9901 section 7.1 step 2.e",
        "disclosure-once": "RFC 9901 section 7.1 step 4",
        "nesting-depth": "the cap of plain JSON, disclosures included",
        "level-sd-is-digests": "RFC 9901 section 4.2.4.1",
        "level-no-ellipsis": "RFC 9901 section 4.1",
        "level-sd-alg-on-top": "RFC 9901 section 4.1.1",
        "element-is-digest": "RFC 9901 section 4.2.4.2",
        "digest-once": "RFC 9901 section 7.1 step 4",
        "property-shape": "RFC 9901 section 7.1 step 3.c.ii",
        "property-name-free": "RFC 9901 section 7.1 step 3.c.ii",
        "property-is-new": "RFC 9901 section 7.1 step 3.c.ii",
        "element-shape": "RFC 9901 section 7.1 step 3.c.iii",
        "all-referenced": "RFC 9901 section 7.1 step 5",
        "metadata-not-disclosed": "SD-JWT VC section 2.2.2.3",
        "iss": "SD-JWT VC section 2.2.2.3",
        "vct": "SD-JWT VC section 2.2.2.1",
    },
    CheckId.SIGNATURE: {"signature": "RFC 9901 section 7.1 step 2.b"},
    CheckId.ISSUER_TRUSTED: {
        "issuer-known": "RFC 9901 section 7.1 step 2.c",
        "path": "RFC 5280 section 6",
        "path-validity": "RFC 5280 section 4.1.2.5",
        "path-not-revoked": "RFC 5280 section 6.3",
        "leaf-not-ca": "RFC 5280 section 4.2.1.9",
        "leaf-key-usage": "RFC 5280 section 4.2.1.3",
        "leaf-purpose": "RFC 5280 section 4.2.1.12",
        "san-names-issuer": "SD-JWT VC section 2.5",
    },
    CheckId.TYPE_ALLOWED: {"type-allowed": "the trust store", "type-requested": "the verifier's request"},
    CheckId.VALIDITY: {
        "exp": "RFC 9901 section 9.7",
        "not-expired": "RFC 7519 section 4.1.4",
        "not-before": "RFC 7519 section 4.1.5",
        "issued-in-past": "RFC 7519 section 4.1.6",
    },
    CheckId.HOLDER_BINDING: {
        "binding-given": "RFC 9901 section 7.3 step 1",
        "binding-signature": "RFC 9901 section 7.3 step 5.c",
        "binding-sd-hash": "RFC 9901 section 7.3 step 5.g",
        "binding-recent": "RFC 9901 section 7.3 step 5.e",
        "binding-not-expired": "RFC 9901 section 7.3 step 5.h",
    },
    CheckId.AUDIENCE: {
        "aud": "RFC 9901 section 4.3",
        "binding-audience": "RFC 9901 section 7.3 step 5.f",
        "binding-nonce": "RFC 9901 section 7.3 step 5.f",
    },
}


def _rule(name: str, check: CheckId | None = None) -> Rule:
    """The rule of this name; ``check`` where several checks have one of this name."""
    (found,) = (Rule(of, name, rules[name]) for of, rules in RULES.items() if name in rules and check in {None, of})
    return found


def _case(breaks: str | None, name: str, document: bytes, at: int = world.NOW, **given: Any) -> Case:
    """A case whose document is whole: what follows the last tilde is as the case wants it."""
    return Case(None if breaks is None else _rule(breaks), name, document, at, given)


def _presented(breaks: str | None, name: str, document: bytes, at: int = world.NOW, **given: Any) -> Case:
    """A case of a document that its holder presents as asked."""
    return _case(breaks, name, world.present(document, at=at), at, **given)


def _payload(**changes: Any) -> dict[str, Any]:
    return world.payload(**{"status": {"status_list": {"idx": 5, "uri": world.STATUS_URI}}} | changes)


def _nested(levels: int) -> tuple[dict[str, Any], list[bytes]]:
    """A claim inside a disclosure inside a disclosure, ``levels`` deep."""
    value: Any = "the bottom"
    disclosures = []
    for _ in range(levels):
        encoded = world.disclosure("inside", value)
        disclosures.append(encoded)
        value = {"_sd": [world.digest(encoded)]}
    return value, disclosures


def disclosure_cases() -> Iterator[Case]:
    """RFC 9901 section 7.1."""
    named, array, odd = world.disclosure("age", 41), world.disclosure("XA"), world.disclosure("_sd", ["x"])
    a, b, c = world.digest(named), world.digest(array), world.digest(odd)
    deep, disclosures = _nested(20)
    sd_jwt = world.sd_jwt
    yield _presented(None, "nothing to disclose", sd_jwt(_payload()))
    yield _presented(
        None, "a claim and an array element", sd_jwt(_payload(_sd=[a], list=["x", {"...": b}]), [named, array])
    )
    yield _presented(None, "decoys only", sd_jwt(_payload(_sd=["decoy"], list=[{"...": "another"}])))
    yield _presented("sd-alg-known", "unknown hash", sd_jwt(_payload(_sd=[a], _sd_alg="sha-512"), [named]))
    yield _presented("disclosure-once", "disclosure sent twice", sd_jwt(_payload(_sd=[a]), [named, named]))
    yield _presented("nesting-depth", "disclosures nested 20 deep", sd_jwt(_payload(**deep), disclosures))
    yield _presented("level-sd-is-digests", "_sd with a number", sd_jwt(_payload(x={"_sd": [5]})))
    yield _presented("level-no-ellipsis", "... as a claim name", sd_jwt(_payload(x={"...": a})))
    yield _presented("level-sd-alg-on-top", "_sd_alg inside", sd_jwt(_payload(x={"_sd_alg": "sha-256"})))
    yield _presented("element-is-digest", "more than a digest", sd_jwt(_payload(list=[{"...": b, "or": 1}]), [array]))
    yield _presented("digest-once", "digest in two places", sd_jwt(_payload(_sd=[a], x={"_sd": [a]}), [named]))
    yield _presented("digest-once", "decoy in two places", sd_jwt(_payload(_sd=["decoy"], x={"_sd": ["decoy"]})))
    yield _presented("property-shape", "element as claim", sd_jwt(_payload(_sd=[b]), [array]))
    yield _presented("property-name-free", "claim named _sd", sd_jwt(_payload(_sd=[c]), [odd]))
    yield _presented("property-is-new", "claim overwritten", sd_jwt(_payload(_sd=[a], age=17), [named]))
    yield _presented("element-shape", "claim as element", sd_jwt(_payload(list=[{"...": a}]), [named]))
    yield _presented("all-referenced", "disclosure of nothing", sd_jwt(_payload(_sd=[b]), [named]))


def header_cases() -> Iterator[Case]:
    """RFC 8725: each header is signed by the right key all the same."""
    for breaks, name, changes in (
        ("header-alg", "another algorithm", {"alg": "ES384"}),
        ("header-alg", "no algorithm", {"alg": "none"}),
        ("header-alg", "a shared secret", {"alg": "HS256"}),
        ("header-typ", "another kind of token", {"typ": "kb+jwt"}),
        ("header-crit", "an extension", {"crit": ["exp"]}),
        ("header-key-source", "a key elsewhere", {"jku": "https://attacker.example/keys"}),
    ):
        yield _presented(breaks, name, world.sd_jwt(_payload(), head=world.header(**changes)))


def credential_cases() -> Iterator[Case]:
    """SD-JWT VC, RFC 7519, and who is trusted."""
    yield _presented(None, "as issued", world.issue())
    hidden = world.disclosure("nbf", world.NOW)
    digest = world.digest(hidden)
    yield _presented("metadata-not-disclosed", "hidden nbf", world.sd_jwt(_payload(_sd=[digest]), [hidden]))
    for breaks, name, changes in (
        ("metadata-not-disclosed", "digest in status", {"status": {"_sd": ["x"]}}),
        ("iss", "no issuer", {"iss": ""}),
        ("vct", "no type", {"vct": ""}),
        ("issuer-known", "another issuer", {"iss": "https://other.example"}),
        ("type-allowed", "another type", {"vct": "urn:example:visa:1"}),
        ("not-expired", "expired", {"exp": world.NOW - 60}),
        ("exp", "no expiry", {"exp": None}),
        ("not-before", "not yet", {"nbf": world.NOW + 61}),
        ("issued-in-past", "from tomorrow", {"iat": world.NOW + 61}),
    ):
        yield _presented(breaks, name, world.sd_jwt(_payload(**changes)))
    yield _presented("signature", "another key", world.sd_jwt(_payload(), key=world.STRANGER_KEY))
    library = "urn:example:library-card:1"
    yield _presented("type-requested", "not what was asked for", world.issue(), requested_type=library)


def path_cases() -> Iterator[Case]:
    """RFC 5280: one credential, signed with the issuer's key, under certificates that are wrong in one way each."""

    def under(*chain: bytes, **changes: Any) -> bytes:
        return world.sd_jwt(_payload(**changes), head=world.header(x5c=jose.x5c_header(chain)))

    def extension(certificate: bytes, kind: Any) -> Any:
        return x509.read_certificate(certificate).extensions.get_extension_for_class(kind).value

    names = (extension(world.CHAIN[0], cryptography_x509.SubjectAlternativeName), False)
    signs = (extension(world.CHAIN[0], cryptography_x509.KeyUsage), True)
    no_signing = (extension(world.ROOT, cryptography_x509.KeyUsage), True)
    purpose = (cryptography_x509.ExtendedKeyUsage([x509.Purpose.DOCUMENT.value]), True)
    authority = (cryptography_x509.BasicConstraints(ca=True, path_length=None), True)
    website = (cryptography_x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), True)
    strange = world.leaf(root_key=world.STRANGER_KEY)
    late = world.NOW + 100 * world.DAY
    yield _presented("path", "another root", under(strange))
    yield _presented("path", "the root along", under(world.CHAIN[0], world.ROOT))
    yield _presented("leaf-not-ca", "an authority", under(world.unusual_leaf([names, signs, purpose, authority])))
    yield _presented("leaf-key-usage", "no signing", under(world.unusual_leaf([names, no_signing, purpose])))
    yield _presented("leaf-purpose", "a website", under(world.unusual_leaf([names, signs, website])))
    yield _presented("leaf-purpose", "no purpose", under(world.unusual_leaf([names, signs])))
    yield _presented("leaf-purpose", "a statement signer", under(world.leaf(x509.Purpose.STATEMENT)))
    yield _presented("san-names-issuer", "another name", under(world.leaf(iss="https://other.example")))
    expired = under(world.leaf(days=90), exp=late + world.DAY)
    yield _presented("path-validity", "signer expired", expired, late)
    yield _presented("path-not-revoked", "signer revoked", world.sd_jwt(_payload()), revoked=True)


def binding_cases() -> Iterator[Case]:
    """RFC 9901 section 7.3."""
    document = world.sd_jwt(_payload())
    whole = {
        "iat": world.NOW,
        "aud": world.ASKED.audience,
        "nonce": world.ASKED.nonce,
        "sd_hash": world.digest(document),
    }

    def bound(key: Any = world.HOLDER_KEY, **changes: Any) -> bytes:
        return document + world.jwt({"alg": "ES256", "typ": "kb+jwt"}, whole | changes, key)

    yield _presented(None, "presented, not asked", document, asked=False)
    yield _case("binding-given", "not presented", document)
    yield _case("binding-signature", "another key", bound(world.STRANGER_KEY))
    yield _case("binding-signature", "another key, not asked", bound(world.STRANGER_KEY), asked=False)
    yield _case("binding-sd-hash", "other disclosures", bound(sd_hash=world.digest(b"other")))
    yield _case("binding-recent", "too old", bound(iat=world.NOW - 301))
    yield _case("binding-recent", "from the future", bound(iat=world.NOW + 61))
    yield _case("binding-not-expired", "expired", bound(exp=world.NOW - 60))
    yield _case("binding-audience", "another verifier", bound(aud="https://other.example"))
    yield _case("aud", "two verifiers", bound(aud=[world.ASKED.audience]))
    yield _case("binding-nonce", "another request", bound(nonce="other"))


def cases() -> Iterator[Case]:
    """Every case of the folder."""
    for family in (disclosure_cases, header_cases, credential_cases, path_cases, binding_cases):
        yield from family()


if __name__ == "__main__":
    write(FOLDER, cases())
