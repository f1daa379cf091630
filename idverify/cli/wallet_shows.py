"""How the demo wallet shows a document of each format: the chosen parts, and the proof that it holds the key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from idverify.formats import jose, key_binding, sdjwt
from idverify.formats.base import HolderBindingExpected, Presented
from idverify.formats.mdoc import device_response
from idverify.formats.mdoc.session_transcript import of_request
from idverify.services.credential_text import as_document, as_text

Sign = Callable[[bytes], bytes]
"""Given a message, the raw ``r||s`` signature of the wallet's key."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be shown of the document ``held`` (as text), by name, to whom, at which time (Unix seconds)."""

    held: str
    presented: Presented
    names: list[str]
    expected: HolderBindingExpected
    at: int


def _sd_jwt_names(presented: Presented) -> list[str]:
    return sorted(presented.claims)


def _sd_jwt(wish: Wish, sign: Sign) -> str:
    """Disclosures, and a key binding (RFC 9901 section 7.2)."""
    shown = sdjwt.select(wish.held.encode(), [(name,) for name in wish.names])
    unsigned = key_binding.prepare(shown, wish.expected, wish.at)
    return (shown + jose.jws(unsigned, sign(unsigned))).decode()


def _mdoc_names(presented: Presented) -> list[str]:
    return sorted({name for elements in presented.claims.values() for name in elements})


def _mdoc(wish: Wish, sign: Sign) -> str:
    """Elements, of whichever namespaces have them, and the device's signature over the session."""
    document = as_document(wish.presented.format, wish.held)
    elements = [(space, name) for space in wish.presented.claims for name in wish.names]
    unsigned = device_response.prepare(document, elements, of_request(wish.expected))
    return as_text(wish.presented.format, device_response.seal(unsigned, sign(unsigned.payload)))


@dataclass(frozen=True, slots=True)
class Shows:
    """Of one format: the names of what can be shown, and how it is shown."""

    names: Callable[[Presented], list[str]]
    show: Callable[[Wish, Sign], str]


SHOWS: Final[Mapping[str, Shows]] = {
    "dc+sd-jwt": Shows(_sd_jwt_names, _sd_jwt),
    "mso_mdoc": Shows(_mdoc_names, _mdoc),
}
"""By the name of the format."""
