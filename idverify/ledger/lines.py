"""Bytes and numbers as the C2SP text formats write them: exactly one spelling each.

Two spellings of one value would let two parties hold different bytes of "the same" note or proof, so base64
is RFC 4648 section 4 with zero padding bits, and decimals are ASCII without sign, space or leading zero.
"""

import base64
import binascii
import re
from typing import Final

from idverify.ledger.errors import MalformedError

U64_MAX: Final = 2**64 - 1
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,19}")


def base64_text(data: bytes) -> str:
    """`data` in standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def parse_base64(text: str, what: str) -> bytes:
    """Decode canonical base64; `what` names the field in the error.

    Raises `MalformedError`: other alphabet, missing padding, white space or non-zero padding bits.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"{what}: expected standard base64 with padding, got {text[:80]!r}") from error
    if base64_text(data) != text:
        raise MalformedError(f"{what}: expected canonical base64, got {text[:80]!r}")
    return data


def parse_hash(text: str, what: str) -> bytes:
    """Decode a SHA-256 hash in canonical base64: exactly 32 bytes."""
    data = parse_base64(text, what)
    if len(data) != 32:
        raise MalformedError(f"{what}: expected a SHA-256 hash of 32 bytes, got {len(data)}")
    return data


def parse_decimal(text: str, what: str) -> int:
    """Decode an ASCII decimal below 2^64 without leading zero.

    Raises `MalformedError`: anything else, such as `+1`, `01`, non-ASCII digits or 2^64.
    """
    if not _DECIMAL.fullmatch(text) or (value := int(text)) > U64_MAX:
        raise MalformedError(f"{what}: expected a decimal below 2^64 without leading zero, got {text[:40]!r}")
    return value


def split_lines_and_note(data: bytes, what: str) -> tuple[list[str], bytes]:
    """The ASCII lines that stand before a note, and the note, as `lines_and_note` joins them; none of it is read yet.

    Raises `MalformedError`: no blank line between them, or other lines than ASCII.
    """
    head, blank, note = data.partition(b"\n\n")
    if not blank or not head.isascii():
        raise MalformedError(f"{what}: expected ASCII lines, a blank line and a checkpoint")
    return head.decode("ascii").split("\n"), note


def lines_and_note(lines: list[str], note: bytes) -> bytes:
    """Lines, a blank line and a note: the shape of a tlog-proof and of a witness's add-checkpoint request."""
    return "\n".join([*lines, "", ""]).encode("ascii") + note


def parse_head(text: bytes) -> tuple[str, int, bytes]:
    """Decode the text of a checkpoint: its origin, its size, and its root of 32 bytes.

    Extension lines are refused: nobody can audit them, and an ML-DSA cosignature does not cover them.

    Raises `MalformedError`: not exactly three such lines.
    """
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError("checkpoint: expected UTF-8") from error
    if len(lines) != 4 or lines[3]:
        raise MalformedError(f"checkpoint: expected 3 lines (origin, size, root), got {len(lines) - 1}")
    origin, size, root, _ = lines
    return origin, parse_decimal(size, "checkpoint size"), parse_hash(root, "checkpoint root")
