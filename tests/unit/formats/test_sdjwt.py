"""SD-JWT against other people's examples, against the reference library, and against what that library lets pass."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

from idverify.core.credential import Place
from idverify.errors import DocumentError
from idverify.formats import jose, key_binding, sdjwt
from idverify.formats.base import HolderBindingExpected
from idverify.formats.sdjwt_conceal import conceal
from idverify.formats.strict_json import parse_object
from tests.simulators import credential_world as world
from tests.unit.formats.conftest import VECTORS

PLAIN = jose.TokenProfile("An SD-JWT", "example+sd-jwt", None)
VC = jose.TokenProfile("An SD-JWT VC", "dc+sd-jwt", None)
ORACLE_KEY = JWK.from_pyca(world.ISSUER_KEY)


class Hidden:
    """A value, or a claim's name, behind the tag ``!sd``."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and self.value == other.value


class Specification(yaml.SafeLoader):
    """The YAML of the examples."""


def _hidden(loader: Specification, node: yaml.Node) -> Hidden:
    if isinstance(node, yaml.ScalarNode):
        tag = loader.resolve(yaml.ScalarNode, node.value, (node.style is None, node.style is not None))
        return Hidden(loader.construct_object(yaml.ScalarNode(tag, node.value)))
    if isinstance(node, yaml.SequenceNode):
        return Hidden(loader.construct_sequence(node, deep=True))
    assert isinstance(node, yaml.MappingNode)
    return Hidden(loader.construct_mapping(node, deep=True))


Specification.add_constructor("!sd", _hidden)


def plain_and_paths(value: Any, path: Place = ()) -> tuple[Any, list[Place]]:
    """Tagged claims as claims without tags and the paths of what was tagged."""
    if isinstance(value, Hidden):
        plain, paths = plain_and_paths(value.value, path)
        return plain, [path, *paths]
    items: list[tuple[Any, Any]]
    if isinstance(value, dict):
        items = [
            (name.value, Hidden(item)) if isinstance(name, Hidden) else (name, item) for name, item in value.items()
        ]
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return value, []
    parts = {name: plain_and_paths(item, (*path, name)) for name, item in items}
    found = [place for _, paths in parts.values() for place in paths]
    shown = {name: plain for name, (plain, _) in parts.items()}
    return (shown if isinstance(value, dict) else list(shown.values())), found


def tagged_for_oracle(value: Any) -> Any:
    """The same claims with the library's own mark."""
    if isinstance(value, Hidden):
        return SDObj(tagged_for_oracle(value.value))
    if isinstance(value, dict):
        return {
            SDObj(name.value) if isinstance(name, Hidden) else name: tagged_for_oracle(item)
            for name, item in value.items()
        }
    return [tagged_for_oracle(item) for item in value] if isinstance(value, list) else value


def wishes(frame: Any, path: Place = ()) -> Iterator[Place]:
    """The paths that a presentation frame asks for."""
    if isinstance(frame, Mapping) and frame:
        for name, inside in frame.items():
            yield from wishes(inside, (*path, name))
    elif isinstance(frame, list) and frame:
        for index, inside in enumerate(frame):
            yield from wishes(inside, (*path, index))
    elif frame is True or (isinstance(frame, str) and frame):
        yield path


def claims_of(document: str | bytes, profile: jose.TokenProfile = PLAIN) -> dict[str, Any]:
    """The processed payload of an SD-JWT, read by us."""
    sd_jwt = sdjwt.read(document if isinstance(document, bytes) else document.encode("ascii"))
    token = jose.read_jws(sd_jwt.issuer_signed, profile)
    jose.verify_signature(token, world.ISSUER_KEY.public_key(), "the example")
    return sdjwt.disclose(parse_object(token.payload, "The payload"), sd_jwt.disclosures).claims


def issued_by_us(claims: dict[str, Any], paths: list[Place]) -> bytes:
    """An SD-JWT of any claims, concealed by us."""
    concealed = conceal(claims, paths, world.entropy(), decoys=2)
    head = {"alg": "ES256", "typ": "example+sd-jwt"}
    return world.sd_jwt(concealed.payload, concealed.disclosures, head=head)


def specifications() -> list[Path]:
    """Every example of the drafts and of the reference library."""
    return sorted((VECTORS / "sd-jwt").glob("*/**/specification.yml"))


@pytest.fixture(params=specifications() or [None], ids=lambda path: "none" if path is None else path.parent.name)
def specification(request: pytest.FixtureRequest, third_party: Path) -> dict[str, Any]:
    """One example."""
    loaded = yaml.load(request.param.read_text(), Specification)  # noqa: S506 - derives from SafeLoader
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture(autouse=True)
def _quiet_oracle() -> None:
    logging.getLogger("sd_jwt").setLevel(logging.ERROR)


def oracle_verdict(document: str) -> Any:
    """What the reference library reads."""
    return SDJWTVerifier(document, lambda _iss, _header: ORACLE_KEY, None, None).get_verified_payload()


def test_what_we_issue_the_library_reads(specification: dict[str, Any]) -> None:
    """Our SD-JWT of each example, shown whole: we and the library read the claims that went in."""
    claims, paths = plain_and_paths(specification["user_claims"])
    document = issued_by_us(claims, paths)
    assert claims_of(document) == claims
    assert oracle_verdict(document.decode()) == claims


def test_what_the_library_issues_we_read(specification: dict[str, Any]) -> None:
    """The library's SD-JWT of each example, and what its holder shows of it: we read what the library reads."""
    claims, _ = plain_and_paths(specification["user_claims"])
    issued = SDJWTIssuer(tagged_for_oracle(specification["user_claims"]), ORACLE_KEY).sd_jwt_issuance
    assert claims_of(issued) == claims
    holder = SDJWTHolder(issued)
    holder.create_presentation(specification.get("holder_disclosed_claims", {}))
    shown = claims_of(holder.sd_jwt_presentation)
    assert shown == oracle_verdict(holder.sd_jwt_presentation)
    if "expect_verified_user_claims" in specification:
        assert shown == specification["expect_verified_user_claims"]


def test_what_our_wallet_shows_is_what_was_asked(specification: dict[str, Any]) -> None:
    """Our selection of each example shows the disclosures that lead to, or lie in, what the example asks for."""
    claims, paths = plain_and_paths(specification["user_claims"])
    asked = list(wishes(specification.get("holder_disclosed_claims", {})))
    shown = sdjwt.select(issued_by_us(claims, paths), asked)
    due = [path for path in paths if any(path[: len(wish)] == wish[: len(path)] for wish in asked)]
    assert len(sdjwt.read(shown).disclosures) == len(due)
    assert claims_of(shown) == oracle_verdict(shown.decode())


def frame_paths(frame: Mapping[str, Any], claims: Any, path: Place = ()) -> Iterator[Place]:
    """The paths that a disclosure frame of the JavaScript library hides."""
    step = int if isinstance(claims, list) else str
    yield from ((*path, step(name)) for name in frame.get("_sd", ()))
    for name, inside in frame.items():
        if not name.startswith("_sd"):
            yield from frame_paths(inside, claims[step(name)], (*path, step(name)))


def frame_wishes(frame: Any, claims: Any, path: Place = ()) -> Iterator[Place]:
    """The paths that a presentation frame of the JavaScript library asks for."""
    if frame is True:
        yield path
        return
    step = int if isinstance(claims, list) else str
    for name, inside in frame.items():
        if step is int and int(name) >= len(claims):
            continue  # one example asks for an element that its list does not have
        yield from frame_wishes(inside, claims[step(name)], (*path, step(name)))


# RFC 9901 section 7.1 step 3.5: an object of which nothing is shown is empty; the example leaves it out.
CORRECTED: Mapping[str, Any] = {"array_none_disclosed": {"is_over": {}}}


def javascript_examples() -> list[Path]:
    """The examples of the JavaScript library."""
    return sorted((VECTORS / "sd-jwt" / "sd-jwt-js-core").glob("*.json"))


@pytest.mark.parametrize(
    "path", javascript_examples() or [None], ids=lambda path: "none" if path is None else path.stem
)
def test_javascript_example(path: Path, third_party: Path) -> None:
    """We hide and show what the JavaScript library hides and shows."""
    example = json.loads(path.read_text())
    claims = example["claims"]
    document = issued_by_us(claims, list(frame_paths(example["disclosureFrame"], claims)))
    assert claims_of(document) == claims
    shown = claims_of(sdjwt.select(document, frame_wishes(example["presentationFrames"], claims)))
    assert shown == CORRECTED.get(path.stem, example["presentedClaims"])


def _unwrapped(path: Path) -> bytes:
    return path.read_bytes().replace(b"\n", b"").strip()


def test_presentation_of_openid4vp(third_party: Path) -> None:
    """The complete example of OpenID4VP 1.0: issuer's signature, disclosure, key binding, and the payload."""
    folder = third_party / "sd-jwt" / "oid4vp-1.0"
    sd_jwt = sdjwt.read(_unwrapped(folder / "sd_jwt_presentation.txt"))
    settings = yaml.safe_load((third_party / "sd-jwt/spec/examples/settings.yml").read_text())["key_settings"]
    issuer, holder = settings["issuer_keys"][0], settings["holder_key"]
    token = jose.read_jws(sd_jwt.issuer_signed, VC)
    jose.verify_signature(token, jose.public_key({n: issuer[n] for n in ("kty", "crv", "x", "y")}), "the example")
    claims = sdjwt.disclose(parse_object(token.payload, "The payload"), sd_jwt.disclosures).claims
    assert claims == json.loads((folder / "verified_contents.json").read_text())
    assert claims["cnf"]["jwk"]["x"] == holder["x"]
    assert sd_jwt.key_binding is not None
    holder_key = jose.public_key(claims["cnf"]["jwk"])
    binding = key_binding.read(sd_jwt.key_binding, sd_jwt.presented, holder_key, 1744743394)
    assert binding.claims == json.loads((folder / "kb_jwt_payload.json").read_text())
    expected = HolderBindingExpected("https://verifier.example.org", "1234567890")
    for rule in (*key_binding.BINDING_RULES, *key_binding.REPLAY_RULES):
        rule(binding)
    for audience_rule in key_binding.AUDIENCE_RULES:
        audience_rule(binding, expected)


def test_issuance_of_openid4vp_selected(third_party: Path) -> None:
    """Our wallet makes the presented SD-JWT of the example from the issued one, byte by byte."""
    folder = third_party / "sd-jwt" / "oid4vp-1.0"
    selected = sdjwt.select(_unwrapped(folder / "sd_jwt_issuance.txt"), [("ld", "credentialSubject", "givenName")])
    assert selected == sdjwt.read(_unwrapped(folder / "sd_jwt_presentation.txt")).presented


@pytest.mark.parametrize("document", [b"", b"~", b"a", b"a.b.c", b"a.b.c~!~", b"~~~", b"a.b.c~AAAA~", b"a~bnVsbA~"])
def test_a_broken_sd_jwt_is_refused(document: bytes) -> None:
    """Without tildes, with empty or broken parts: refused with a rule."""
    with pytest.raises(DocumentError):
        world.FORMAT.read(document)


@pytest.mark.parametrize("document", [b"a" * (sdjwt.MAX_DOCUMENT + 1), b"a.b.c" + b"~" * (sdjwt.MAX_DISCLOSURES + 2)])
def test_sizes_are_capped_before_parsing(document: bytes) -> None:
    """Too many bytes or disclosures are refused as such."""
    with pytest.raises(DocumentError) as too_large:
        sdjwt.read(document)
    assert too_large.value.rule == "size"


def test_as_many_disclosures_as_allowed() -> None:
    """The cap itself is allowed."""
    disclosures = [world.disclosure(f"claim {number}", number) for number in range(sdjwt.MAX_DISCLOSURES)]
    document = world.sd_jwt(world.payload(_sd=[world.digest(one) for one in disclosures]), disclosures)
    assert len(world.FORMAT.read(document).claims) == sdjwt.MAX_DISCLOSURES


def test_array_disclosures_cannot_nest_without_end() -> None:
    """Two hundred arrays, each inside a disclosure of the next, are refused and not walked."""
    value: Any = "bottom"
    disclosures = []
    for _ in range(200):
        disclosures.append(world.disclosure(value))
        value = [{"...": world.digest(disclosures[-1])}]
    with pytest.raises(DocumentError) as too_deep:
        world.FORMAT.read(world.sd_jwt(world.payload(list=value), disclosures))
    assert too_deep.value.rule == "nesting-depth"


def test_a_wallet_takes_no_key_binding_from_an_issuer() -> None:
    """RFC 9901 section 7.2: what an issuer hands out is bound by the wallet, and by nobody before it."""
    with pytest.raises(DocumentError) as bound:
        sdjwt.select(world.present(world.issue()), [("work",)])
    assert bound.value.rule == "issued-without-binding"


@pytest.mark.parametrize(
    ("claims", "path"),
    [
        ({"_sd": []}, ()),
        ({"a": {"...": 1}}, ()),
        ({"a": 1}, ("b",)),
        ({"a": 1}, ("a", "b")),
        ({"a": [1]}, ("a", 1)),
        ({"a": [1]}, ("a", 0, "b")),
    ],
)
def test_conceal_refuses_what_it_must_not_issue(claims: dict[str, Any], path: Place) -> None:
    """Reserved names and paths that lead nowhere are our mistake, found before anything is signed."""
    with pytest.raises(ValueError, match=r"reserves it|nothing to hide"):
        conceal(claims, [path] if path else [], world.entropy())


def test_decoys_hide_how_much_is_hidden() -> None:
    """Decoys stand among the digests, in an order that tells nothing."""
    concealed = conceal({"a": 1, "b": 2}, [("a",)], world.entropy(), decoys=3)
    assert len(concealed.payload["_sd"]) == 4
    assert concealed.payload["_sd"] == sorted(concealed.payload["_sd"])
    assert len(concealed.disclosures) == 1
