"""What a form posts (WHATWG HTML, form submission): fields and files, capped and read strictly.

>>> read(b"name=Blue+key&csrf=abc", "application/x-www-form-urlencoded").text("name")
'Blue key'
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from idverify.errors import MalformedRequest, TooLarge

MOST_FIELDS: Final = 200
MOST_HEAD: Final = 4096  # of a part: its field and the name of a file
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,49}(?:-(?:day|month|year))?")
_MULTIPART: Final = re.compile(r"multipart/form-data; ?boundary=\"?([0-9A-Za-z'()+_,./:=?-]{1,70})\"?")
_DISPOSITION: Final = re.compile(r'form-data; name="([^"\r\n]*)"(; filename="[^"\r\n]*")?', re.IGNORECASE)
# RFC 7578 section 4.7: nothing but these is sent, and nothing is unpacked for a client
_PART_HEADERS: Final = frozenset({"content-disposition", "content-type"})


@dataclass(frozen=True, slots=True)
class Posted:
    """Fields in the order of the form, text by text, and the bytes of files. File names are not kept."""

    fields: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)

    def text(self, name: str) -> str:
        """The field of this name; empty where it was not sent. Raises ``MalformedRequest`` if it was sent twice."""
        given = self.texts(name)
        if len(given) > 1:
            raise MalformedRequest(f"The form's field {name} was sent {len(given)} times; send it once.")
        return given[0] if given else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """Every value of this name: what was ticked."""
        return tuple(value for key, value in self.fields if key == name)

    def file(self, name: str) -> bytes | None:
        """The file chosen for this field; ``None`` where none was, which browsers send as an empty one."""
        return next(iter(self.all_files(name)), None)

    def all_files(self, name: str) -> tuple[bytes, ...]:
        """Every file chosen for this field."""
        return tuple(content for key, content in self.files if key == name and content)


def read(body: bytes, content_type: str) -> Posted:
    """What a form posted. Raises ``MalformedRequest`` for what no browser sends."""
    if _MULTIPART.fullmatch(content_type):
        return read_multipart(body, content_type)
    if content_type.partition(";")[0] == "application/x-www-form-urlencoded":
        return _read_urlencoded(body)
    raise MalformedRequest("A form must be sent as application/x-www-form-urlencoded or as multipart/form-data.")


def _read_urlencoded(body: bytes) -> Posted:
    if not body:
        return Posted()
    if body.count(b"&") >= MOST_FIELDS:
        raise TooLarge(f"A form may have {MOST_FIELDS} fields.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as wrong:  # UnicodeDecodeError is one
        raise MalformedRequest("The form's fields could not be read.") from wrong
    return Posted(tuple((_name(name), _text(value)) for name, value in pairs))


def read_multipart(body: bytes, content_type: str, most: int = MOST_FIELDS) -> Posted:
    """A form of ``most`` parts (RFC 7578). Raises ``MalformedRequest``, and ``TooLarge`` for more parts."""
    form = _MULTIPART.fullmatch(content_type)
    if form is None:
        raise MalformedRequest("A form with files must be multipart/form-data with a boundary.")
    fields, files = [], []
    for name, is_file, content in _parts(body, form[1].encode(), most):
        if is_file:
            files.append((name, content))
        else:
            fields.append((name, _text(_utf8(content))))
    return Posted(tuple(fields), tuple(files))


def _parts(body: bytes, boundary: bytes, most: int) -> Iterator[tuple[str, bool, bytes]]:
    """Name, whether it is a file, and content of each part between the delimiters (RFC 2046 section 5.1.1)."""
    delimiter = b"\r\n--" + boundary
    if body.count(delimiter) > most:
        raise TooLarge(f"A form may have {most} fields.")
    before, *parts = (b"\r\n" + body).split(delimiter)
    if before or not parts or parts.pop() not in (b"--", b"--\r\n"):
        raise MalformedRequest("The form's parts did not arrive whole.")
    for part in parts:
        head, blank, content = part.partition(b"\r\n\r\n")
        if not blank:
            raise MalformedRequest("A part of the form has no content.")
        if len(head) > MOST_HEAD:
            raise MalformedRequest(f"The head of a form's part may be {MOST_HEAD} bytes long; got {len(head)}.")
        name, is_file = _disposition(_utf8(head))
        yield _name(name), is_file, content


def _disposition(head: str) -> tuple[str, bool]:
    lines = [line.partition(":") for line in head.removeprefix("\r\n").split("\r\n")]
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    form = _DISPOSITION.fullmatch(headers.get("content-disposition", ""))
    if form is None or not headers.keys() <= _PART_HEADERS or len(headers) != len(lines):
        raise MalformedRequest("A part of the form does not say which field it is, or says more than that.")
    return form[1], form[2] is not None


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise MalformedRequest("The form has a field whose name is none of ours.")
    return name


def _text(value: str) -> str:
    """Line ends as one character; browsers send two."""
    if "\0" in value:
        raise MalformedRequest("A field of the form holds a character that no text has.")
    return value.replace("\r\n", "\n")


def _utf8(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as wrong:
        raise MalformedRequest("A field of the form is not UTF-8 text.") from wrong
