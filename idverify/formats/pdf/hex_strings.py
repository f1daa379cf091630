"""Hexadecimal strings (ISO 32000-1 7.3.4.3) in one step: pyHanko takes the thousands of a signature one by one.

That is half of what validation costs. What is not plain digits is left to pyHanko, and so is every refusal.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pyhanko.pdf_utils import generic

_MOST: Final = 64 * 1024
_PLAIN: Final = re.compile(rb"<([0-9A-Fa-f]*)>")
_THEIRS: Final = generic.read_hex_string_from_stream


def _at_once(stream: Any) -> Any:
    begin = stream.tell()
    plain = _PLAIN.match(stream.read(_MOST))
    if plain is None:
        stream.seek(begin)
        return _THEIRS(stream)
    stream.seek(begin + plain.end())
    digits = plain[1]
    return generic.pdf_string(binascii.unhexlify(digits + b"0" * (len(digits) % 2)))


@contextmanager
def read_at_once() -> Iterator[None]:
    """While this is open, in the one thread that a worker has."""
    generic.read_hex_string_from_stream = _at_once
    try:
        yield
    finally:
        generic.read_hex_string_from_stream = _THEIRS
