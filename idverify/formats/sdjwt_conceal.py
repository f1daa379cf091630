"""The issuer's half of SD-JWT (RFC 9901 section 4.2): claims in, payload with digests and disclosures out.

>>> concealed = conceal({"iss": "https://issuer.example", "age": 41}, [("age",)], lambda size: bytes(size))
>>> concealed.disclosures
(b'WyJBQUFBQUFBQUFBQUFBQUFBQUFBQUFBIiwiYWdlIiw0MV0',)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from idverify.core.credential import Place
from idverify.formats.base import Entropy
from idverify.formats.jose import b64url_encode
from idverify.formats.sdjwt import ELLIPSIS, RESERVED, SD, SD_ALG, digest_of
from idverify.formats.strict_json import encode_json

SALT_BYTES = 16  # section 9.3: 128 bits


@dataclass(frozen=True, slots=True)
class Concealed:
    """The payload to sign, and the disclosures that go with it to the holder."""

    payload: dict[str, Any]
    disclosures: tuple[bytes, ...]


@dataclass(slots=True)
class _Mark:
    """What to do at one place: hide it, hide parts of it, or both (section 4.2.6)."""

    hidden: bool
    inside: dict[str | int, _Mark]


def _marks(paths: Iterable[Place]) -> dict[str | int, _Mark]:
    top = _Mark(hidden=False, inside={})
    for path in paths:
        mark = top
        for step in path:
            mark = mark.inside.setdefault(step, _Mark(hidden=False, inside={}))
        mark.hidden = True
    return top.inside


class _Concealing:
    def __init__(self, entropy: Entropy, decoys: int) -> None:
        self.entropy = entropy
        self.decoys = decoys
        self.disclosures: list[bytes] = []

    def hide(self, *named_value: Any) -> str:
        salt = b64url_encode(self.entropy(SALT_BYTES))
        encoded = b64url_encode(encode_json([salt, *named_value])).encode("ascii")
        self.disclosures.append(encoded)
        return digest_of(encoded)

    def value(self, value: Any, inside: Mapping[str | int, _Mark]) -> Any:
        if isinstance(value, dict):
            return self.members(value, inside)
        elements = value if isinstance(value, (list, tuple)) else ()
        if missing := inside.keys() - range(len(elements)):
            raise ValueError(f"There is nothing to hide at {', '.join(map(str, missing))}; the element is not there.")
        return [self.element(item, inside.get(index)) for index, item in enumerate(value)] if elements else value

    def element(self, item: Any, mark: _Mark | None) -> Any:
        if mark is None:
            return self.value(item, {})
        shown = self.value(item, mark.inside)
        return {ELLIPSIS: self.hide(shown)} if mark.hidden else shown

    def members(self, level: Mapping[str, Any], inside: Mapping[str | int, _Mark]) -> dict[str, Any]:
        if found := RESERVED & level.keys():
            raise ValueError(f"Claims must not be named {', '.join(sorted(found))}: RFC 9901 section 4.1 reserves it.")
        if missing := inside.keys() - level.keys():
            raise ValueError(f"There is nothing to hide at {', '.join(map(str, missing))}; the claim is not there.")
        plain, digests = {}, []
        for name, item in level.items():
            mark = inside.get(name)
            value = self.value(item, mark.inside if mark else {})
            if mark is not None and mark.hidden:
                digests.append(self.hide(name, value))
            else:
                plain[name] = value
        if digests:
            digests += [digest_of(self.entropy(SALT_BYTES)) for _ in range(self.decoys)]
            plain[SD] = sorted(digests)  # section 4.2.4.1: the order must tell nothing
        return plain


def conceal(claims: Mapping[str, Any], paths: Iterable[Place], entropy: Entropy, decoys: int = 0) -> Concealed:
    """Hide the claims at ``paths`` (nested and recursive ones too), with ``decoys`` more digests per object.

    Raises ``ValueError`` when a path leads nowhere or a name is reserved: that is our mistake, not a document's.
    """
    concealing = _Concealing(entropy, decoys)
    payload = concealing.members(claims, _marks(paths))
    payload[SD_ALG] = "sha-256"
    return Concealed(payload, tuple(concealing.disclosures))
