"""The file that a third party gets of one confirmed act: the evidence, the act, and what the public log says of both.

It needs nothing else to be checked again but the log's verifier key (``docs/evidence.md``). Members are objects and
text that any JSON tool shows; what was hashed is their canonical form, so a file that was laid out anew says the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from idverify.core.action import canonical_json
from idverify.errors import DocumentError
from idverify.formats.strict_json import parse_object

TYPE: Final = "idverify/evidence/v1"
MAX_FILE: Final = 256 * 1024
_SIGN: Final = re.compile(rb'"type"\s*+:\s*+"idverify/evidence/v[0-9]')
_TEXT_OR_NONE: Final = (str, type(None))
_MEMBERS: Final[Mapping[str, tuple[type, ...]]] = {
    "type": (str,),
    "evidence": (dict,),
    "action": (dict, type(None)),
    "receipt": _TEXT_OR_NONE,
    "key_receipt": _TEXT_OR_NONE,
}
_OF_AN_ACTION: Final[Mapping[str, tuple[type, ...]]] = {"act": (str,), "subject": _TEXT_OR_NONE, "content": (dict,)}


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """``evidence`` and ``action`` are canonical JSON as it was hashed, the receipts are ``.tlog-proof`` files.

    ``receipt`` is of the entry that commits to the evidence, ``key_receipt`` of the one that bound the security key.
    What is not there any more, or never was, is ``None``: the rest can still be checked.
    """

    evidence: bytes
    action: bytes | None = None
    receipt: bytes | None = None
    key_receipt: bytes | None = None

    def encode(self) -> bytes:
        """The file."""
        members = {
            "type": TYPE,
            "evidence": json.loads(self.evidence),
            "action": None if self.action is None else json.loads(self.action),
            "receipt": None if self.receipt is None else self.receipt.decode(),
            "key_receipt": None if self.key_receipt is None else self.key_receipt.decode(),
        }
        return canonical_json(members)

    @classmethod
    def decode(cls, given: bytes) -> Self:
        """Read a file; nothing in it is believed yet.

        Raises ``DocumentError`` (``size``, those of ``formats.strict_json``, ``members``).
        """
        if len(given) > MAX_FILE:
            raise DocumentError("size", f"An evidence file may have {MAX_FILE} bytes; this one has {len(given)}.")
        members = parse_object(given, "An evidence file")
        if not _has(members, _MEMBERS) or members["type"] != TYPE:
            raise DocumentError("members", f"An evidence file must have the members of {TYPE}, and no others.")
        action = members["action"]
        if action is not None and not _has(action, _OF_AN_ACTION):
            raise DocumentError("members", "The action must have act, subject and content, and nothing else.")
        receipts = (_encoded(members[name]) for name in ("receipt", "key_receipt"))
        try:
            kept, said = canonical_json(members["evidence"]), None if action is None else canonical_json(action)
            return cls(kept, said, *receipts)
        except ValueError as wrong:
            raise DocumentError("members", f"Evidence and action must have a canonical form: {wrong}.") from None


def is_evidence_file(given: bytes) -> bool:
    """Whether the bytes look like an evidence file of any version."""
    return given.lstrip().startswith(b"{") and _SIGN.search(given) is not None


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _has(members: dict[str, Any], kinds: Mapping[str, tuple[type, ...]]) -> bool:
    return members.keys() == kinds.keys() and all(type(members[name]) in kinds[name] for name in kinds)
