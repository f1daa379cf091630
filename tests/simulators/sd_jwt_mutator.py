"""SD-JWT presentations in the hands of somebody who has seen some genuine ones and holds keys of their own.

A genuine answer to the verifier's request is taken apart; a few parts are drawn anew, taken from other genuine
documents or left out, and the whole is encoded again, signed with a stranger's keys or not at all. Most still parse,
and are put to the rules behind. The rest are raw: bytes turned, cut off or put in. None of them may ever be accepted.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

import orjson

from idverify.core.credential import StatusReference
from idverify.formats import jose, sdjwt
from idverify.formats.base import HolderBindingExpected
from tests.simulators import credential_world as world

RAW: Final = 16  # of so many documents one has its bytes changed, whatever they meant
_OTHER_HOLDER: Final = world.private_key(1005)
_OTHER_REQUEST: Final = HolderBindingExpected("https://other.example", "another")
_SHOWN: Final = [("work",), ("birthdate",), ("nationalities",)]


def _genuine(names: list[tuple[str, ...]], asked: HolderBindingExpected = world.ASKED, at: int = world.NOW) -> bytes:
    return world.present(sdjwt.select(world.issue(), names), asked, at)


GENUINE: Final = _genuine(_SHOWN)
# What else somebody may have seen: other disclosures, other requests, other times, and the copy itself.
SEEN: Final = (
    GENUINE,
    _genuine([]),
    _genuine(_SHOWN, _OTHER_REQUEST),
    _genuine(_SHOWN, at=world.NOW - world.DAY),
    world.issue(),
    world.issue(replace(world.credential(), status=StatusReference(world.STATUS_URI, 6))),
)
ACCEPTED: Final = frozenset({GENUINE, SEEN[1]})  # these answer the request, and are nobody's mutants
_STRANGE_CHAIN: Final = (world.leaf(key=world.STRANGER_KEY, root_key=world.STRANGER_KEY),)
_CHAINS: Final = (world.CHAIN, _STRANGE_CHAIN, (world.ROOT,), (*world.CHAIN, world.ROOT), (*_STRANGE_CHAIN, world.ROOT))
_KEYS: Final = (world.STRANGER_KEY, _OTHER_HOLDER)


@dataclass
class Parts:
    """A presentation, taken apart. A token of ``None`` is made anew from its header and claims."""

    header: dict[str, Any]
    payload: dict[str, Any]
    disclosures: list[bytes]
    binding_header: dict[str, Any]
    binding: dict[str, Any]
    token: bytes | None
    binding_token: bytes | None
    key: Any = world.STRANGER_KEY
    binding_key: Any = world.STRANGER_KEY
    signature: bytes | None = None
    rehashed: bool = field(default=False)


def mutant(random: Random) -> bytes:
    """A document that is none of the genuine ones."""
    if random.randrange(RAW) == RAW // 2:  # not at the ends, where a fuzzer's bytes mostly are
        return _spoiled(random, random.choice(SEEN))
    parts = _parts(random.choice(SEEN[:4]))
    for change in random.sample(_CHANGES, random.choice((1, 1, 1, 2, 3))):
        change(random, parts)
    return _encoded(parts)


def _parts(document: bytes) -> Parts:
    sd_jwt = sdjwt.read(document)
    header, payload = (_decoded(part) for part in sd_jwt.issuer_signed.split(b".")[:2])
    binding = sd_jwt.key_binding or b""
    binding_header, claims = (_decoded(part) for part in binding.split(b".")[:2])
    encoded = [one.encoded for one in sd_jwt.disclosures]
    return Parts(header, payload, encoded, binding_header, claims, sd_jwt.issuer_signed, binding)


def _decoded(part: bytes) -> dict[str, Any]:
    value = orjson.loads(base64.urlsafe_b64decode(part + b"=="))
    assert isinstance(value, dict)
    return value


def _encoded(parts: Parts) -> bytes:
    token = parts.token
    if token is None:
        token = world.jwt(parts.header, parts.payload, parts.key)
        if parts.signature is not None:
            token = jose.jws(token.rpartition(b".")[0], parts.signature)
    presented = b"~".join([token, *parts.disclosures, b""])
    binding = parts.binding_token
    if binding is None:
        said = {**parts.binding, "sd_hash": world.digest(presented)} if parts.rehashed else parts.binding
        binding = world.jwt(parts.binding_header, said, parts.binding_key)
    return presented + binding


def _spoiled(random: Random, document: bytes) -> bytes:
    changed, at = bytearray(document), random.randrange(len(document))
    match random.randrange(4):
        case 0:
            changed[at] ^= random.randrange(1, 256)
        case 1:
            del changed[at:]
        case 2:
            changed[at:at] = random.randbytes(random.randrange(1, 9))
        case _:
            changed[at] = random.choice(b".~AaZ09-_=")
    return bytes(changed)


_SCALARS: Final = (
    *(None, True, False, 0, -1, 1, world.NOW, 2**53 - 1, 1 - 2**53, 0.5, -1e300, 1e-9),
    *("", "x", "yes", "\u2028é", "..." * 9, world.ISS, world.VCT, "A" * 43),
)


def _value(random: Random, depth: int = 0) -> Any:
    """Any JSON, names with a meaning of their own among it."""
    match random.randrange(16):
        case 0:
            return {random.choice(("_sd", "...", "_sd_alg", "jwk", "x")): _digests(random)}
        case 1:
            return [{"...": random.choice(_digests(random) or ["x"])}]
        case 2 | 3 | 4 if depth < 3:
            return [_value(random, depth + 1) for _ in range(random.randrange(4))]
        case 5 | 6 | 7 if depth < 3:
            return {random.choice("abc"): _value(random, depth + 1) for _ in range(random.randrange(4))}
        case _:
            return random.choice(_SCALARS)


def _digests(random: Random) -> list[str]:
    return [world.digest(random.randbytes(4)) for _ in range(random.randrange(4))]


# --- the issuer's part --------------------------------------------------------------------------------------------


def _opened(parts: Parts) -> Parts:
    """Made anew: nobody but the issuer can sign it again."""
    parts.token = None
    return parts


def _claim(random: Random, parts: Parts) -> None:
    name = random.choice(("age_over_18", "sub", "nbf", *sorted(parts.payload), "aud", "aka_vcts", "vct#integrity", "x"))
    _opened(parts).payload[name] = _value(random)


def _less(random: Random, parts: Parts) -> None:
    _opened(parts).payload.pop(random.choice(sorted(parts.payload)))


def _longer(random: Random, parts: Parts) -> None:
    _opened(parts).payload |= {"exp": world.NOW + random.choice((1, 90 * world.DAY, 10**9))}


def _own_key(random: Random, parts: Parts) -> None:
    """The document bound to a stranger's key, who can then prove to hold it."""
    key = random.choice(_KEYS)
    _opened(parts).payload["cnf"] = {"jwk": jose.public_jwk(key.public_key())}
    parts.binding_token, parts.binding_key, parts.rehashed = None, key, True


def _header(random: Random, parts: Parts) -> None:
    _opened(parts).header |= random.choice(
        (
            {"alg": random.choice(("none", "None", "HS256", "ES384", "RS256", "EdDSA", ["ES256"], None))},
            {"typ": random.choice(("vc+sd-jwt", "JWT", "kb+jwt", "", None))},
            {"kid": random.choice(("", "../../etc/passwd", "00" * 8, 7, None))},
            {"crit": random.choice(([], ["exp"], "exp"))},
            {"jku": "https://attacker.example/keys"},
            {"jwk": jose.public_jwk(world.STRANGER_KEY.public_key())},
            {"zip": "DEF"},
        )
    )


def _chain(random: Random, parts: Parts) -> None:
    _opened(parts).header["x5c"] = jose.x5c_header(random.choice(_CHAINS))


def _certificate(random: Random, parts: Parts) -> None:
    der = _spoiled(random, world.CHAIN[0])
    _opened(parts).header["x5c"] = jose.x5c_header((der,))


def _signature(random: Random, parts: Parts) -> None:
    genuine = _parts(random.choice(SEEN[:4])).token or b""
    raw = base64.urlsafe_b64decode(genuine.rpartition(b".")[2] + b"==")
    _opened(parts).signature = random.choice((raw, raw[32:] + raw[:32], bytes(64), b"", raw[:63], random.randbytes(64)))


def _signed_by_another(random: Random, parts: Parts) -> None:
    _opened(parts).key = random.choice((*_KEYS, world.HOLDER_KEY))


def _another_copy(random: Random, parts: Parts) -> None:
    parts.token = sdjwt.read(random.choice(SEEN)).issuer_signed


# --- disclosures --------------------------------------------------------------------------------------------------


def _fewer(random: Random, parts: Parts) -> None:
    if parts.disclosures:
        parts.disclosures.pop(random.randrange(len(parts.disclosures)))


def _more(random: Random, parts: Parts) -> None:
    others = sdjwt.read(random.choice(SEEN)).disclosures
    forged = world.disclosure(random.choice(("family_name", "work", "_sd", "exp")), _value(random))
    parts.disclosures.append(random.choice([*(one.encoded for one in others), forged]))


def _moved(random: Random, parts: Parts) -> None:
    random.shuffle(parts.disclosures)


def _altered(random: Random, parts: Parts) -> None:
    if not parts.disclosures:
        return
    at = random.randrange(len(parts.disclosures))
    elements = orjson.loads(base64.urlsafe_b64decode(parts.disclosures[at] + b"=="))
    elements[random.randrange(len(elements))] = _value(random)
    parts.disclosures[at] = jose.b64url_encode(orjson.dumps(elements)).encode("ascii")


def _signed_for(random: Random, parts: Parts) -> None:
    """A disclosure of a stranger's making, with its digest in what a stranger signs."""
    forged = world.disclosure("family_name", _value(random))
    _opened(parts).payload["_sd"] = [world.digest(part) for part in (*parts.disclosures, forged)]
    parts.disclosures.append(forged)


# --- the key binding ----------------------------------------------------------------------------------------------


def _bound_again(random: Random, parts: Parts) -> None:
    """For this request and these disclosures, with another key."""
    parts.binding_token, parts.binding_key, parts.rehashed = None, random.choice(_KEYS), True
    parts.binding |= {"aud": world.ASKED.audience, "nonce": world.ASKED.nonce, "iat": world.NOW}


def _binding_claim(random: Random, parts: Parts) -> None:
    parts.binding_token = None
    name = random.choice(("iat", "aud", "nonce", "sd_hash", "exp", "nbf", "x"))
    parts.binding[name] = _value(random)


def _binding_header(random: Random, parts: Parts) -> None:
    parts.binding_token = None
    parts.binding_header |= random.choice(
        ({"alg": "none"}, {"alg": "HS256"}, {"typ": "JWT"}, {"crit": ["exp"]}, {"jwk": {"kty": "EC"}}, {"kid": "x"})
    )


def _binding_of_another(random: Random, parts: Parts) -> None:
    parts.binding_token = sdjwt.read(random.choice(SEEN)).key_binding or b""


def _unbound(_random: Random, parts: Parts) -> None:
    parts.binding_token = b""


# Those that are mostly read stand at both ends, which a fuzzer's bytes choose more often than what is between them.
_CHANGES: Final[tuple[Callable[[Random, Parts], None], ...]] = (
    _longer,
    _own_key,
    _chain,
    _certificate,
    _signature,
    _signed_by_another,
    _signed_for,
    _another_copy,
    _header,
    _claim,
    _altered,
    _more,
    _less,
    _fewer,
    _moved,
    _bound_again,
    _binding_claim,
    _binding_header,
    _binding_of_another,
    _unbound,
)
