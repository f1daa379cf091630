"""Writes ``credentials/*.json``: valid key proofs and status lists, and for each rule one that breaks it alone.

Credentials are in ``tests/corpus``.

Run from the root of the project: ``python -m tests.vectors.make_credential_vectors``. Keys, salts and signatures are
fixed, so a second run writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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


def _case(name: str, document: bytes, breaks: str | None = None, **how: Any) -> Case:
    return Case(name, document.decode("ascii"), breaks, **how)


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
        ("another curve", world.HOLDER_KEY, {"jwk": jwk | {"crv": "P-384"}}, {}, "jwk-kind"),
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
