"""Why a security key was suspended: it stays registered, and opens and confirms nothing until it is reinstated."""

from __future__ import annotations

from enum import StrEnum


class Suspension(StrEnum):
    """What speaks against the key."""

    CLONE = "clone"  # its counter did not rise: there may be a copy of it
    MODEL = "model"  # the metadata say that keys of its model are compromised, revoked or let the wrong person through
    LIST = "list"  # the list of authenticators was changed, and no longer takes it
