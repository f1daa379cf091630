"""SD-JWT (RFC 9901): claims that the holder shows one by one, each salted, hashed and covered by one signature.

``select`` is the wallet's half, ``read`` and ``disclose`` the verifier's; the issuer's is ``sdjwt_conceal``.
A path names a place in the claims: ``("address", "country")``, ``("nationalities", 0)``. The rules of section 7.1
are small functions in the tables below; each raises a ``DocumentError`` that bears its name. Signatures and dates
are the caller's business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from idverify.core.credential import Place
from idverify.errors import DocumentError
from idverify.formats.jose import b64url_decode, b64url_encode
from idverify.formats.strict_json import MAX_DEPTH, parse_each, parse_object

MAX_DOCUMENT = 64 * 1024
MAX_DISCLOSURES = 256
MAX_CONTAINERS = 1024  # objects and arrays, of the payload and of all disclosures: each is walked, and has two bytes
SD, ELLIPSIS, SD_ALG = "_sd", "...", "_sd_alg"
RESERVED = frozenset({SD, ELLIPSIS, SD_ALG})
TOP: Place = ()
_TEXT, _CONTAINERS = frozenset({str}), frozenset({dict, list})


@dataclass(slots=True)
class Disclosure:
    """One disclosure as received: its digest and its array ``[salt, name, value]`` or ``[salt, value]``."""

    encoded: bytes
    digest: str
    elements: list[Any]


class SdJwt(NamedTuple):
    """An SD-JWT or SD-JWT+KB, split. ``presented`` is what ``sd_hash`` covers: all up to and with the last tilde."""

    issuer_signed: bytes
    disclosures: tuple[Disclosure, ...]
    presented: bytes
    key_binding: bytes | None


class Disclosed(NamedTuple):
    """The processed payload, and where each embedded digest stood (an undisclosed one: the place it is listed)."""

    claims: dict[str, Any]
    places: Mapping[str, Place]


def digest_of(encoded: bytes) -> str:
    """Section 4.2.3: base64url of SHA-256 over the ASCII bytes as received."""
    return b64url_encode(hashlib.sha256(encoded).digest())


# --- section 7.1, rule by rule -----------------------------------------------------------------------------------


def sd_alg_known(payload: Mapping[str, Any]) -> None:
    """7.1 step 2.5: a hash function of ours."""
    if payload.get(SD_ALG, "sha-256") != "sha-256":
        raise DocumentError("sd-alg-known", f"_sd_alg must be sha-256; got {str(payload[SD_ALG])[:40]}.")


def disclosure_once(disclosure: Disclosure, others: Mapping[str, Disclosure]) -> None:
    """7.1 step 4 seen from the other side: the same disclosure twice is the same digest twice."""
    if disclosure.digest in others:
        raise DocumentError("disclosure-once", "A disclosure was sent twice; send each once.")


def nesting_depth(path: Place) -> None:
    """Disclosures inside disclosures add up; together they stay under the same cap as plain JSON."""
    if len(path) >= MAX_DEPTH:
        raise DocumentError("nesting-depth", f"Claims may be nested {MAX_DEPTH} deep, disclosures included; got more.")


def level_sd_is_digests(level: Mapping[str, Any], _path: Place) -> None:
    """4.1 rule 7 and 4.2.4.1: ``_sd`` is an array of strings or is not there."""
    if SD not in level:
        return
    if type(level[SD]) is not list or not _TEXT.issuperset(map(type, level[SD])):
        raise DocumentError("level-sd-is-digests", "_sd must be an array of digests.")


def level_no_ellipsis(level: Mapping[str, Any], _path: Place) -> None:
    """4.1 rule 7: ``...`` is no claim name."""
    if ELLIPSIS in level:
        raise DocumentError("level-no-ellipsis", "The name ... may stand only for an array element.")


def level_sd_alg_on_top(level: Mapping[str, Any], path: Place) -> None:
    """4.1.1: ``_sd_alg`` stands at the top level only."""
    if path and SD_ALG in level:
        raise DocumentError("level-sd-alg-on-top", "_sd_alg may stand only at the top level.")


def element_is_digest(element: Mapping[str, Any]) -> None:
    """4.2.4.2: a hidden array element is one key, ``...``, that refers to a string."""
    if len(element) != 1 or type(element[ELLIPSIS]) is not str:
        raise DocumentError("element-is-digest", "A hidden array element must be {...: digest} and nothing else.")


def digest_once(digest: str, places: Mapping[str, Place]) -> None:
    """7.1 step 4: no digest stands in two places."""
    if digest in places:
        raise DocumentError("digest-once", f"The digest {digest[:12]}... stands in two places.")


def property_shape(disclosure: Disclosure, _level: Mapping[str, Any]) -> None:
    """7.1 step 3.3.2.1: salt, claim name, claim value."""
    if len(disclosure.elements) != 3 or type(disclosure.elements[1]) is not str:
        raise DocumentError("property-shape", "The disclosure of a claim must be [salt, name, value].")


def property_name_free(disclosure: Disclosure, _level: Mapping[str, Any]) -> None:
    """7.1 step 3.3.2.2, and 4.1.1 for ``_sd_alg``: names with a meaning of their own."""
    if disclosure.elements[1] in RESERVED:
        raise DocumentError("property-name-free", f"A disclosure must not be named {disclosure.elements[1]}.")


def property_is_new(disclosure: Disclosure, level: Mapping[str, Any]) -> None:
    """7.1 step 3.3.2.3: a disclosure never overwrites a claim."""
    if disclosure.elements[1] in level:
        raise DocumentError("property-is-new", f"The claim {disclosure.elements[1]!r} is there already.")


def element_shape(disclosure: Disclosure) -> None:
    """7.1 step 3.3.3.1: salt, value."""
    if len(disclosure.elements) != 2:
        raise DocumentError("element-shape", "The disclosure of an array element must be [salt, value].")


def all_referenced(disclosures: Mapping[str, Disclosure], places: Mapping[str, Place]) -> None:
    """7.1 step 5: no disclosure without its digest in what was signed. Both are by digest."""
    if not disclosures.keys() <= places.keys():
        raise DocumentError("all-referenced", "A disclosure belongs to nothing that the issuer signed.")


PAYLOAD_RULES: tuple[Callable[[Mapping[str, Any]], None], ...] = (sd_alg_known,)
DISCLOSURE_RULES: tuple[Callable[[Disclosure, Mapping[str, Disclosure]], None], ...] = (disclosure_once,)
NESTING_RULES: tuple[Callable[[Place], None], ...] = (nesting_depth,)
LEVEL_RULES: tuple[Callable[[Mapping[str, Any], Place], None], ...] = (
    level_sd_is_digests,
    level_no_ellipsis,
    level_sd_alg_on_top,
)
ARRAY_RULES: tuple[Callable[[Mapping[str, Any]], None], ...] = (element_is_digest,)
DIGEST_RULES: tuple[Callable[[str, Mapping[str, Place]], None], ...] = (digest_once,)
PROPERTY_RULES: tuple[Callable[[Disclosure, Mapping[str, Any]], None], ...] = (
    property_shape,
    property_name_free,
    property_is_new,
)
ELEMENT_RULES: tuple[Callable[[Disclosure], None], ...] = (element_shape,)
WHOLE_RULES: tuple[Callable[[Mapping[str, Disclosure], Mapping[str, Place]], None], ...] = (all_referenced,)


# --- reading ------------------------------------------------------------------------------------------------------


def _disclosures(encoded: list[bytes]) -> tuple[Disclosure, ...]:
    arrays = parse_each([b64url_decode(part, "A disclosure") for part in encoded], "A disclosure", MAX_CONTAINERS)
    for elements in arrays:
        if type(elements) is not list or len(elements) not in {2, 3} or type(elements[0]) is not str:
            raise DocumentError("disclosure", "A disclosure must be an array of a salt and two or one more elements.")
    return tuple(map(Disclosure, encoded, map(digest_of, encoded), arrays))


def read(document: bytes) -> SdJwt:
    """Section 7.1 step 1, with caps. Raises ``DocumentError``: ``size``, ``sd-jwt``, ``disclosure``, ``json...``."""
    if len(document) > MAX_DOCUMENT:
        raise DocumentError("size", f"An SD-JWT may be {MAX_DOCUMENT} bytes long; got {len(document)}.")
    tildes = document.count(b"~")
    if not tildes:
        raise DocumentError("sd-jwt", "An SD-JWT must have a ~ after the signed part and after each disclosure.")
    if tildes - 1 > MAX_DISCLOSURES:
        raise DocumentError("size", f"An SD-JWT may have {MAX_DISCLOSURES} disclosures; got {tildes - 1}.")
    issuer_signed, *encoded, key_binding = document.split(b"~")
    presented = document[: len(document) - len(key_binding)]
    return SdJwt(issuer_signed, _disclosures(encoded), presented, key_binding or None)


class _Disclosing:
    """One walk through the payload (section 7.1 steps 3.2 and 3.3), which the disclosed values are part of."""

    def __init__(self, disclosures: Iterable[Disclosure]) -> None:
        self.by_digest: dict[str, Disclosure] = {}
        self.places: dict[str, Place] = {}
        for disclosure in disclosures:
            for rule in DISCLOSURE_RULES:
                rule(disclosure, self.by_digest)
            self.by_digest[disclosure.digest] = disclosure

    def inside(self, container: Any, path: Place, step: str | int) -> Any:
        """What is shown of an object or array at ``step`` below ``path``."""
        place = (*path, step)
        for rule in NESTING_RULES:
            rule(place)
        return self.members(container, place) if type(container) is dict else self.elements(container, place)

    def members(self, level: dict[str, Any], path: Place) -> dict[str, Any]:
        if not RESERVED.isdisjoint(level):
            for level_rule in LEVEL_RULES:
                level_rule(level, path)
        shown = dict(level)
        digests = shown.pop(SD, ())
        for name, value in shown.items():
            if type(value) in _CONTAINERS:
                shown[name] = self.inside(value, path, name)
        for digest in digests:
            disclosure = self.find(digest, path)
            if disclosure is None:
                continue
            for rule in PROPERTY_RULES:
                rule(disclosure, shown)
            name, value = disclosure.elements[1], disclosure.elements[-1]
            self.places[digest] = (*path, name)
            shown[name] = self.inside(value, path, name) if type(value) in _CONTAINERS else value
        return shown

    def elements(self, elements: list[Any], path: Place) -> list[Any]:
        shown = []
        for index, element in enumerate(elements):
            value = element
            if type(element) is dict and ELLIPSIS in element:
                for array_rule in ARRAY_RULES:
                    array_rule(element)
                disclosure = self.find(element[ELLIPSIS], (*path, index))
                if disclosure is None:
                    continue
                for rule in ELEMENT_RULES:
                    rule(disclosure)
                value = disclosure.elements[-1]
            shown.append(self.inside(value, path, index) if type(value) in _CONTAINERS else value)
        return shown

    def find(self, digest: str, place: Place) -> Disclosure | None:
        for rule in DIGEST_RULES:
            rule(digest, self.places)
        self.places[digest] = place
        return self.by_digest.get(digest)


def _shown_flat(payload: dict[str, Any], disclosures: Sequence[Disclosure]) -> Disclosed | None:
    """What the walk makes of the plainest documents, at a third of its cost: claims hidden at the top, whole.

    It refuses nothing. Where anything else is to be seen, right or wrong, it leaves the document to the walk; so no
    rule stands here. Depth was capped when payload and disclosures were parsed, and at the top they add up to no more.
    """
    digests = payload.get(SD)
    if payload.get(SD_ALG) != "sha-256" or type(digests) is not list or not _TEXT.issuperset(map(type, digests)):
        return None
    claims, places = dict(payload), dict.fromkeys(digests, TOP)
    del claims[SD], claims[SD_ALG]
    for disclosure in disclosures:
        if disclosure.digest not in places or len(disclosure.elements) != 3:
            return None
        _, name, value = disclosure.elements
        if type(name) is not str or name in claims:
            return None
        claims[name] = value
        places[disclosure.digest] = (name,)
    return Disclosed(claims, places) if len(places) == len(digests) and _hides_nothing(claims) else None


def _hides_nothing(claims: dict[str, Any]) -> bool:
    """Whether no name inside means anything to the walk: as we write JSON, a name is spelt in one way."""
    try:
        written = orjson.dumps(claims)
    except orjson.JSONEncodeError:
        return False
    return b'"_sd' not in written and b'"..."' not in written


def disclose(payload: dict[str, Any], disclosures: Sequence[Disclosure]) -> Disclosed:
    """Section 7.1 steps 2.5 to 5: the processed payload. Raises ``DocumentError`` with the broken rule's name."""
    flat = _shown_flat(payload, disclosures)
    if flat is not None:
        return flat
    for payload_rule in PAYLOAD_RULES:
        payload_rule(payload)
    disclosing = _Disclosing(disclosures)
    claims = disclosing.members(payload, TOP)
    for rule in WHOLE_RULES:
        rule(disclosing.by_digest, disclosing.places)
    claims.pop(SD_ALG, None)
    return Disclosed(claims, disclosing.places)


# --- the wallet ---------------------------------------------------------------------------------------------------


def _wanted(place: Place, wish: Place) -> bool:
    shorter = min(len(place), len(wish))
    return place[:shorter] == wish[:shorter]


def select(document: bytes, wishes: Iterable[Place]) -> bytes:
    """Section 7.2: the SD-JWT with only those disclosures that show ``wishes``, what leads there and what is inside.

    Raises ``DocumentError`` when the document breaks a rule of section 7.1, or comes with a key binding.
    """
    sd_jwt, asked = read(document), tuple(wishes)
    if sd_jwt.key_binding is not None:
        raise DocumentError("issued-without-binding", "What an issuer hands out must end with ~; it has a key binding.")
    payload = sd_jwt.issuer_signed.split(b".")[1:2]
    if not payload:
        raise DocumentError("jws", "The signed part must be three parts with dots between them.")
    signed = parse_object(b64url_decode(payload[0], "The payload"), "The payload", MAX_CONTAINERS)
    places = disclose(signed, sd_jwt.disclosures).places
    kept = [part.encoded for part in sd_jwt.disclosures if any(_wanted(places[part.digest], wish) for wish in asked)]
    return b"~".join([sd_jwt.issuer_signed, *kept, b""])
