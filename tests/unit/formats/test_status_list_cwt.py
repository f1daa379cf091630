"""Status lists as CBOR Web Tokens: the draft's own examples, both forms of one list, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cbor2
import pytest

from idverify.core.credential import Issuer
from idverify.errors import DocumentError
from idverify.formats import cose, status_list, status_list_cwt, strict_cbor
from idverify.formats.status_list import StatusListClaims
from tests.simulators import credential_world as world
from tests.unit.formats.test_status_list import FOUR_BITS, ONE_BIT, TWO_BITS

CLAIMS = StatusListClaims(world.STATUS_URI, world.NOW, world.NOW + 3600, 300, 7)
STATUSES = status_list.pack(16, 2, {5: 1, 6: 2})
EXPECTED = status_list.StatusExpected(world.STATUS_URI, world.TRUSTED, frozenset(), world.NOW)
CONTENT = {"bits": 2, "lst": status_list.compress(STATUSES.packed)}
BODY = {2: world.STATUS_URI, 6: world.NOW, 4: world.NOW + 3600, 65534: 300, 65533: CONTENT}
HEADER = {1: -7, 16: "application/statuslist+cwt"}


def hexadecimal(path: Path) -> bytes:
    """The CBOR of one file of the draft, whose long lines are folded."""
    return bytes.fromhex("".join(re.findall(r"(?m)^[0-9a-f]+$", path.read_text())))


def sealed(issuer: Issuer = world.ISSUER) -> bytes:
    """The list as this product signs it."""
    unsigned = status_list_cwt.prepare(STATUSES, CLAIMS, issuer, CONTENT["lst"])  # type: ignore[arg-type]
    return status_list_cwt.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload))


def cwt(
    body: Any = None,
    header: Mapping[Any, Any] | None = None,
    unprotected: Mapping[Any, Any] | None = None,
    tag: bytes = b"\xd2",
) -> bytes:
    """A CWT with any content, signed by the issuer's key."""
    payload = cbor2.dumps(BODY if body is None else body)
    protected = cbor2.dumps(dict(HEADER if header is None else header))
    signature = world.sign(world.ISSUER_KEY, cose.sign1_input(protected, payload))
    carried = {33: world.CHAIN[0]} if unprotected is None else unprotected
    return tag + cose.sign1(protected, carried, payload, signature)


def refused(encoded: bytes) -> str:
    """The rule that refuses a CWT while it is read."""
    with pytest.raises(DocumentError) as wrong:
        status_list_cwt.read(encoded)
    return wrong.value.rule


@pytest.mark.parametrize(
    ("name", "bits", "values"),
    [
        ("status_list_encoding1_long_cbor", 1, ONE_BIT),
        ("status_list_encoding2_long_cbor", 2, TWO_BITS),
        ("status_list_encoding4_cbor", 4, FOUR_BITS),
    ],
)
def test_long_list_of_the_draft(third_party: Path, name: str, bits: int, values: dict[int, int]) -> None:
    """Section 4.3 and the appendix: a million entries, the values that the draft names, and nothing else."""
    content = strict_cbor.decode(hexadecimal(third_party / "token-status-list" / f"{name}.md"), "The example")
    found = status_list.statuses_of(content["bits"], content["lst"])
    assert (found.bits, len(found)) == (bits, 1 << 20)
    assert status_list.pack(1 << 20, bits, values) == found


def test_eight_bit_list_of_the_draft(third_party: Path) -> None:
    """The list of eight bits is the same as in JSON."""
    content = strict_cbor.decode(hexadecimal(third_party / "token-status-list" / "status_list_encoding8_cbor.md"), "It")
    assert set(status_list.statuses_of(content["bits"], content["lst"]).packed) == set(range(256))


def test_token_of_the_draft(third_party: Path) -> None:
    """Section 5.2: the signed example has the claims that the draft prints; it names no key, so it is not for us."""
    encoded = hexadecimal(third_party / "token-status-list" / "status_list_cwt.md")
    seen = cose.read_message(encoded, status_list_cwt.PROFILE)
    assert seen.payload is not None
    claims = strict_cbor.decode(seen.payload, "The example")
    assert claims == {
        2: "https://example.com/statuslists/1",
        6: 1686920170,
        4: 2291720170,
        65534: 43200,
        65533: {"bits": 1, "lst": bytes.fromhex("78dadbb918000217015d")},
    }
    assert refused(encoded) == "x5chain"


def test_what_is_signed_is_read() -> None:
    """The same packed bytes and the same claims in both forms, each under the issuer's signature."""
    jwt = status_list.prepare(STATUSES, CLAIMS, world.ISSUER)
    encoded = status_list.seal(jwt, world.sign(world.ISSUER_KEY, jwt.payload)), sealed()
    forms = [status_list_cwt.read_either(one) for one in encoded]
    assert [(form.claims, form.statuses) for form in forms] == [(CLAIMS, STATUSES)] * 2
    assert [status_list.check(form, EXPECTED) for form in forms] == [STATUSES] * 2
    media_types = [status_list_cwt.media_type_of(one) for one in encoded]
    assert media_types == [status_list.MEDIA_TYPE, status_list_cwt.MEDIA_TYPE]


def test_a_chain_of_several_is_read() -> None:
    """RFC 9360: more than one certificate is an array."""
    chain = (world.leaf(), world.leaf())
    assert status_list_cwt.read(sealed(Issuer(world.ISS, chain, b""))).signing_chain == chain


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({2: None}, "sub"),
        ({2: 5}, "sub"),
        ({6: "now"}, "iat"),
        ({6: 1.5}, "iat"),
        ({4: -1}, "exp"),
        ({65534: True}, "ttl"),
        ({status_list.VERSION: "7"}, status_list.VERSION),
        ({65533: None}, "status-list"),
        ({65533: {"bits": 2, "lst": "text"}}, "status-list"),
        ({65533: {"bits": 3, "lst": b""}}, "status-bits"),
        ({65533: {"bits": True, "lst": b""}}, "status-bits"),
        ({65533: {"bits": 2, "lst": b"abc"}}, "status-zlib"),
    ],
)
def test_a_malformed_list_is_refused(changes: dict[Any, Any], rule: str) -> None:
    """Section 5.2: each required claim is there and of its type."""
    assert refused(cwt(BODY | changes)) == rule


@pytest.mark.parametrize(
    ("encoded", "rule"),
    [
        (cwt(tag=b""), "cwt-tag"),
        (cwt(tag=b"\xd1"), "cwt-tag"),
        (cwt(tag=b"\xd8\x3d\xd2"), "cwt-tag"),
        (cwt(header={1: -7}), "header-typ"),
        (cwt(header={1: -7, 16: "application/statuslist+jwt"}), "header-typ"),
        (cwt(header={1: -35, 16: status_list_cwt.MEDIA_TYPE}), "header-alg"),
        (cwt(header={2: [16], **HEADER}), "header-crit"),
        (cwt(unprotected={}), "x5chain"),
        (cwt(body=[1]), "cwt"),
        (cwt() + b"\x00", "cbor-trailing"),
        (b"\xd2" + cose.sign1(cbor2.dumps(HEADER), {33: world.CHAIN[0]}, None, bytes(64)), "cwt"),
        (b"\xd2" * (status_list.MAX_TOKEN + 1), "size"),
        (b"", "cwt-tag"),
    ],
    ids=["bare", "mac", "cwt tag", "no typ", "jwt", "es384", "crit", "no chain", "no map", "more", "empty", "big", ""],
)
def test_another_message_is_refused(encoded: bytes, rule: str) -> None:
    """Section 5.2: a COSE_Sign1 with its tag, typed, with the signer's certificate, and nothing behind it."""
    assert refused(encoded) == rule


def test_a_changed_list_is_refused() -> None:
    """Every rule holds, but another key signed it."""
    payload, protected = cbor2.dumps(BODY), cbor2.dumps(HEADER)
    signature = world.sign(world.STRANGER_KEY, cose.sign1_input(protected, payload))
    listed = status_list_cwt.read(b"\xd2" + cose.sign1(protected, {33: world.CHAIN[0]}, payload, signature))
    with pytest.raises(DocumentError) as wrong:
        status_list.check(listed, EXPECTED)
    assert wrong.value.rule == "signature"
