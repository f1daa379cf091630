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

from idverify.formats import jose, key_proof
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


FAMILIES: dict[str, Callable[[], Iterator[Case]]] = {
    "key_proof": key_proof_cases,
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
