"""What forms post, and what nobody's browser would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.errors import ClientError, MalformedRequest, TooLarge
from idverify.web.form_body import MOST_FIELDS, MOST_HEAD, Posted, read

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=B"


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    """One part of a multipart form, with the delimiter before it."""
    head = "\r\n".join((f"Content-Disposition: form-data; {disposition}", *headers))
    return b"--B\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def test_fields_come_in_the_order_of_the_form() -> None:
    """Blank fields count, line ends are one character, boxes of one name are all there."""
    posted = read(b"name=Blue+key&note=a%0D%0Ab&tick=x&tick=y&blank=", URLENCODED)

    expected = (("name", "Blue key"), ("note", "a\nb"), ("tick", "x"), ("tick", "y"), ("blank", ""))
    assert posted == Posted(expected)
    assert posted.texts("tick") == ("x", "y")
    assert posted.text("never_sent") == ""


def test_a_file_is_its_bytes_and_its_name_is_forgotten() -> None:
    """A hostile file name is not even kept; a part's line ends inside a file stay as they are."""
    body = part('name="note"', "dŵr".encode()) + part('name="document"; filename="../../etc/passwd"', b"\x00\r\n--\xff")
    posted = read(body + b"--B--\r\n", MULTIPART)

    assert posted.text("note") == "dŵr"
    assert posted.file("document") == b"\x00\r\n--\xff"
    assert "passwd" not in repr(posted)


def test_no_file_chosen_is_no_file() -> None:
    """Browsers send an empty part where nothing was chosen."""
    posted = read(
        part('name="picture"; filename=""', b"", "Content-Type: application/octet-stream") + b"--B--", MULTIPART
    )

    assert posted.file("picture") is None


def test_a_single_field_sent_twice_is_refused() -> None:
    """Nobody can let two readers of the same form read two values."""
    with pytest.raises(MalformedRequest):
        read(b"kind=grant&kind=revoke", URLENCODED).text("kind")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"a=1", "text/plain"),
        (b"a=1", "application/json"),
        (b"a=1", ""),
        (b"novalue", URLENCODED),
        (b"a=%ff", URLENCODED),
        (b"a=%00", URLENCODED),
        ("a=ŵ".encode(), URLENCODED),
        (b"A=1", URLENCODED),
        (b"__proto__=1", URLENCODED),
        (b"a.b=1", URLENCODED),
        (b"", MULTIPART),
        (b"--B--", "multipart/form-data"),
        (b"preamble\r\n" + part('name="a"', b"1") + b"--B--", MULTIPART),
        (part('name="a"', b"1"), MULTIPART),
        (part('name="a"', b"1") + b"--B--epilogue", MULTIPART),
        (b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--B--", MULTIPART),
        (b"--B\r\nno blank line\r\n--B--", MULTIPART),
        (part('name="a"', b"1", "Content-Transfer-Encoding: base64") + b"--B--", MULTIPART),
        (part('name="a"', b"\xff") + b"--B--", MULTIPART),
        (part("name=\"a\"; filename*=utf-8''x", b"1") + b"--B--", MULTIPART),
        (part('name="a"', b"1", "Content-Type: " + "x" * MOST_HEAD) + b"--B--", MULTIPART),
        (part('name="a"', b"1", 'Content-Disposition: form-data; name="b"') + b"--B--", MULTIPART),
    ],
)
def test_what_no_browser_sends_is_refused(body: bytes, content_type: str) -> None:
    """Another type, odd names, bytes that are no text, parts that do not arrive whole."""
    with pytest.raises(MalformedRequest):
        read(body, content_type)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"&".join([b"a=1"] * (MOST_FIELDS + 1)), URLENCODED),
        (part('name="a"', b"1") * (MOST_FIELDS + 1) + b"--B--", MULTIPART),
    ],
)
def test_a_flood_of_fields_is_refused_before_it_is_read(body: bytes, content_type: str) -> None:
    """The number of fields is capped in both encodings."""
    with pytest.raises(TooLarge):
        read(body, content_type)


def is_a_form_or_refused(body: bytes, content_type: str) -> bool:
    """Whether the reader either reads it or says what is wrong, and never anything else."""
    try:
        return isinstance(read(body, content_type), Posted)
    except ClientError as refused:
        return refused.status in {400, 413}


@given(st.binary(max_size=300), st.sampled_from([URLENCODED, MULTIPART]))
def test_any_bytes_are_a_form_or_a_refusal(body: bytes, content_type: str) -> None:
    """Nothing but our own errors ever leaves the reader."""
    assert is_a_form_or_refused(body, content_type)


@given(st.data())
def test_a_mutated_multipart_form_is_a_form_or_a_refusal(data: st.DataObject) -> None:
    """The same for a form that almost is one."""
    body = bytearray(part('name="a"; filename="f"', b"content") + part('name="b"', b"2") + b"--B--\r\n")
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))

    assert is_a_form_or_refused(bytes(body), MULTIPART)
