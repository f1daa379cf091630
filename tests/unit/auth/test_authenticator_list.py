"""A list of authenticators is a document from outside: whatever is in it, it is a list or a refusal that says why."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest

from idverify.auth.attestation.certificate import read_pem
from idverify.auth.attestation.path import fingerprint
from idverify.auth.authenticator_list import AuthenticatorList, Listed, read_list
from idverify.errors import Unprocessable
from tests.simulators import makers
from tests.simulators.authenticator import AAGUID

ROOT = makers.ROOT.certificate
LIST = AuthenticatorList((Listed(AAGUID, "A key", (fingerprint(ROOT),)),), (ROOT,), None, fips=False, grace_days=30)


def anchored(der: bytes) -> dict[str, Any]:
    """The list with another certificate."""
    return LIST.to_json() | {"anchors": [base64.b64encode(der).decode()]}


def test_a_list_is_read_as_it_was_written() -> None:
    """Its document says all of it."""
    assert read_list(LIST.to_json()) == LIST


@pytest.mark.parametrize("version", [1, 3, 4, 5, 127, 255])
def test_a_certificate_of_a_version_that_is_none(version: int) -> None:
    """What ``cryptography`` raises for it is no ``ValueError``: the refusal is one."""
    der = makers.of_version(ROOT, version)

    with pytest.raises(Unprocessable, match="Each anchor must be"):
        read_list(anchored(der))
    with pytest.raises(ValueError, match="it must be"):
        read_pem(makers.in_pem(der))


def test_certificates_that_were_changed_anywhere() -> None:
    """A certificate, or a refusal that says what must stand there."""
    drawn, refused = random.Random(5), 0  # noqa: S311  the same each time
    for _ in range(1000):
        der = bytearray(ROOT)
        for _ in range(drawn.randint(1, 3)):
            der[drawn.randrange(len(der))] = drawn.randrange(256)
        try:
            read_list(anchored(bytes(der)))
        except Unprocessable:
            refused += 1
    assert 0 < refused < 1000


def test_pem_gives_the_certificates_that_it_holds() -> None:
    """In their order; text without one is refused."""
    both = [ROOT, makers.OTHER_ROOT.certificate]
    pem = b"".join(map(makers.in_pem, both))

    assert read_pem(pem) == tuple(both)
    with pytest.raises(ValueError, match="it must be certificates in PEM"):
        read_pem(b"-----BEGIN NOTHING-----")


@pytest.mark.parametrize(
    "changed",
    [
        {"anchors": [5]},
        {"anchors": ["\u00e9"]},
        {"anchors": [""]},
        {"anchors": {}},
        {"entries": [[1]]},
        {"entries": [{"model": "0" * 39 + "\u00e9", "name": "x", "anchors": "metadata"}]},
        {"entries": [{"model": "1" * 40, "name": "x", "anchors": [5]}]},
        {"entries": [{"model": "1" * 40, "name": "x", "anchors": ["\u00e9"]}]},
        {"entries": [{"model": "1" * 40, "name": "x\x00", "anchors": "metadata"}]},
        {"metadata": []},
        {"metadata": {"least": None, "fips": False, "grace_days": 30.0}},
        {"metadata": {"least": None, "fips": False, "grace_days": True}},
        {"metadata": {"least": None, "fips": 1, "grace_days": 30}},
        {"more": 1},
    ],
)
def test_other_values_are_refused(changed: dict[str, Any]) -> None:
    """Each type, and each name."""
    with pytest.raises(Unprocessable):
        read_list(LIST.to_json() | changed)
