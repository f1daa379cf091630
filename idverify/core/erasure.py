"""Erasing a person: on whose grounds, and when it may not be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from idverify.core.decision import CopyStatus
from idverify.errors import Unprocessable

ACT: Final = "erase-person"
# Regulation (EU) 2016/679 article 17(1), and the UK's of the same number, as a closed list
REASONS: Final[Mapping[str, str]] = {
    "no-longer-needed": "The record is no longer needed for what it was made for.",
    "asked-for": "The person asked for it, and nothing stands against it.",
    "unlawful": "The record should not have been made.",
}
_STILL_VALID: Final = (
    "This person holds a document that is valid or suspended. Have the permission revoked, or wait until the document"
    " has expired; then propose it again."
)


def require_reason(reason: str) -> None:
    """Raises ``Unprocessable`` for a reason that is not in the list."""
    if reason not in REASONS:
        raise Unprocessable(f"The reason for erasing a person must be one of: {', '.join(REASONS)}; got {reason!r}.")


def require_erasable(copies: Iterable[tuple[CopyStatus, int]], at: int) -> None:
    """Raises ``Unprocessable`` while a copy (its status, when it expires) can still be shown or come back.

    Nobody could look after it any more: whom it is of would be known to nobody.
    """
    if any(status is not CopyStatus.INVALID and expires_at > at for status, expires_at in copies):
        raise Unprocessable(_STILL_VALID)
