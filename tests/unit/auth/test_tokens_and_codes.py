"""What is in cookies and forms, and what people type from a slip of paper."""

from __future__ import annotations

import hashlib
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.auth import base64url, enrolment_codes, session_tokens
from idverify.errors import MalformedRequest, NotAuthenticated


def counting(n: int) -> bytes:
    return bytes(range(1, n + 1))


def test_a_session_token_is_kept_as_its_hash() -> None:
    """32 random bytes, of which the database sees the SHA-256."""
    token = session_tokens.make(counting)

    assert base64url.decode(token) == counting(32)
    assert session_tokens.token_hash(token) == hashlib.sha256(counting(32)).digest()


@pytest.mark.parametrize(
    "token", ["", "AAAA", "x" * 43, base64url.encode(bytes(31)), base64url.encode(bytes(33)), "é\udcff"]
)
def test_a_cookie_that_is_no_token(token: str) -> None:
    """Whatever a stranger puts into the cookie, the answer is that nobody is signed in."""
    with pytest.raises(NotAuthenticated):
        session_tokens.token_hash(token)


def test_csrf_tokens_belong_to_one_session() -> None:
    """A form's token fits its own session and no other, and is not the key that it is made of."""
    one, other = os.urandom(32), os.urandom(32)
    given = session_tokens.csrf_token(one)

    assert session_tokens.csrf_matches(session_tokens.csrf_token(one), given)
    assert not session_tokens.csrf_matches(session_tokens.csrf_token(other), given)
    assert base64url.decode(given) != one


@pytest.mark.parametrize("given", ["", "x", "é", "\udcff", "x" * 100_000])
def test_a_form_without_its_token(given: str) -> None:
    """Whatever a form carries instead is not the token."""
    assert not session_tokens.csrf_matches(session_tokens.csrf_token(counting(32)), given)


def test_enrolment_codes_read_well() -> None:
    """Five groups of four, 100 bits, and no letter that looks like a digit."""
    codes = {enrolment_codes.make(os.urandom) for _ in range(200)}

    assert len(codes) == 200
    assert all(re.fullmatch(r"(?:[0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]{4}", code) for code in codes)
    assert set("".join(codes)) == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ-")


def test_the_first_and_the_last_bit_of_entropy_count() -> None:
    """100 of the 104 bits that are asked for are in the code; the last four are not."""
    base = enrolment_codes.make(bytes)
    first = enrolment_codes.make(lambda n: b"\x80" + bytes(n - 1))
    last = enrolment_codes.make(lambda n: bytes(n - 1) + b"\x10")
    spare = enrolment_codes.make(lambda n: bytes(n - 1) + b"\x0f")

    assert (first, last, spare) == ("G000-0000-0000-0000-0000", "0000-0000-0000-0000-0001", base)


@pytest.mark.parametrize(
    "typed",
    [
        "10AB-CDEF-GH1J-K0MN-P1Q5",
        "10abcdefgh1jk0mnp1q5",
        "loab cdef ghij komn plq5",
        "IOAB–CDEF—GHLJ‑KOMN−PIQ5",  # noqa: RUF001 what word processors make of hyphens
        "  10AB\u00a0CDEF\tGH1J\nK0MN  P1Q5  ",
    ],
)
def test_codes_are_read_forgivingly(typed: str) -> None:
    """Case, blanks, hyphens of any kind, O for 0, I and L for 1."""
    assert enrolment_codes.code_hash(typed) == hashlib.sha256(b"10ABCDEFGH1JK0MNP1Q5").digest()


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "10AB-CDEF-GH1J-K0MN-P1Q",
        "10AB-CDEF-GH1J-K0MN-P1Q55",
        "U0AB-CDEF-GH1J-K0MN-P1Q5",
        "10AB_CDEF",
        "é" * 20,
        " " * 101,
        "0" * 20 + " " * 81,
        "10AB-CDEF-GH1J-K0MN-P1Q!",
        "٣" * 20,
    ],
)
def test_what_cannot_be_a_code(typed: str) -> None:
    """Another length, another alphabet, or more than anybody would type."""
    with pytest.raises(MalformedRequest, match="20 letters and digits"):
        enrolment_codes.code_hash(typed)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(typed: str) -> None:
    """Any text is a code or a malformed request."""
    try:
        assert len(enrolment_codes.code_hash(typed)) == 32
    except MalformedRequest:
        return
