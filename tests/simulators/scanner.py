"""Searching bytes for what must not be in them, in every form in which it could lie there."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping

SHORT = 6
"""Bytes of a value up to which random bytes may well hold it: such a one is looked for as a word of a text."""
_BETWEEN_WORDS = rb"[\s\"',:;|<>(){}\[\]]"  # and nothing that base64 is made of


A_WORD = "a word"


def encodings(secret: str | bytes) -> dict[str, bytes]:
    """The forms in which a value could lie in a file: plain, UTF-16, hex, base64 at each of its offsets, backwards."""
    plain = secret.encode() if isinstance(secret, str) else secret
    forms = {"plain": plain, "hex": plain.hex().encode(), "HEX": plain.hex().upper().encode(), "reversed": plain[::-1]}
    if isinstance(secret, str):
        forms |= {"UTF-16LE": secret.encode("utf-16-le"), "UTF-16BE": secret.encode("utf-16-be")}
        forms |= {"upper case": secret.upper().encode(), "lower case": secret.lower().encode()}
    for offset in range(3):
        shifted = base64.b64encode(bytes(offset) + plain)
        whole = shifted[4 if offset else 0 : len(shifted) - 4]  # the ends depend on the neighbours
        forms[f"base64+{offset}"] = whole
        forms[f"base64url+{offset}"] = whole.replace(b"+", b"-").replace(b"/", b"_")
    return forms


def hashes(secret: str | bytes) -> dict[str, bytes]:
    """Plain hashes of a value, as bytes, in hex and in base64, and the first half, which would fit a handle."""
    plain = secret.encode() if isinstance(secret, str) else secret
    digest = hashlib.sha256(plain).digest()
    found = {f"SHA-256 in {form}": value for form, value in encodings(digest).items()}
    return found | {"SHA-256 cut to 16 bytes": digest[:16], "MD5": hashlib.md5(plain, usedforsecurity=False).digest()}


def leaks(files: Mapping[str, bytes], secrets: Mapping[str, str | bytes]) -> list[str]:
    """Which secret lies in which file, in which form."""
    return [
        f"{what} in {name} as {form}"
        for what, secret in secrets.items()
        for form, searched in _forms(secret)
        for name, content in files.items()
        if (form != A_WORD or _is_text(content)) and re.search(searched, content)
    ]


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _forms(secret: str | bytes) -> Iterator[tuple[str, re.Pattern[bytes]]]:
    """Each form, and how it is looked for."""
    if len(secret) <= SHORT:
        word = secret.encode() if isinstance(secret, str) else secret
        yield A_WORD, re.compile(rb"(?<=" + _BETWEEN_WORDS + rb")" + re.escape(word) + rb"(?=" + _BETWEEN_WORDS + rb")")
        yield from ((form, re.compile(re.escape(found))) for form, found in hashes(secret).items())
        return
    for form, found in (encodings(secret) | hashes(secret)).items():
        if len(found) > SHORT:
            yield form, re.compile(re.escape(found))
