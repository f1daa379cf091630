"""Writes ``sd_jwt/*.json``: presentations that break one rule each, everything else about them being right.

Each is presented as its verifier asked for, so a rule that is switched off lets it be accepted. ``given``:
``asked`` (false: nobody asked for it), ``revoked`` (the signer's certificate is on a revocation list) and
``requested_type`` (the type that was asked for). The authority, the wallet and the verifier are those of
``tests.simulators.credential_world``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from idverify.core.verdict import CheckId
from idverify.formats import jose, key_binding, sdjwt, x509
from idverify.formats.strict_json import encode_json
from tests.corpus.layout import Case, Rule, write
from tests.simulators import credential_world as world

FOLDER = "sd_jwt"
Breaks = tuple[CheckId, str]

RULES: Mapping[CheckId, Mapping[str, str]] = {
    CheckId.SIZE: {"size": "caps before parsing"},
    CheckId.FORMAT: {
        "unknown-format": "RFC 9901 section 4",
        "plain-jwt": "RFC 9901 section 4: the last ~ must not be omitted",
        "json-serialization": "RFC 9901 section 8, which is optional",
        "base64url": "RFC 7515 section 2",
        "json": "RFC 7519 section 7.2",
        "json-depth": "caps before parsing",
        "json-duplicate-name": "RFC 7519 section 4",
        "json-number": "RFC 7493 section 2.2",
        "header-alg": "RFC 8725 section 3.1",
        "header-typ": "RFC 8725 section 3.11; SD-JWT VC section 2.2.1",
        "header-crit": "RFC 7515 section 4.1.11",
        "header-key-source": "RFC 8725 section 3.10",
        "x5c": "RFC 7515 section 4.1.6",
        "disclosure": "RFC 9901 section 4.2",
        "sd-alg-known": "RFC 9901 section 7.1 step 2.5",
        "disclosure-once": "RFC 9901 section 4: no disclosure more than once",
        "nesting-depth": "the cap of plain JSON, disclosures included",
        "level-sd-is-digests": "RFC 9901 section 4.2.4.1",
        "level-no-ellipsis": "RFC 9901 section 4.1 rule 7",
        "level-sd-alg-on-top": "RFC 9901 section 4.1.1",
        "element-is-digest": "RFC 9901 section 4.2.4.2",
        "digest-once": "RFC 9901 section 7.1 step 4",
        "property-shape": "RFC 9901 section 7.1 step 3.3.2.1",
        "property-name-free": "RFC 9901 section 7.1 step 3.3.2.2",
        "property-is-new": "RFC 9901 section 7.1 step 3.3.2.3",
        "element-shape": "RFC 9901 section 7.1 step 3.3.3.1",
        "all-referenced": "RFC 9901 section 7.1 step 5",
        "metadata-not-disclosed": "SD-JWT VC section 2.2.2.3; RFC 9901 section 9.7",
        "iss": "RFC 9901 section 7.1 step 2.3",
        "vct": "SD-JWT VC section 2.2.2.1",
        "aka-vcts": "SD-JWT VC section 2.2.2.2",
        "vct-integrity": "SD-JWT VC section 4.3",
        "status": "Token Status List section 6.2",
        "one-holder-key": "RFC 7800 section 3.1",
        "jwk": "RFC 7518 section 6.2.1",
        "jwk-kind": "RFC 7518 section 6.2.1",
        "jwk-private": "RFC 7517 section 9.2",
        "jwk-use": "RFC 7517 sections 4.2 to 4.4",
    },
    CheckId.SIGNATURE: {
        "signature": "RFC 9901 section 7.1 step 2.2",
        "certificate": "RFC 5280 section 4.1",
        "leaf-key": "RFC 7518 section 3.4",
        "size": "caps before parsing",
    },
    CheckId.ISSUER_TRUSTED: {
        "issuer-known": "RFC 9901 section 7.1 step 2.3",
        "path": "RFC 5280 section 6",
        "path-validity": "RFC 5280 section 4.1.2.5",
        "path-not-revoked": "RFC 5280 section 6.3",
        "leaf-not-ca": "RFC 5280 section 4.2.1.9",
        "leaf-key-usage": "RFC 5280 section 4.2.1.3",
        "leaf-purpose": "RFC 5280 section 4.2.1.12",
        "san-names-issuer": "SD-JWT VC section 2.5",
    },
    CheckId.TYPE_ALLOWED: {
        "type-allowed": "SD-JWT VC section 6: who may issue a type is no matter of its name",
        "type-requested": "the verifier's request",
    },
    CheckId.VALIDITY: {
        "exp": "RFC 9901 section 9.7; RFC 7519 section 4.1.4",
        "nbf": "RFC 7519 section 4.1.5",
        "iat": "RFC 7519 section 4.1.6",
        "not-expired": "RFC 9901 section 7.1 step 6; RFC 7519 section 4.1.4",
        "not-before": "RFC 9901 section 7.1 step 6; RFC 7519 section 4.1.5",
        "issued-in-past": "RFC 7519 section 4.1.6",
    },
    CheckId.STATUS: {"status-index": "Token Status List section 8.3"},
    CheckId.HOLDER_BINDING: {
        "holder-key": "RFC 9901 section 7.3 step 5.1",
        "jws": "RFC 7515 section 7.1",
        "base64url": "RFC 7515 section 2",
        "json": "RFC 7519 section 7.2",
        "header-alg": "RFC 9901 section 7.3 step 5.2",
        "header-typ": "RFC 9901 section 7.3 step 5.4",
        "header-crit": "RFC 7515 section 4.1.11",
        "header-key-source": "RFC 9901 section 4.3.2",
        "sd_hash": "RFC 9901 section 4.3",
        "iat": "RFC 9901 section 4.3",
        "binding-given": "RFC 9901 section 7.3 step 2",
        "binding-signature": "RFC 9901 section 7.3 step 5.3",
        "binding-sd-hash": "RFC 9901 section 7.3 step 5.7",
        "binding-recent": "RFC 9901 section 7.3 step 5.5",
        "binding-not-expired": "RFC 9901 section 7.3 step 5.8",
    },
    CheckId.AUDIENCE: {
        "aud": "RFC 9901 section 4.3",
        "nonce": "RFC 9901 section 4.3",
        "binding-audience": "RFC 9901 section 7.3 step 5.6",
        "binding-nonce": "RFC 9901 section 7.3 step 5.6",
        "audience-allows": "RFC 9901 section 7.1 step 6; RFC 7519 section 4.1.3",
    },
}


def _case(breaks: Breaks | None, name: str, document: bytes, at: int = world.NOW, **given: Any) -> Case:
    """A case whose document is whole: what follows the last tilde is as the case wants it."""
    rule = None if breaks is None else Rule(breaks[0], breaks[1], RULES[breaks[0]][breaks[1]])
    return Case(rule, name, document, at, given)


def _presented(breaks: Breaks | None, name: str, document: bytes, at: int = world.NOW, **given: Any) -> Case:
    """A case of a document that its holder presents as asked."""
    return _case(breaks, name, world.present(document, at=at), at, **given)


def _malformed(rule: str, name: str, document: bytes) -> Case:
    """A case of a presentation that cannot be read."""
    return _presented((CheckId.FORMAT, rule), name, document)


def _payload(**changes: Any) -> dict[str, Any]:
    return world.payload(**{"status": {"status_list": {"idx": 5, "uri": world.STATUS_URI}}} | changes)


def _signed(header: bytes, payload: bytes) -> bytes:
    """An SD-JWT of parts that are encoded already, whatever they are."""
    unsigned = header + b"." + payload
    return jose.jws(unsigned, world.sign(world.ISSUER_KEY, unsigned)) + b"~"


def _encoded(text: bytes) -> bytes:
    return jose.b64url_encode(text).encode("ascii")


_HEADER = _encoded(encode_json(world.header()))


def framing_cases() -> Iterator[Case]:
    """Bytes that are no SD-JWT, or one whose parts cannot be read."""
    whole = world.sd_jwt(_payload())
    header, payload, signature = whole.rstrip(b"~").split(b".")
    said = encode_json(_payload())
    flattened = {"payload": payload.decode(), "protected": header.decode(), "signature": signature.decode()}
    general = {"payload": payload.decode(), "signatures": [{"protected": header.decode()}]}
    yield _case((CheckId.FORMAT, "unknown-format"), "nothing", b"")
    yield _case((CheckId.FORMAT, "unknown-format"), "a letter", b"Dear officer, this is my status.")
    yield _case((CheckId.FORMAT, "unknown-format"), "bytes", bytes(range(256)))
    yield _case((CheckId.FORMAT, "plain-jwt"), "the tilde left away", whole.rstrip(b"~"))
    yield _case((CheckId.FORMAT, "json-serialization"), "flattened", encode_json(flattened))
    yield _case((CheckId.FORMAT, "json-serialization"), "general", encode_json(general))
    yield _case((CheckId.SIZE, "size"), "257 disclosures", whole + b"AA~" * (sdjwt.MAX_DISCLOSURES + 1))
    large = world.header(x=["A" * jose.MAX_HEADER])
    many = _payload(x=[{}] * sdjwt.MAX_CONTAINERS)
    yield _presented((CheckId.SIZE, "size"), "a thousand objects", world.sd_jwt(many))
    yield _presented((CheckId.SIZE, "size"), "a large header", world.sd_jwt(_payload(), head=large))
    for name, document in (
        ("four parts", b".".join([header, payload, signature, signature]) + b"~"),
        ("padding", _signed(_HEADER, payload + b"=")),
        ("a line break", _signed(_HEADER, payload[:40] + b"\n" + payload[40:])),
        ("a space before it", b" " + whole),
    ):
        yield _malformed("unknown-format", name, document)
    odd = _encoded(said + b" " * ((1 - len(said)) % 3))
    spare = odd[:-1] + bytes([odd[-1] + 1])
    yield _malformed("base64url", "spare bits", _signed(_HEADER, spare))
    yield _malformed("base64url", "a disclosure in base64", whole + base64.b64encode(b'["~~~~?>", "a", 1]') + b"~")


def json_cases() -> Iterator[Case]:
    """Signed by the issuer, and still with more than one reading."""
    said = encode_json(_payload())
    named, twice = said[:-1], encode_json(_payload(exp=1))
    for rule, name, text in (
        ("json", "no JSON", b"expires never"),
        ("json", "an array", b"[" + said + b"]"),
        ("json", "more behind it", said + b"{}"),
        ("json", "not UTF-8", named + b',"name":"\xff"}'),
        ("json", "half a surrogate", named + b',"name":"\\ud800"}'),
        ("json", "NaN", named + b',"weight":NaN}'),
        ("json", "no number", named + b',"weight":1e999}'),
        ("json", "a comment", said + b"// nothing"),
        ("json-duplicate-name", "two expiries", twice[:-1] + b"," + said[1:]),
        ("json-duplicate-name", "escaped the second time", named + b',"ex\\u0070":9999999999}'),
        ("json-number", "beyond 2^53", named + b',"number":9007199254740993}'),
        ("json-depth", "17 deep", named + b',"deep":' + b"[" * 17 + b"]" * 17 + b"}"),
    ):
        yield _malformed(rule, name, _signed(_HEADER, _encoded(text)))
    doubled = _encoded(b'["salt","work",{"allowed":"no","allowed":"yes"}]')
    hidden = world.sd_jwt(_payload(_sd=[world.digest(doubled)]), [doubled])
    yield _malformed("json-duplicate-name", "in a disclosure", hidden)


def header_cases() -> Iterator[Case]:
    """RFC 8725: each header is signed by the right key all the same; ``None`` takes a member out."""
    jwk = jose.public_jwk(world.STRANGER_KEY.public_key())
    for rule, name, changes in (
        ("header-alg", "another algorithm", {"alg": "ES384"}),
        ("header-alg", "no algorithm", {"alg": "none"}),
        ("header-alg", "no algorithm, spelt otherwise", {"alg": "nOnE"}),
        ("header-alg", "a shared secret", {"alg": "HS256"}),
        ("header-alg", "a list of algorithms", {"alg": ["ES256"]}),
        ("header-alg", "alg left out", {"alg": None}),
        ("header-typ", "the draft's former type", {"typ": "vc+sd-jwt"}),
        ("header-typ", "a JWT", {"typ": "JWT"}),
        ("header-typ", "another kind of token", {"typ": "kb+jwt"}),
        ("header-typ", "typ left out", {"typ": None}),
        ("header-crit", "an extension", {"crit": ["exp"]}),
        ("header-crit", "a payload that is not encoded", {"b64": False}),
        ("header-key-source", "a key elsewhere", {"jku": "https://attacker.example/keys"}),
        ("header-key-source", "a certificate elsewhere", {"x5u": "https://attacker.example/certificate"}),
        ("header-key-source", "a key of its own", {"jwk": jwk}),
        ("header-key-source", "no certificate", {"x5c": None}),
        ("x5c", "no list", {"x5c": jose.x5c_header(world.CHAIN)[0]}),
        ("x5c", "an empty list", {"x5c": []}),
        ("x5c", "four certificates", {"x5c": jose.x5c_header(world.CHAIN * 4)}),
        ("x5c", "base64url", {"x5c": ["-_-_"]}),
    ):
        head = {member: value for member, value in world.header(**changes).items() if value is not None}
        yield _malformed(rule, name, world.sd_jwt(_payload(), head=head))


def _nested(levels: int, wrap: Callable[[str], Any], *named: str) -> tuple[Any, list[bytes]]:
    """A value inside a disclosure inside a disclosure, ``levels`` deep."""
    value: Any = "the bottom"
    disclosures = []
    for _ in range(levels):
        encoded = world.disclosure(*named, value)
        disclosures.append(encoded)
        value = wrap(world.digest(encoded))
    return value, disclosures


def _in_claim(digest: str) -> dict[str, Any]:
    return {"_sd": [digest]}


def _in_list(digest: str) -> list[Any]:
    return [{"...": digest}]


def disclosure_cases() -> Iterator[Case]:
    """RFC 9901 section 7.1 step 3: the form of each disclosure, and where it may go."""
    named, array = world.disclosure("age", 41), world.disclosure("XA")
    a, b = world.digest(named), world.digest(array)
    sd_jwt = world.sd_jwt

    def hidden(disclosure: bytes, **changes: Any) -> bytes:
        return sd_jwt(_payload(_sd=[world.digest(disclosure)], **changes), [disclosure])

    yield _presented(None, "nothing to disclose", sd_jwt(_payload()))
    yield _presented(None, "a claim and an element", sd_jwt(_payload(_sd=[a], list=["x", {"...": b}]), [named, array]))
    yield _presented(None, "decoys only", sd_jwt(_payload(_sd=["decoy"], list=[{"...": "another"}])))
    for name, wrap, names in (("claims", _in_claim, ["inside"]), ("elements", _in_list, [])):
        value, disclosures = _nested(10, wrap, *names)
        yield _presented(None, f"{name} nested 10 deep", sd_jwt(_payload(x=value), disclosures))
        value, disclosures = _nested(20, wrap, *names)
        yield _malformed("nesting-depth", f"{name} nested 20 deep", sd_jwt(_payload(x=value), disclosures))
    crowds = [world.disclosure(name, [{}] * (sdjwt.MAX_CONTAINERS // 2)) for name in ("x", "y")]
    crowded = _payload(_sd=[world.digest(crowd) for crowd in crowds])
    yield _presented((CheckId.SIZE, "size"), "two crowds of objects", sd_jwt(crowded, crowds))
    for name, elements in (
        ("an object", {"salt": "x", "name": "age", "value": 41}),
        ("a text", "salt"),
        ("a salt alone", ["salt"]),
        ("four elements", ["salt", "age", 41, "more"]),
        ("a number for a salt", [7, "age", 41]),
        ("an empty array", []),
    ):
        yield _malformed("disclosure", name, hidden(_encoded(encode_json(elements))))
    yield _malformed("property-shape", "element as claim", sd_jwt(_payload(_sd=[b]), [array]))
    yield _malformed("property-shape", "a number for a name", hidden(world.disclosure(7, 41)))
    yield _malformed("property-name-free", "claim named _sd", hidden(world.disclosure("_sd", ["x"])))
    yield _malformed("property-name-free", "claim named ...", hidden(world.disclosure("...", "x")))
    yield _malformed("property-name-free", "claim named _sd_alg", hidden(world.disclosure("_sd_alg", "md5")))
    yield _malformed("property-is-new", "claim overwritten", hidden(named, age=17))
    other = world.disclosure("age", 17)
    both = _payload(_sd=[a, world.digest(other)])
    yield _malformed("property-is-new", "one claim disclosed twice", sd_jwt(both, [named, other]))
    yield _malformed("property-is-new", "issuer overwritten", hidden(world.disclosure("iss", "https://other.example")))
    yield _malformed("element-shape", "claim as element", sd_jwt(_payload(list=[{"...": a}]), [named]))


def digest_cases() -> Iterator[Case]:
    """RFC 9901 sections 4.1, 4.2.4 and 7.1 steps 3 to 5: where digests stand."""
    named, array = world.disclosure("age", 41), world.disclosure("XA")
    a, b = world.digest(named), world.digest(array)
    inner = world.disclosure("x", {"_sd": [a]})
    outer = world.digest(inner)
    sd_jwt = world.sd_jwt
    yield _malformed("sd-alg-known", "another hash", sd_jwt(_payload(_sd=[a], _sd_alg="sha-512"), [named]))
    yield _malformed("sd-alg-known", "a truncated hash", sd_jwt(_payload(_sd=[a], _sd_alg="sha-256-32"), [named]))
    yield _malformed("sd-alg-known", "a list of hashes", sd_jwt(_payload(_sd=[a], _sd_alg=["sha-256"]), [named]))
    yield _malformed("sd-alg-known", "no hash at all", sd_jwt(_payload() | {"_sd_alg": None}))
    yield _malformed("disclosure-once", "disclosure sent twice", sd_jwt(_payload(_sd=[a]), [named, named]))
    for name, level in (("a number", [5]), ("an object", {"0": a}), ("text", a), ("null", None), ("a list", [[a]])):
        yield _malformed("level-sd-is-digests", f"_sd with {name}", sd_jwt(_payload(x={"_sd": level})))
    yield _malformed("level-no-ellipsis", "... as a claim name", sd_jwt(_payload(x={"...": a})))
    element = world.disclosure({"...": a})
    within = sd_jwt(_payload(list=[{"...": world.digest(element)}]), [element])
    yield _malformed("level-no-ellipsis", "... as an element's value", within)
    yield _malformed("level-sd-alg-on-top", "_sd_alg inside", sd_jwt(_payload(x={"_sd_alg": "sha-256"})))
    algorithm = world.disclosure("x", {"_sd_alg": "sha-256"})
    disclosed = sd_jwt(_payload(_sd=[world.digest(algorithm)]), [algorithm])
    yield _malformed("level-sd-alg-on-top", "_sd_alg in a disclosure", disclosed)
    yield _malformed("element-is-digest", "more than a digest", sd_jwt(_payload(list=[{"...": b, "or": 1}]), [array]))
    yield _malformed("element-is-digest", "a number for a digest", sd_jwt(_payload(list=[{"...": 5}])))
    yield _malformed("digest-once", "digest in two places", sd_jwt(_payload(_sd=[a], x={"_sd": [a]}), [named]))
    yield _malformed("digest-once", "digest twice in one place", sd_jwt(_payload(_sd=[a, a]), [named]))
    yield _malformed("digest-once", "decoy in two places", sd_jwt(_payload(_sd=["decoy"], x={"_sd": ["decoy"]})))
    again = sd_jwt(_payload(_sd=[outer, "decoy"], list=[{"...": "decoy"}]), [inner, named])
    yield _malformed("digest-once", "decoy of a claim and of an element", again)
    yield _malformed("all-referenced", "disclosure of nothing", sd_jwt(_payload(_sd=[b]), [named]))
    yield _malformed("all-referenced", "a part without its whole", sd_jwt(_payload(_sd=[outer]), [named]))


def claim_cases() -> Iterator[Case]:
    """SD-JWT VC section 2.2.2, RFC 7519 and RFC 7800: claims that a verifier needs, in the form that it needs."""
    yield _presented(None, "as issued", world.issue())
    more = {"aka_vcts": ["urn:example:status"], "vct#integrity": "sha256-" + "A" * 43 + "=", "sub": "somebody"}
    yield _presented(None, "more types and an integrity", world.sd_jwt(_payload(**more)))
    for name in ("exp", "nbf", "cnf", "vct", "status", "iss"):
        value = _payload(nbf=world.NOW)[name]
        hidden = world.disclosure(name, value)
        document = world.sd_jwt(_payload(_sd=[world.digest(hidden)], **{name: None}), [hidden])
        yield _malformed("metadata-not-disclosed", f"hidden {name}", document)
    holder = {"kty": "EC", "crv": "P-256", "_sd": ["x"]}
    for rule, name, changes in (
        ("metadata-not-disclosed", "a digest in status", {"status": {"_sd": ["x"]}}),
        ("metadata-not-disclosed", "a digest in the holder's key", {"cnf": {"jwk": holder}}),
        ("iss", "no issuer", {"iss": ""}),
        ("iss", "two issuers", {"iss": [world.ISS]}),
        ("vct", "no type", {"vct": ""}),
        ("vct", "a list of types", {"vct": [world.VCT]}),
        ("aka-vcts", "no list", {"aka_vcts": world.VCT}),
        ("aka-vcts", "an empty list", {"aka_vcts": []}),
        ("aka-vcts", "a number", {"aka_vcts": [7]}),
        ("aka-vcts", "the type again", {"aka_vcts": [world.VCT]}),
        ("vct-integrity", "a hash of its own making", {"vct#integrity": "md5-1B2M2Y8AsgTpgAmY7PhCfg=="}),
        ("vct-integrity", "no text", {"vct#integrity": 7}),
        ("status", "text", {"status": "valid"}),
        ("status", "another kind", {"status": {"identifier_list": {}}}),
        ("status", "a negative index", {"status": {"status_list": {"idx": -1, "uri": world.STATUS_URI}}}),
        ("status", "truth for an index", {"status": {"status_list": {"idx": True, "uri": world.STATUS_URI}}}),
        ("status", "no address", {"status": {"status_list": {"idx": 5}}}),
    ):
        yield _malformed(rule, name, world.sd_jwt(_payload(**changes)))


def holder_key_cases() -> Iterator[Case]:
    """RFC 7800 and RFC 7517: the key that the document is bound to."""
    jwk = jose.public_jwk(world.HOLDER_KEY.public_key())
    for rule, name, confirmed in (
        ("one-holder-key", "another key elsewhere", {"jwk": jwk, "jku": "https://attacker.example/keys"}),
        ("one-holder-key", "another key, hidden", {"jwk": jwk, "jwe": "eyJhbGciOiJSU0EtT0FFUCJ9.A.A.A.A"}),
        ("jwk", "no key", {"kid": "1"}),
        ("jwk", "a thumbprint", {"jwk": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        ("jwk", "a coordinate left out", {"jwk": {name: jwk[name] for name in ("kty", "crv", "x")}}),
        ("jwk", "a short coordinate", {"jwk": jwk | {"x": jwk["x"][:40]}}),
        ("jwk", "no point of the curve", {"jwk": jwk | {"y": jwk["x"]}}),
        ("jwk-kind", "another curve", {"jwk": jwk | {"crv": "P-384"}}),
        ("jwk-kind", "a shared secret", {"jwk": jwk | {"kty": "oct"}}),
        ("jwk-private", "the private part", {"jwk": jwk | {"d": jwk["x"]}}),
        ("jwk-use", "for encryption", {"jwk": jwk | {"use": "enc"}}),
        ("jwk-use", "for deriving keys", {"jwk": jwk | {"key_ops": ["deriveKey"]}}),
        ("jwk-use", "for another algorithm", {"jwk": jwk | {"alg": "ES384"}}),
    ):
        yield _malformed(rule, name, world.sd_jwt(_payload(cnf=confirmed)))


def signature_cases() -> Iterator[Case]:
    """RFC 9901 section 7.1 step 2.2."""
    document = world.sd_jwt(_payload())
    signed, signature = document.rstrip(b"~").rsplit(b".", 1)
    raw = jose.b64url_decode(signature, "a signature")
    altered = signed.replace(_HEADER + b".", _HEADER + b".").split(b".")[0]
    other = altered + b"." + _encoded(encode_json(_payload(vct=world.VCT, name="Mallory")))
    signature_of = (CheckId.SIGNATURE, "signature")
    yield _presented(signature_of, "another key", world.sd_jwt(_payload(), key=world.STRANGER_KEY))
    for name, message, made in (
        ("another payload", other, raw),
        ("a byte too many", signed, raw + b"\0"),
        ("in DER", signed, jose.der_signature(raw)),
        ("nothing", signed, b""),
        ("zeros", signed, bytes(64)),
        ("the halves changed over", signed, raw[32:] + raw[:32]),
    ):
        yield _presented(signature_of, name, jose.jws(message, made) + b"~")
    head = world.header(x5c=["AAAA"])
    yield _presented((CheckId.SIGNATURE, "certificate"), "no certificate", world.sd_jwt(_payload(), head=head))
    large = world.header(x5c=jose.x5c_header((bytes(x509.MAX_CERTIFICATE + 1),)))
    yield _presented((CheckId.SIGNATURE, "size"), "a large certificate", world.sd_jwt(_payload(), head=large))
    curve = world.leaf(key=ec.derive_private_key(1002, ec.SECP384R1()))
    strange = world.header(x5c=jose.x5c_header((curve,)))
    yield _presented((CheckId.SIGNATURE, "leaf-key"), "another curve", world.sd_jwt(_payload(), head=strange))


def policy_cases() -> Iterator[Case]:
    """Well signed, and from nobody, of no type, or of no time that is relied on here."""
    for check, rule, name, changes in (
        (CheckId.ISSUER_TRUSTED, "issuer-known", "another issuer", {"iss": "https://other.example"}),
        (CheckId.ISSUER_TRUSTED, "issuer-known", "almost the issuer", {"iss": world.ISS + "/"}),
        (CheckId.TYPE_ALLOWED, "type-allowed", "another type", {"vct": "urn:example:visa:1"}),
        (
            CheckId.TYPE_ALLOWED,
            "type-allowed",
            "a type by another name",
            {"vct": "urn:example:visa:1", "aka_vcts": [world.VCT]},
        ),
        (CheckId.VALIDITY, "not-expired", "expired", {"exp": world.NOW - 60}),
        (CheckId.VALIDITY, "not-expired", "expired in 1970", {"exp": 0}),
        (CheckId.VALIDITY, "exp", "no expiry", {"exp": None}),
        (CheckId.VALIDITY, "exp", "expiry as text", {"exp": "2099-01-01"}),
        (CheckId.VALIDITY, "exp", "expiry with a fraction", {"exp": world.NOW + 60.5}),
        (CheckId.VALIDITY, "exp", "truth for an expiry", {"exp": True}),
        (CheckId.VALIDITY, "not-before", "not yet", {"nbf": world.NOW + 61}),
        (CheckId.VALIDITY, "nbf", "beginning as text", {"nbf": "now"}),
        (CheckId.VALIDITY, "issued-in-past", "from tomorrow", {"iat": world.NOW + 61}),
        (CheckId.VALIDITY, "iat", "issued at a negative time", {"iat": -1}),
        (CheckId.AUDIENCE, "audience-allows", "for another verifier", {"aud": "https://other.example"}),
        (CheckId.AUDIENCE, "audience-allows", "for two others", {"aud": ["https://other.example", "x"]}),
    ):
        yield _presented((check, rule), name, world.sd_jwt(_payload(**changes)))
    ours = _payload(aud=["https://other.example", world.ASKED.audience])
    yield _presented(None, "for us among others", world.sd_jwt(ours))
    asked_by = world.sd_jwt(_payload(aud=world.ASKED.audience))
    yield _case((CheckId.AUDIENCE, "audience-allows"), "for somebody, and nobody asked", asked_by, asked=False)
    library = "urn:example:library-card:1"
    yield _presented(
        (CheckId.TYPE_ALLOWED, "type-requested"), "not what was asked", world.issue(), requested_type=library
    )
    beyond = {"status_list": {"idx": 1_000_000, "uri": world.STATUS_URI}}
    yield _presented((CheckId.STATUS, "status-index"), "beyond the list", world.sd_jwt(_payload(status=beyond)))


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
    rooted = world.header(x5c=jose.x5c_header((world.ROOT,)))
    strange = world.leaf(root_key=world.STRANGER_KEY)
    late = world.NOW + 100 * world.DAY
    both = [x509.Purpose.DOCUMENT.value, x509.Purpose.STATEMENT.value]
    two_purposes = (cryptography_x509.ExtendedKeyUsage(both), True)
    unknown = cryptography_x509.UnrecognizedExtension(cryptography_x509.ObjectIdentifier("2.25.1"), b"\x05\x00")
    for rule, name, document in (
        ("path", "another root", under(strange)),
        ("path", "the root along", under(world.CHAIN[0], world.ROOT)),
        ("path", "an extension to understand", under(world.unusual_leaf([names, signs, purpose, (unknown, True)]))),
        ("path", "another certificate along", under(world.CHAIN[0], strange)),
        ("path", "the root itself", world.sd_jwt(_payload(), head=rooted, key=world.ROOT_KEY)),
        ("leaf-not-ca", "an authority", under(world.unusual_leaf([names, signs, purpose, authority]))),
        ("leaf-key-usage", "no signing", under(world.unusual_leaf([names, no_signing, purpose]))),
        ("leaf-key-usage", "no usage", under(world.unusual_leaf([names, purpose]))),
        ("leaf-purpose", "a website", under(world.unusual_leaf([names, signs, website]))),
        ("leaf-purpose", "no purpose", under(world.unusual_leaf([names, signs]))),
        ("leaf-purpose", "two purposes", under(world.unusual_leaf([names, signs, two_purposes]))),
        ("leaf-purpose", "a statement signer", under(world.leaf(x509.Purpose.STATEMENT))),
        ("san-names-issuer", "another name", under(world.leaf(iss="https://other.example"))),
        ("san-names-issuer", "no name", under(world.unusual_leaf([signs, purpose]))),
    ):
        yield _presented((CheckId.ISSUER_TRUSTED, rule), name, document)
    expired = under(world.leaf(days=90), exp=late + world.DAY)
    yield _presented((CheckId.ISSUER_TRUSTED, "path-validity"), "signer expired", expired, late)
    early = world.NOW - 2 * world.DAY
    unborn = under(world.CHAIN[0], iat=None)
    yield _presented((CheckId.ISSUER_TRUSTED, "path-validity"), "signer to come", unborn, early)
    revoked = world.sd_jwt(_payload())
    yield _presented((CheckId.ISSUER_TRUSTED, "path-not-revoked"), "signer revoked", revoked, revoked=True)


def binding_cases() -> Iterator[Case]:
    """RFC 9901 sections 4.3 and 7.3; ``None`` takes a member out."""
    document = world.sd_jwt(_payload())
    header = {"alg": "ES256", "typ": "kb+jwt"}
    whole = {
        "iat": world.NOW,
        "aud": world.ASKED.audience,
        "nonce": world.ASKED.nonce,
        "sd_hash": world.digest(document),
    }

    def bound(key: Any = world.HOLDER_KEY, head: Mapping[str, Any] | None = None, **changes: Any) -> bytes:
        said = {name: value for name, value in (whole | changes).items() if value is not None}
        typed = {name: value for name, value in {**header, **(head or {})}.items() if value is not None}
        return document + world.jwt(typed, said, key)

    def raw(head: bytes, claims: bytes) -> bytes:
        unsigned = head + b"." + claims
        return document + jose.jws(unsigned, world.sign(world.HOLDER_KEY, unsigned))

    jwk = jose.public_jwk(world.STRANGER_KEY.public_key())
    head = _encoded(encode_json(header))
    other = world.sd_jwt(_payload(exp=world.NOW + 2 * world.DAY))
    moved = other + world.present(document).rpartition(b"~")[2]
    nobody = world.sd_jwt(_payload(cnf=None))
    yield _presented(None, "presented, not asked", document, asked=False)
    for rule, name, presented in (
        ("binding-given", "not presented", document),
        ("holder-key", "bound to nobody", world.present(nobody)),
        ("jws", "two parts", document + b"eyJhbGciOiJFUzI1NiJ9.e30"),
        ("json", "no claims", raw(head, _encoded(b"[]"))),
        ("base64url", "padding", raw(head, _encoded(b"{}") + b"=")),
        ("header-alg", "no algorithm", bound(head={"alg": "none"})),
        ("header-alg", "a shared secret", bound(head={"alg": "HS256"})),
        ("header-typ", "a JWT", bound(head={"typ": "JWT"})),
        ("header-typ", "a key proof", bound(head={"typ": "openid4vci-proof+jwt"})),
        ("header-typ", "typ left out", bound(head={"typ": None})),
        ("header-crit", "an extension", bound(head={"crit": ["exp"]})),
        ("header-key-source", "a key of its own", bound(world.STRANGER_KEY, {"jwk": jwk})),
        ("binding-signature", "another key", bound(world.STRANGER_KEY)),
        ("binding-signature", "the issuer's key", bound(world.ISSUER_KEY)),
        ("binding-sd-hash", "other disclosures", bound(sd_hash=world.digest(b"other"))),
        ("binding-sd-hash", "of another document", moved),
        ("sd_hash", "of no document", bound(sd_hash=None)),
        ("sd_hash", "a list of documents", bound(sd_hash=[world.digest(document)])),
        ("iat", "of no time", bound(iat=None)),
        ("iat", "time as text", bound(iat="now")),
        ("binding-recent", "too old", bound(iat=world.NOW - key_binding.MAX_AGE - 1)),
        ("binding-recent", "from 2001", bound(iat=1_000_000_000)),
        ("binding-recent", "from the future", bound(iat=world.NOW + 61)),
        ("binding-not-expired", "expired", bound(exp=world.NOW - 60)),
        ("binding-not-expired", "not yet", bound(nbf=world.NOW + 61)),
    ):
        yield _case((CheckId.HOLDER_BINDING, rule), name, presented)
    stolen = bound(world.STRANGER_KEY)
    yield _case((CheckId.HOLDER_BINDING, "binding-signature"), "another key, not asked", stolen, asked=False)
    for rule, name, changes in (
        ("binding-audience", "another verifier", {"aud": "https://other.example"}),
        ("aud", "two verifiers", {"aud": [world.ASKED.audience]}),
        ("aud", "no verifier", {"aud": None}),
        ("binding-nonce", "another request", {"nonce": "other"}),
        ("nonce", "no request", {"nonce": None}),
        ("nonce", "a number for a request", {"nonce": 7}),
    ):
        yield _case((CheckId.AUDIENCE, rule), name, bound(**changes))


FAMILIES: tuple[Callable[[], Iterator[Case]], ...] = (
    framing_cases,
    json_cases,
    header_cases,
    disclosure_cases,
    digest_cases,
    claim_cases,
    holder_key_cases,
    signature_cases,
    policy_cases,
    path_cases,
    binding_cases,
)


def cases() -> Iterator[Case]:
    """Every case of the folder."""
    for family in FAMILIES:
        yield from family()


if __name__ == "__main__":
    write(FOLDER, cases())
