"""mdocs with something wrong in them, most of which parse: half of them signed again by the issuer as they stand.

Changes of ``SIGNED`` are wrong whoever signs them, and are signed by the issuer after they were made. Changes of
``SHOWN`` are made to what was signed before. To leave an element away is no change: that is what an mdoc is for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import cbor2

from idverify.formats import cose, jose
from idverify.formats.base import HolderBindingExpected
from idverify.formats.strict_cbor import Embedded, Encoded, encode
from tests.simulators import credential_world as world
from tests.simulators import mdoc_world as mdoc

VALUES: tuple[Any, ...] = (None, True, -1, 2**40, 0.5, "", "é", "x" * 300, b"", bytes(40), [], {}, [[1]], {"a": {1: 2}})
OTHERS = (world.leaf(root_key=world.STRANGER_KEY), world.leaf(iss="https://other.example"), world.ROOT, b"", bytes(90))


@dataclass
class Parts:
    """One presentation, part by part."""

    items: dict[str, list[Embedded]] = field(default_factory=lambda: {k: list(v) for k, v in mdoc.ITEMS.items()})
    mso: dict[str, Any] = field(default_factory=mdoc.mso)
    auth: dict[str, Any] = field(default_factory=dict)
    device: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    response: dict[str, Any] = field(default_factory=dict)


Change = Callable[[Random, Parts], None]


def mutant(random: Random) -> bytes:
    """A presentation with one to three things wrong, or with some of its bytes turned."""
    parts = Parts()
    signed = random.random() < 0.5
    for change in random.sample(SIGNED if signed else SHOWN, random.choice((1, 1, 1, 1, 2))):
        change(random, parts)
    made = _made(parts)
    if made == GOOD:  # moved there and back, or the same value again
        return mutant(random)
    return _spoiled(random, made) if not signed and random.random() < 0.1 else made


def _made(parts: Parts) -> bytes:
    auth = mdoc.issuer_auth(parts.mso, **parts.auth)
    members = {"nameSpaces": parts.items, "issuerAuth": Encoded(auth)}
    document = {
        "docType": mdoc.DOC_TYPE,
        "issuerSigned": Encoded(encode(members)),
        "deviceSigned": mdoc.device_signed(**parts.device),
    }
    return encode({"version": "1.0", "documents": [document | parts.document], "status": 0} | parts.response)


GOOD = _made(Parts())  # signatures are the same on every run


def _spoiled(random: Random, made: bytes) -> bytes:
    spoiled, at = bytearray(made), random.randrange(len(made))
    spoiled[at] ^= 1 << random.randrange(8)
    return bytes(spoiled)


# --- wrong whoever signs it ---------------------------------------------------------------------------------------


def _value(random: Random, parts: Parts) -> None:
    """A member of the mobile security object that is another thing."""
    name = random.choice(("version", "digestAlgorithm", "valueDigests", "deviceKeyInfo", "docType", "validityInfo"))
    parts.mso[name] = random.choice(VALUES)


def _missing(random: Random, parts: Parts) -> None:
    parts.mso.pop(
        random.choice(("version", "digestAlgorithm", "valueDigests", "deviceKeyInfo", "docType", "validityInfo"))
    )


def _dates(random: Random, parts: Parts) -> None:
    """Over, not yet, or the wrong way round."""
    signed, valid_from, valid_until = random.choice(
        (
            (-9_000, -9_000, -random.randrange(60, 8_000)),
            (0, random.randrange(61, 9_000), 90_000),
            (50, 40, 90_000),
            (0, 90, 80),
        )
    )
    parts.mso["validityInfo"] = mdoc.validity(signed, valid_from, valid_until)


def _zone(random: Random, parts: Parts) -> None:
    times = mdoc.validity()
    name = random.choice(sorted(times))
    times[name] = times[name].astimezone(dt.timezone(dt.timedelta(minutes=random.choice((-90, 15, 60)))))
    parts.mso["validityInfo"] = times


def _type(random: Random, parts: Parts) -> None:
    parts.mso["docType"] = random.choice(("org.example.visa", "org.iso.18013.5.1.mdl", mdoc.DOC_TYPE + " "))


def _another_holder(random: Random, parts: Parts) -> None:
    """The key of somebody else."""
    key = random.choice((world.STRANGER_KEY, world.ROOT_KEY, world.private_key(random.randrange(5, 99))))
    parts.mso["deviceKeyInfo"] = {"deviceKey": cose.cose_key(jose.public_jwk(key.public_key()))}


def _another_chain(random: Random, parts: Parts) -> None:
    """A certificate that is one, and does not lead to where it should."""
    parts.auth["unprotected"] = {33: random.choice(OTHERS[:3])}


def _replaced(random: Random, parts: Parts) -> None:
    """A digest of nothing that is shown, under a number that is."""
    digests = mdoc.digests()
    space = random.choice(sorted(digests))
    digests[space][random.choice(mdoc.NUMBERS[space])] = random.randbytes(32)
    parts.mso["valueDigests"] = digests


def _device_key(random: Random, parts: Parts) -> None:
    """One that is none."""
    key = dict(mdoc.DEVICE_KEY)
    label = random.choice((1, -1, -2, -3, 3, -4))
    key[label] = random.choice((random.randbytes(31), 7, b"", True))
    parts.mso["deviceKeyInfo"] = {"deviceKey": key}


def _digest(random: Random, parts: Parts) -> None:
    """Of another element, of another length, or under another number."""
    digests = {space: dict(by_number) for space, by_number in mdoc.digests().items()}
    space = random.choice(sorted(digests))
    number = random.choice(sorted(digests[space]))
    digest = digests[space].pop(number)
    match random.randrange(3):
        case 0:
            digests[space][number] = random.randbytes(32)
        case 1:
            digests[space][number] = digest[: random.randrange(32)]
        case _:
            digests[space][number + 1 + random.randrange(2**20)] = digest
    parts.mso["valueDigests"] = digests


def _algorithm(random: Random, parts: Parts) -> None:
    parts.mso["digestAlgorithm"] = random.choice(("SHA-384", "SHA-512", "SHA-1", "sha-256", "MD5"))


def _item(random: Random, parts: Parts) -> None:
    """A malformed element, listed as it stands."""
    name = random.choice(("digestID", "random", "elementIdentifier", "more"))
    changed = mdoc.item(7, "title", "Dr", **{name: random.choice((True, 0.5, [], {}, b"short", {"a": 1}))})
    parts.items[mdoc.GB] = [changed]
    parts.mso["valueDigests"] = mdoc.digests(parts.items)


def _twice(random: Random, parts: Parts) -> None:
    """Two values of one element."""
    numbers = {**mdoc.NUMBERS, mdoc.GB: (7, 8)}
    parts.items[mdoc.GB].append(mdoc.item(8, "title", random.choice(VALUES[1:])))
    parts.mso["valueDigests"] = mdoc.digests(parts.items, numbers)


def _header(random: Random, parts: Parts) -> None:
    label, value = random.choice(((1, -35), (1, 5), (1, "ES256"), (2, [99]), (33, b"x")))
    parts.auth["protected"] = cbor2.dumps({1: -7} | {label: value})


def _certificate(random: Random, parts: Parts) -> None:
    parts.auth["unprotected"] = random.choice(({33: random.choice(OTHERS)}, {}, {33: []}, {33: [world.CHAIN[0]] * 2}))


# --- wrong since it was signed ------------------------------------------------------------------------------------


def _another_value(random: Random, parts: Parts) -> None:
    space = random.choice((mdoc.ISO, mdoc.GB))
    number = random.choice(mdoc.NUMBERS[space])
    name = random.choice(("family_name", "age_over_18", "title", "x"))
    at = random.randrange(len(parts.items[space]))
    parts.items[space][at] = mdoc.item(number, name, random.choice(VALUES[1:]))


def _injected(random: Random, parts: Parts) -> None:
    """One more element, or one more namespace."""
    space = random.choice((mdoc.ISO, mdoc.GB, "org.example"))
    parts.items.setdefault(space, []).append(
        mdoc.item(random.randrange(2**32), "age_over_21", random.choice(VALUES[1:]))
    )


def _moved(_random: Random, parts: Parts) -> None:
    parts.items = {mdoc.ISO: parts.items[mdoc.GB], mdoc.GB: parts.items[mdoc.ISO]}


def _another_key(random: Random, parts: Parts) -> None:
    parts.auth["key"] = random.choice((world.STRANGER_KEY, world.HOLDER_KEY, world.ROOT_KEY))


def _another_device(random: Random, parts: Parts) -> None:
    parts.device["key"] = random.choice((world.STRANGER_KEY, world.ISSUER_KEY))


def _another_request(random: Random, parts: Parts) -> None:
    asked = [mdoc.ASKED.audience, mdoc.ASKED.nonce, mdoc.ASKED.response_uri]
    asked[random.randrange(3)] = random.choice(("", "x", "https://other.example"))
    parts.device["asked"] = HolderBindingExpected(*asked)


def _device_says(random: Random, parts: Parts) -> None:
    parts.device["said"] = {
        random.choice((mdoc.ISO, "x")): {random.choice(("family_name", "y")): random.choice(VALUES)}
    }


def _device_header(random: Random, parts: Parts) -> None:
    parts.device["protected"] = cbor2.dumps(random.choice(({1: -35}, {1: 5}, {}, {1: -7, 2: [1]})))


def _shown_type(random: Random, parts: Parts) -> None:
    parts.document["docType"] = random.choice(("org.example.visa", "", 5, None))


def _structure(random: Random, parts: Parts) -> None:
    name = random.choice(("issuerSigned", "deviceSigned", "more"))
    parts.document[name] = random.choice(VALUES)


def _envelope(random: Random, parts: Parts) -> None:
    name = random.choice(("version", "documents", "status"))
    parts.response[name] = random.choice([value for value in VALUES if value != 0])


SIGNED: tuple[Change, ...] = (
    _value,
    _missing,
    *[_dates] * 4,
    *[_type] * 4,
    *[_another_holder] * 4,
    *[_another_chain] * 4,
    *[_replaced] * 4,
    _zone,
    _device_key,
    _digest,
    _digest,
    _algorithm,
    _item,
    _twice,
    _header,
    _certificate,
)
SHOWN: tuple[Change, ...] = (
    *[_another_value] * 2,
    *[_injected] * 2,
    *[_moved] * 2,
    *[_another_key] * 2,
    *[_another_device] * 2,
    *[_another_request] * 2,
    *[_device_says] * 2,
    _device_header,
    _shown_type,
    _structure,
    _envelope,
)
