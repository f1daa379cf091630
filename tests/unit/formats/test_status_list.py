"""Token Status List: the draft's own lists, packing at every width, and lists that are bombs."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.core.credential import Issuer
from idverify.errors import DocumentError
from idverify.formats import jose, status_list
from tests.simulators import credential_world as world

# Appendix "Test vectors": the value at each index, 0 elsewhere, in a list of 2^20 entries.
ONE_BIT = {
    0: 1,
    1993: 1,
    25460: 1,
    159495: 1,
    495669: 1,
    554353: 1,
    645645: 1,
    723232: 1,
    854545: 1,
    934534: 1,
    1000345: 1,
}
TWO_BITS = dict(zip(ONE_BIT, (1, 2, 1, 3, 1, 1, 2, 1, 1, 2, 3), strict=True))
_FOUR_BIT_PLACES = (0, 1993, 35460, 459495, 595669, 754353, 845645, 923232, 924445, 934534)
FOUR_BITS = {
    index: value for value, index in enumerate((*_FOUR_BIT_PLACES, 1004534, 1000345, 1030203, 1030204, 1030205), 1)
}
CLAIMS = status_list.StatusListClaims(world.STATUS_URI, world.NOW, world.NOW + 3600, 300)


def listed(path: Path) -> status_list.StatusList:
    """The list in one file of the draft, whose long lines are folded."""
    text = path.read_text()
    body = json.loads(re.sub(r"\n\s*", "", text[text.rindex("{\n") :]))
    return status_list.StatusList(body["bits"], status_list.inflate(jose.b64url_decode(body["lst"].encode(), "lst")))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("status_list_encoding_json", [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]),
        ("status_list_encoding2_json", [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]),
    ],
)
def test_short_list_of_the_draft(third_party: Path, name: str, values: list[int]) -> None:
    """Sections 4.1 and 4.2: every value stands where the draft draws it, and packing gives the same bytes."""
    found = listed(third_party / "token-status-list" / f"{name}.md")
    assert [found.status_at(index) for index in range(len(found))] == values
    assert status_list.pack(len(values), found.bits, dict(enumerate(values))) == found


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("status_list_encoding1_long_json", ONE_BIT),
        ("status_list_encoding2_long_json", TWO_BITS),
        ("status_list_encoding4_json", FOUR_BITS),
    ],
)
def test_long_list_of_the_draft(third_party: Path, name: str, values: dict[int, int]) -> None:
    """A million entries: the values of the appendix, and nothing else, are set."""
    found = listed(third_party / "token-status-list" / f"{name}.md")
    assert len(found) == 1 << 20
    assert {index: found.status_at(index) for index in values} == values
    assert status_list.pack(len(found), found.bits, values) == found


def test_eight_bit_list_of_the_draft(third_party: Path) -> None:
    """All 256 values stand somewhere in the list of eight bits."""
    found = listed(third_party / "token-status-list" / "status_list_encoding8_json.md")
    assert len(found) == 1 << 20
    assert set(found.packed) == set(range(256))
    assert found.status_at(233478) == 0


def test_token_of_the_draft(third_party: Path) -> None:
    """The signed example has the header and claims that the draft prints; it names no key, so it is not for us."""
    encoded = (third_party / "token-status-list" / "status_list_jwt_raw.md").read_bytes().replace(b"\n", b"")
    token = jose.read_jws(encoded, jose.TokenProfile("A list", "statuslist+jwt", None))
    claims = json.loads(token.payload)
    assert claims["status_list"] == {"bits": 1, "lst": "eNrbuRgAAhcBXQ"}
    assert (claims["sub"], claims["ttl"]) == ("https://example.com/statuslists/1", 43200)
    with pytest.raises(DocumentError) as refused:
        status_list.read(encoded)
    assert refused.value.rule == "header-key-source"


@given(bits=st.sampled_from([1, 2, 4, 8]), data=st.data())
def test_what_is_packed_is_read(bits: int, data: st.DataObject) -> None:
    """Any statuses come back from where they were put, and all others are VALID."""
    statuses = data.draw(st.dictionaries(st.integers(0, 63), st.integers(0, (1 << bits) - 1)))
    packed = status_list.pack(64, bits, statuses)
    assert {index: packed.status_at(index) for index in range(64)} == dict.fromkeys(range(64), 0) | statuses


@pytest.mark.parametrize(
    ("size", "bits", "statuses"),
    [(8, 3, {}), (7, 1, {}), (1 << 24, 1, {}), (8, 1, {8: 1}), (8, 1, {0: 2}), (8, 1, {-1: 1})],
)
def test_a_list_that_cannot_be_is_not_packed(size: int, bits: int, statuses: dict[int, int]) -> None:
    """Widths, sizes, places and values outside the draft's are our mistake."""
    with pytest.raises(ValueError, match="list"):
        status_list.pack(size, bits, statuses)


@pytest.mark.parametrize("index", [-1, 16, 1 << 40])
def test_no_status_outside_the_list(index: int) -> None:
    """Section 8.3 step 6: outside the list there is no statement, so there is no VALID."""
    with pytest.raises(DocumentError) as refused:
        status_list.pack(16, 2, {}).status_at(index)
    assert refused.value.rule == "status-index"


@pytest.mark.parametrize(
    ("compressed", "rule"),
    [
        (zlib.compress(bytes(status_list.MAX_PACKED + 1)), "size"),
        (zlib.compress(bytes(200 * 1024 * 1024), 1)[:900_000], "size"),
        (zlib.compress(b"abc")[:-1], "status-zlib"),
        (zlib.compress(b"abc") + b"x", "status-zlib"),
        (b"abc", "status-zlib"),
        (b"", "status-zlib"),
    ],
)
def test_a_bomb_is_not_inflated(compressed: bytes, rule: str) -> None:
    """A stream that unpacks to too much, ends early or goes on is refused."""
    with pytest.raises(DocumentError) as refused:
        status_list.inflate(compressed)
    assert refused.value.rule == rule


def test_a_million_entries_fit() -> None:
    """The largest list that we publish is signed, read and checked."""
    unsigned = status_list.prepare(status_list.pack(1 << 20, 2, {77: 2}), CLAIMS, world.ISSUER)
    token = status_list.read(status_list.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload)))
    assert token.claims == CLAIMS
    expected = status_list.StatusExpected(world.STATUS_URI, world.TRUSTED, frozenset(), world.NOW)
    assert status_list.check(token, expected).status_at(77) == status_list.StatusValue.SUSPENDED


def test_a_list_may_say_less() -> None:
    """Expiry and time to live are recommended, not required."""
    claims = status_list.StatusListClaims(world.STATUS_URI, world.NOW, None, None)
    unsigned = status_list.prepare(status_list.pack(16, 2, {}), claims, world.ISSUER)
    token = status_list.read(status_list.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload)))
    assert token.claims == claims


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"sub": None}, "sub"),
        ({"iat": "now"}, "iat"),
        ({"iat": True}, "iat"),
        ({"exp": 1.5}, "exp"),
        ({"ttl": -1}, "ttl"),
        ({"status_list": None}, "status-list"),
        ({"status_list": {"bits": 3, "lst": ""}}, "status-bits"),
        ({"status_list": {"bits": True, "lst": ""}}, "status-bits"),
        ({"status_list": {"bits": 1, "lst": "é"}}, "base64url"),
        ({"more": [[]] * 2000}, "size"),
    ],
)
def test_a_malformed_list_is_refused(changes: dict[str, Any], rule: str) -> None:
    """Section 5.1: each required claim is there and of its type."""
    whole = {"sub": world.STATUS_URI, "iat": world.NOW, "status_list": {"bits": 1, "lst": "eNrbuRgAAhcBXQ"}}
    token = world.jwt(world.header(typ="statuslist+jwt"), whole | changes, world.ISSUER_KEY)
    with pytest.raises(DocumentError) as refused:
        status_list.read(token)
    assert refused.value.rule == rule


def test_a_signer_for_another_issuer_cannot_speak_of_ours() -> None:
    """A list under the right root whose signer is named for somebody else is refused."""
    issuer = Issuer(world.ISS, (world.leaf(iss="https://other.example"),), b"")
    unsigned = status_list.prepare(status_list.pack(16, 2, {}), CLAIMS, issuer)
    token = status_list.read(status_list.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload)))
    with pytest.raises(DocumentError) as refused:
        status_list.check(token, status_list.StatusExpected(world.STATUS_URI, world.TRUSTED, frozenset(), world.NOW))
    assert refused.value.rule == "san-names-issuer"
