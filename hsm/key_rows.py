"""What the commands that look after keys share: where their files are, and how a key is shown."""

from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from hsm.entries import Entry, rfc3339
from hsm.errors import HsmPolicy
from hsm.inventory import FILE_NAME

FILE_MAX: Final = 64 * 1024
"""Bytes of a request, a certificate or a transcript."""


def inventory_of(arguments: Namespace) -> Path | None:
    """Where the inventory is, None where the options do not say."""
    if arguments.inventory is not None:
        return Path(arguments.inventory)
    return None if arguments.conf is None else Path(arguments.conf).with_name(FILE_NAME)


def path_of(arguments: Namespace) -> Path:
    """Where the inventory is; `HsmPolicy` where the options do not say."""
    path = inventory_of(arguments)
    if path is None:
        raise HsmPolicy("Expected --inventory, got none. Say where the signed inventory is.")
    return path


def content_of(path: Path) -> bytes:
    """A small file; what is longer is cut off one byte beyond what its reader takes."""
    with path.open("rb") as file:
        return file.read(1 + FILE_MAX)


def row_of(entry: Entry) -> dict[str, Any]:
    """A key in the report of a command."""
    return {
        "label": entry.label,
        "role": entry.role,
        "algorithm": entry.algorithm.value,
        "stage": entry.stage.value,
        "id": entry.id.hex() if entry.id is not None else None,
        "thumbprint": entry.thumbprint.hex() if entry.thumbprint is not None else None,
        "sealed": entry.sealed,
        "not_after": rfc3339(entry.validity[1]) if entry.validity is not None else None,
    }
