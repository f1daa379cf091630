"""What somebody handed over to be checked: a document alone, or what a wallet prints around it.

>>> handed_over(b'{"document": "eyJ.eyJ.sig~", "receipt": null}').document
b'eyJ.eyJ.sig~'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from idverify.errors import DocumentError
from idverify.formats.strict_json import parse_object

_MEMBERS: Final = {"document", "receipt", "verification_request"}
_HANDLE: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The document's bytes, its receipt, and the handle of the verification request that it answers."""

    document: bytes
    receipt: bytes | None = None
    request: bytes | None = None


def handed_over(given: bytes) -> HandedOver:
    """What was pasted or uploaded, taken apart. What is no wallet's answer is a document: the verdict names it."""
    plain = given.strip()
    if not plain.startswith(b"{"):
        return HandedOver(plain)
    try:
        answer = parse_object(plain, "A wallet's answer")
    except DocumentError:
        return HandedOver(plain)
    return _of_wallet(answer) or HandedOver(plain)


def _of_wallet(answer: dict[str, Any]) -> HandedOver | None:
    document, receipt, request = (answer.get(name) for name in ("document", "receipt", "verification_request"))
    if not answer.keys() <= _MEMBERS or not isinstance(document, str):
        return None
    if not isinstance(receipt, str | None) or not isinstance(request, str | None):
        return None
    if request is not None and not _HANDLE.fullmatch(request):
        return None
    return HandedOver(
        document.strip().encode(),
        None if receipt is None else receipt.encode(),
        None if request is None else bytes.fromhex(request),
    )
