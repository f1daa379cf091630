"""Writes ``credentials/*.json``: valid documents, and for each rule of ours one document that breaks it alone.

Run from the root of the project: ``python -m tests.vectors.make_credential_vectors``. Keys, salts and signatures are
fixed, so a second run writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography import x509 as cryptography_x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from idverify.core.credential import Issuer
from idverify.formats import jose, key_proof, status_list, x509
from tests.simulators import credential_world as world

FOLDER = Path(__file__).parent / "credentials"
NONCE = "tZignsnFbp"


@dataclass(frozen=True)
class Case:
    """One document at one time. ``breaks`` is the rule that refuses it (``None``: it holds)."""

    name: str
    document: str
    breaks: str | None = None
    at: int = world.NOW
    asked: bool = False
    revoked: bool = False


def _case(name: str, document: bytes, breaks: str | None = None, **how: Any) -> Case:
    return Case(name, document.decode("ascii"), breaks, **how)


def _nested(levels: int) -> tuple[dict[str, Any], list[bytes]]:
    """A claim inside a disclosure inside a disclosure, ``levels`` deep."""
    value: Any = "the bottom"
    disclosures = []
    for _ in range(levels):
        encoded = world.disclosure("inside", value)
        disclosures.append(encoded)
        value = {"_sd": [world.digest(encoded)]}
    return value, disclosures


def sd_jwt_cases() -> Iterator[Case]:
    """RFC 9901 section 7.1."""
    named, array, odd = world.disclosure("age", 41), world.disclosure("XA"), world.disclosure("_sd", ["x"])
    a, b, c = world.digest(named), world.digest(array), world.digest(odd)
    deep, disclosures = _nested(20)
    payload, sd_jwt = world.payload, world.sd_jwt
    yield _case("nothing to disclose", sd_jwt(payload()))
    yield _case("a claim and an array element", sd_jwt(payload(_sd=[a], list=["x", {"...": b}]), [named, array]))
    yield _case("decoys only", sd_jwt(payload(_sd=["decoy"], list=[{"...": "another"}])))
    yield _case("unknown hash", sd_jwt(payload(_sd=[a], _sd_alg="sha-512"), [named]), "sd-alg-known")
    yield _case("disclosure sent twice", sd_jwt(payload(_sd=[a]), [named, named]), "disclosure-once")
    yield _case("disclosures nested 20 deep", sd_jwt(payload(**deep), disclosures), "nesting-depth")
    yield _case("_sd with a number", sd_jwt(payload(x={"_sd": [5]})), "level-sd-is-digests")
    yield _case("... as a claim name", sd_jwt(payload(x={"...": a})), "level-no-ellipsis")
    yield _case("_sd_alg inside", sd_jwt(payload(x={"_sd_alg": "sha-256"})), "level-sd-alg-on-top")
    yield _case("more than a digest", sd_jwt(payload(list=[{"...": b, "or": 1}]), [array]), "element-is-digest")
    yield _case("digest in two places", sd_jwt(payload(_sd=[a], x={"_sd": [a]}), [named]), "digest-once")
    yield _case("decoy in two places", sd_jwt(payload(_sd=["decoy"], x={"_sd": ["decoy"]})), "digest-once")
    yield _case("element as claim", sd_jwt(payload(_sd=[b]), [array]), "property-shape")
    yield _case("claim named _sd", sd_jwt(payload(_sd=[c]), [odd]), "property-name-free")
    yield _case("claim overwritten", sd_jwt(payload(_sd=[a], age=17), [named]), "property-is-new")
    yield _case("claim as element", sd_jwt(payload(list=[{"...": a}]), [named]), "element-shape")
    yield _case("disclosure of nothing", sd_jwt(payload(_sd=[b]), [named]), "all-referenced")


def header_cases() -> Iterator[Case]:
    """RFC 8725: each header is signed by the right key all the same."""
    for name, changes, breaks in (
        ("another algorithm", {"alg": "ES384"}, "header-alg"),
        ("no algorithm", {"alg": "none"}, "header-alg"),
        ("a shared secret", {"alg": "HS256"}, "header-alg"),
        ("another kind of token", {"typ": "kb+jwt"}, "header-typ"),
        ("an extension", {"crit": ["exp"]}, "header-crit"),
        ("a key elsewhere", {"jku": "https://attacker.example/keys"}, "header-key-source"),
    ):
        yield _case(name, world.sd_jwt(world.payload(), head=world.header(**changes)), breaks)


def sd_jwt_vc_cases() -> Iterator[Case]:
    """draft-ietf-oauth-sd-jwt-vc-25, RFC 7519, and who is trusted."""
    yield _case("as issued", world.issue())
    hidden = world.disclosure("nbf", world.NOW)
    yield _case(
        "hidden nbf", world.sd_jwt(world.payload(_sd=[world.digest(hidden)]), [hidden]), "metadata-not-disclosed"
    )
    yield _case("digest in cnf", world.sd_jwt(world.payload(status={"_sd": ["x"]})), "metadata-not-disclosed")
    yield _case("no issuer", world.sd_jwt(world.payload(iss="")), "iss")
    yield _case("no type", world.sd_jwt(world.payload(vct="")), "vct")
    yield _case("another key", world.sd_jwt(world.payload(), key=world.STRANGER_KEY), "signature")
    yield _case("another issuer", world.sd_jwt(world.payload(iss="https://other.example")), "issuer-known")
    yield _case("another type", world.sd_jwt(world.payload(vct="urn:example:visa:1")), "type-allowed")
    yield _case("expired", world.sd_jwt(world.payload(exp=world.NOW - 60)), "not-expired")
    yield _case("no expiry", world.sd_jwt(world.payload(exp=None)), "exp")
    yield _case("not yet", world.sd_jwt(world.payload(nbf=world.NOW + 61)), "not-before")
    yield _case("from tomorrow", world.sd_jwt(world.payload(iat=world.NOW + 61)), "issued-in-past")


def path_cases() -> Iterator[Case]:
    """RFC 5280: one credential, signed with the issuer's key, under certificates that are wrong in one way each."""

    def under(*chain: bytes, **changes: Any) -> bytes:
        return world.sd_jwt(world.payload(**changes), head=world.header(x5c=jose.x5c_header(chain)))

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
    yield _case("another root", under(strange), "path")
    yield _case("the root along", under(world.CHAIN[0], world.ROOT), "path")
    yield _case("an authority", under(world.unusual_leaf([names, signs, purpose, authority])), "leaf-not-ca")
    yield _case("no signing", under(world.unusual_leaf([names, no_signing, purpose])), "leaf-key-usage")
    yield _case("a website", under(world.unusual_leaf([names, signs, website])), "leaf-purpose")
    yield _case("no purpose", under(world.unusual_leaf([names, signs])), "leaf-purpose")
    yield _case("a statement signer", under(world.leaf(x509.Purpose.STATEMENT)), "leaf-purpose")
    yield _case("another name", under(world.leaf(iss="https://other.example")), "san-names-issuer")
    yield _case("signer expired", under(world.leaf(days=90), exp=late + world.DAY), "path-validity", at=late)
    yield _case("signer revoked", world.sd_jwt(world.payload()), "path-not-revoked", revoked=True)


def key_binding_cases() -> Iterator[Case]:
    """RFC 9901 section 7.3."""
    document = world.sd_jwt(world.payload())
    whole = {
        "iat": world.NOW,
        "aud": world.ASKED.audience,
        "nonce": world.ASKED.nonce,
        "sd_hash": world.digest(document),
    }
    head = {"alg": "ES256", "typ": "kb+jwt"}

    def bound(key: Any = world.HOLDER_KEY, **changes: Any) -> bytes:
        return document + world.jwt(head, whole | changes, key)

    yield _case("presented", world.present(document), asked=True)
    yield _case("presented, not asked", world.present(document))
    yield _case("not presented", document, "binding-given", asked=True)
    yield _case("another key", bound(world.STRANGER_KEY), "signature", asked=True)
    yield _case("another key, not asked", bound(world.STRANGER_KEY), "signature")
    yield _case("other disclosures", bound(sd_hash=world.digest(b"other")), "binding-sd-hash", asked=True)
    yield _case("too old", bound(iat=world.NOW - 301), "binding-recent", asked=True)
    yield _case("from the future", bound(iat=world.NOW + 61), "binding-recent", asked=True)
    yield _case("expired", bound(exp=world.NOW - 60), "binding-not-expired", asked=True)
    yield _case("another verifier", bound(aud="https://other.example"), "binding-audience", asked=True)
    yield _case("two verifiers", bound(aud=[world.ASKED.audience]), "aud", asked=True)
    yield _case("another request", bound(nonce="other"), "binding-nonce", asked=True)


def key_proof_cases() -> Iterator[Case]:
    """OpenID4VCI 1.0 appendix F."""
    jwk = jose.public_jwk(world.HOLDER_KEY.public_key())
    whole = {"aud": world.ISS, "iat": world.NOW, "nonce": NONCE}
    head = {"alg": "ES256", "typ": key_proof.PROFILE.typ, "jwk": jwk}
    yield _case("as prepared", world.jwt(head, whole, world.HOLDER_KEY))
    for name, key, changed_head, changed, breaks in (
        ("another key", world.STRANGER_KEY, {}, {}, "signature"),
        ("another issuer", world.HOLDER_KEY, {}, {"aud": "https://other.example"}, "proof-audience"),
        ("another nonce", world.HOLDER_KEY, {}, {"nonce": "other"}, "proof-nonce"),
        ("too old", world.HOLDER_KEY, {}, {"iat": world.NOW - 301}, "proof-recent"),
        ("from the future", world.HOLDER_KEY, {}, {"iat": world.NOW + 61}, "proof-recent"),
        ("expired", world.HOLDER_KEY, {}, {"exp": world.NOW - 60}, "proof-not-expired"),
        ("private parts", world.HOLDER_KEY, {"jwk": jwk | {"d": "AA"}}, {}, "jwk-private"),
        ("another curve", world.HOLDER_KEY, {"jwk": jwk | {"crv": "P-384"}}, {}, "jwk"),
        ("two keys", world.HOLDER_KEY, {"kid": "1"}, {}, "header-key-source"),
        ("another kind", world.HOLDER_KEY, {"typ": "JWT"}, {}, "header-typ"),
    ):
        yield _case(name, world.jwt(head | changed_head, whole | changed, key), breaks)


def status_list_cases() -> Iterator[Case]:
    """Token Status List section 8.3."""
    statuses = status_list.pack(16, 2, {5: status_list.StatusValue.INVALID})
    whole = status_list.StatusListClaims(world.STATUS_URI, world.NOW, world.NOW + 3600, 300)

    def listed(key: Any = world.ISSUER_KEY, chain: tuple[bytes, ...] = world.CHAIN, **changes: Any) -> bytes:
        claims = status_list.StatusListClaims(**(asdict(whole) | changes))
        unsigned = status_list.prepare(statuses, claims, Issuer(world.ISS, chain, b""))
        return status_list.seal(unsigned, world.sign(key, unsigned.payload))

    yield _case("as issued", listed())
    yield _case("by a statement signer", listed(chain=(world.leaf(x509.Purpose.STATEMENT),)))
    yield _case("another key", listed(world.STRANGER_KEY), "signature")
    yield _case("another root", listed(chain=(world.leaf(root_key=world.STRANGER_KEY),)), "path")
    yield _case("another list", listed(uri=f"{world.ISS}/status/2"), "list-uri")
    yield _case("from the future", listed(issued_at=world.NOW + 61), "list-issued")
    yield _case("expired", listed(expires_at=world.NOW), "list-not-expired")
    yield _case("no time to live", listed(ttl=0), "list-ttl")


FAMILIES: dict[str, Callable[[], Iterator[Case]]] = {
    "sd_jwt": sd_jwt_cases,
    "header": header_cases,
    "sd_jwt_vc": sd_jwt_vc_cases,
    "path": path_cases,
    "key_binding": key_binding_cases,
    "key_proof": key_proof_cases,
    "status_list": status_list_cases,
}


def text(family: str) -> str:
    """The file of one family."""
    return json.dumps([asdict(case) for case in FAMILIES[family]()], indent=1) + "\n"


def load(family: str) -> list[Case]:
    """The cases of one family, from its file."""
    return [Case(**case) for case in json.loads((FOLDER / f"{family}.json").read_text())]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in FAMILIES:
        (FOLDER / f"{name}.json").write_text(text(name))
