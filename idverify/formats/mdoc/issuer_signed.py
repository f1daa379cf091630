"""IssuerSigned (ISO/IEC 18013-5, 8.3.2.1.2.2): the elements, each with its salt, and the issuer's signature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from idverify.errors import DocumentError
from idverify.formats import cose, strict_cbor
from idverify.formats.base import Entropy
from idverify.formats.mdoc.mobile_security_object import DIGESTS
from idverify.formats.strict_cbor import Embedded

WHAT: Final = "IssuerSigned"
PROFILE: Final = cose.MessageProfile("issuerAuth", cose.ES256)
SALT_BYTES: Final = 16  # 9.1.2.5: at least 16
MAX_DIGEST_ID: Final = 2**32 - 1  # 9.1.2.4 says below 2^31, which is what is issued here; GOV.UK issues 32 bits
_NESTED: Final = frozenset({Embedded, list, dict})
_MEMBERS: Final = frozenset({"digestID", "random", "elementIdentifier", "elementValue"})


class Item(NamedTuple):
    """One IssuerSignedItem: ``encoded`` is IssuerSignedItemBytes as received, which its digest covers."""

    name_space: str
    digest_id: int
    element: str
    value: Any
    encoded: bytes


@dataclass(frozen=True, slots=True)
class IssuerSigned:
    """As received: parsed, not believed."""

    items: tuple[Item, ...]
    auth: cose.Message

    def claims(self) -> dict[str, dict[str, Any]]:
        """The elements by namespace and name."""
        claims: dict[str, dict[str, Any]] = {item.name_space: {} for item in self.items}
        for item in self.items:
            claims[item.name_space][item.element] = item.value
        return claims

    def signed(self) -> bytes:
        """The Sig_structure that the issuer signed. It stays the same however a wallet encodes what is around it."""
        return cose.sign1_input(self.auth.protected, self.auth.payload or b"")


# --- what read refuses --------------------------------------------------------------------------------------------


def item_members(items: Iterable[Mapping[Any, Any]]) -> None:
    """8.3.2.1.2.2: a number, a salt, a name, a value."""
    for item in items:
        whole = type(item) is dict and item.keys() == _MEMBERS and type(item["digestID"]) is int
        if not whole or type(item["random"]) is not bytes or type(item["elementIdentifier"]) is not str:
            named = "digestID, random, elementIdentifier and elementValue"
            raise DocumentError("item-members", f"An element must have {named}, and nothing else.")


def item_number(items: Iterable[Mapping[Any, Any]]) -> None:
    """9.1.2.4: an unsigned integer that has an end."""
    if not all(0 <= item["digestID"] <= MAX_DIGEST_ID for item in items):
        raise DocumentError("item-number", f"The digestID of an element must be from 0 to {MAX_DIGEST_ID}.")


def item_salt(items: Iterable[Mapping[Any, Any]]) -> None:
    """9.1.2.5: enough chance that nobody finds a hidden element by trying values."""
    if min([len(item["random"]) for item in items]) < SALT_BYTES:
        raise DocumentError("item-salt", f"The random of an element must have {SALT_BYTES} bytes at least.")


def element_once(items: Iterable[Mapping[Any, Any]]) -> None:
    """Two values of one element: each reader would take another."""
    names = [item["elementIdentifier"] for item in items]
    if len(set(names)) != len(names):
        raise DocumentError("element-once", "A namespace has the same element twice.")


# Each is asked once for all the elements of one namespace.
ITEM_RULES: tuple[Callable[[Iterable[Mapping[Any, Any]]], None], ...] = (
    item_members,
    item_number,
    item_salt,
    element_once,
)


# --- reading ------------------------------------------------------------------------------------------------------


def parse(value: Any) -> IssuerSigned:
    """From decoded CBOR. Raises ``DocumentError``: ``issuer-signed``, a rule of ``ITEM_RULES`` or of ``cose``."""
    if type(value) is not dict or not {"issuerAuth"} <= value.keys() <= {"issuerAuth", "nameSpaces"}:
        raise DocumentError("issuer-signed", f"{WHAT} must have nameSpaces and issuerAuth, and nothing else.")
    name_spaces = value.get("nameSpaces", {})
    if type(name_spaces) is not dict or not all(type(space) is str for space in name_spaces):
        raise DocumentError("issuer-signed", "nameSpaces must be a map of lists of elements.")
    items = [item for space, listed in name_spaces.items() for item in _items(space, listed)]
    return IssuerSigned(tuple(items), cose.message(value["issuerAuth"], PROFILE))


def _items(space: str, listed: Any) -> list[Item]:
    if type(listed) is not list or set(map(type, listed)) != {Embedded}:
        raise DocumentError("issuer-signed", "A namespace must list at least one element, each embedded with tag 24.")
    decoded = strict_cbor.decode_each([embedded.content for embedded in listed], "An element")
    for rule in ITEM_RULES:
        rule(decoded)
    items = []
    for item, embedded in zip(decoded, listed, strict=True):
        value = item["elementValue"]
        value = _raw(value) if type(value) in _NESTED else value
        items.append(Item(space, item["digestID"], item["elementIdentifier"], value, embedded.encoded))
    return items


def _raw(value: Any) -> Any:
    """An element's value with what is embedded in it as bytes, and maps that JSON has not as lists of pairs."""
    if type(value) not in _NESTED:
        return value
    if type(value) is Embedded:
        return value.content
    if type(value) is list:
        return [_raw(each) for each in value]
    if all(type(name) is str for name in value):
        return {name: _raw(each) for name, each in value.items()}
    return [[name, _raw(each)] for name, each in value.items()]


# --- making -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Salted:
    """The encoded nameSpaces of a document, and what its mobile security object says of them."""

    name_spaces: bytes
    digests: Mapping[str, Mapping[int, bytes]]


def salt(claims: Mapping[str, Mapping[str, Any]], entropy: Entropy) -> Salted:
    """Each element with a salt and a digestID drawn at random: neither tells which elements stay hidden.

    Raises ``ValueError`` when there is nothing to say: that is our mistake.
    """
    if not claims or not all(claims.values()):
        raise ValueError("An mdoc must have at least one namespace, and each of them at least one element.")
    name_spaces, digests = {}, {}
    for space, elements in claims.items():
        numbers, items = _digest_ids(len(elements), entropy), []
        digests[space] = dict.fromkeys(numbers, b"")
        for number, (element, value) in zip(numbers, elements.items(), strict=True):
            item = {
                "digestID": number,
                "random": entropy(SALT_BYTES),
                "elementIdentifier": element,
                "elementValue": value,
            }
            embedded = strict_cbor.embed(strict_cbor.encode(item))
            digests[space][number] = DIGESTS["SHA-256"](embedded.encoded).digest()
            items.append(embedded)
        name_spaces[space] = items
    return Salted(strict_cbor.encode(name_spaces), digests)


def _digest_ids(how_many: int, entropy: Entropy) -> list[int]:
    numbers: dict[int, None] = {}
    while len(numbers) < how_many:
        numbers[int.from_bytes(entropy(4), "big") >> 1] = None
    return list(numbers)


def join(name_spaces: bytes, issuer_auth: bytes) -> bytes:
    """IssuerSigned of its two encoded parts."""
    names = [strict_cbor.encode(name) for name in ("nameSpaces", "issuerAuth")]
    return b"\xa2" + names[0] + name_spaces + names[1] + issuer_auth
