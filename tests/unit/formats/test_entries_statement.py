"""A statement of entries is believed only from a signer made for it, and has one form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from idverify.core.credential import Issuer
from idverify.core.trust import TrustStore
from idverify.errors import DocumentError
from idverify.formats import entries_statement, jose, x509_build
from idverify.formats.entries_statement import Place, Statement, open_statement
from idverify.formats.strict_json import encode_json
from idverify.formats.x509 import Purpose, read_certificate
from tests.simulators import credential_world as world

KEY, STRANGER_KEY = world.private_key(81), world.private_key(82)
TRUST = TrustStore({world.ISS: world.TRUSTED})
SAID = Statement(
    world.ISS,
    "0123456789abcdef0123456789abcdef",
    world.NOW,
    "id.example/log/1",
    100,
    bytes(32),
    (
        Place("id.example/log/1", 7, bytes(16), "credential.issued", world.NOW // 60 * 60),
        Place("id.example/log/1", 99, bytes(range(16)), "cover", world.NOW // 60 * 60),
    ),
)


def certificate(purpose: Purpose = Purpose.ENTRIES) -> bytes:
    """A leaf for the signer of statements."""
    certified = world.certified("Entries", KEY, 9, 400)
    tbs = x509_build.tbs_leaf(certified, purpose, world.ROOT, iss=world.ISS, crl_uri=world.CRL_URI)
    return x509_build.seal_certificate(tbs, world.sign(world.ROOT_KEY, tbs))


def signed(said: Statement = SAID, leaf: bytes | None = None, key: Any = KEY) -> bytes:
    """A statement as its signer would make it."""
    unsigned = entries_statement.prepare(said, Issuer(world.ISS, (leaf or certificate(),), b"12345678"))
    return entries_statement.seal(unsigned, world.sign(key, unsigned.payload))


def with_body(**changes: Any) -> bytes:
    """A statement whose signer signs whatever it is given."""
    body = {
        "iss": world.ISS,
        "sub": SAID.subject,
        "iat": world.NOW,
        "log": {"origin": SAID.origin, "size": 100, "root": "A" * 43 + "="},
        "entries": [],
        **changes,
    }
    header = {"alg": "ES256", "typ": "idverify-entries+jwt", "x5c": jose.x5c_header((certificate(),))}
    unsigned = jose.signing_input(header, encode_json(body))
    return jose.jws(unsigned, world.sign(KEY, unsigned))


def test_what_was_signed_is_what_is_read() -> None:
    """Every member comes back as it was said."""
    assert open_statement(signed(), TRUST) == SAID
    assert open_statement(with_body(), TRUST) == replace(SAID, entries=())


@pytest.mark.parametrize(
    ("encoded", "rule"),
    [
        (lambda: signed(leaf=certificate(Purpose.STATEMENT)), "leaf-purpose"),
        (lambda: signed(leaf=certificate(Purpose.TRUST_LIST)), "leaf-purpose"),
        (lambda: signed(leaf=certificate(Purpose.DOCUMENT)), "leaf-purpose"),
        (lambda: signed(key=STRANGER_KEY), "signature"),
        (lambda: signed(replace(SAID, iss="https://elsewhere.example")), "issuer-known"),
        (lambda: signed(replace(SAID, issued_at=world.NOW + 500 * world.DAY)), "path-validity"),
        (lambda: signed(replace(SAID, entries=SAID.entries[::-1])), "statement-form"),
        (lambda: signed(replace(SAID, entries=SAID.entries * 2)), "statement-form"),
        (lambda: signed(replace(SAID, size=99)), "statement-form"),
        (lambda: signed(replace(SAID, root=bytes(31))), "statement-form"),
        (lambda: with_body(entries=[{"log": "a", "index": True, "handle": "00" * 16, "type": "a", "time": 0}]),
         "statement-form"),
        (lambda: with_body(entries=[{"log": "a", "index": 0, "handle": "00" * 15, "type": "a", "time": 0}]),
         "statement-form"),
        (lambda: with_body(entries=[{"log": "a", "index": 0, "handle": "00" * 16, "type": 5, "time": 0}]),
         "statement-form"),
        (lambda: with_body(entries=None), "statement-form"),
        (lambda: with_body(log=[]), "statement-form"),
    ],
)  # fmt: skip
def test_statements_that_are_not_relied_on(encoded: Any, rule: str) -> None:
    """Keys for other statements, other issuers, other times and other forms are refused, each by its rule."""
    with pytest.raises(DocumentError) as refused:
        open_statement(encoded(), TRUST)

    assert refused.value.rule == rule


def test_a_revoked_signer() -> None:
    """A signer that its root has revoked speaks no more."""
    leaf = read_certificate(certificate())
    revoked = frozenset({(leaf.issuer.rfc4514_string(), leaf.serial_number)})

    with pytest.raises(DocumentError) as refused:
        open_statement(signed(), TrustStore({world.ISS: world.TRUSTED}, revoked))

    assert refused.value.rule == "path-not-revoked"
