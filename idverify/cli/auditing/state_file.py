"""The auditor's memory between two runs: one small file, replaced whole."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from idverify.cli.output import WrongUsage
from idverify.cli.replaced_file import replace_file
from idverify.ledger.audit_state import MAX_STATE, AuditState
from idverify.ledger.errors import MalformedError


def load(path: Path) -> AuditState | None:
    """What an earlier run left, None if there was none. Raises ``WrongUsage`` for a file that is no state."""
    try:
        with path.open("rb") as file:
            return AuditState.decode(file.read(MAX_STATE + 1))
    except FileNotFoundError:
        return None
    except MalformedError as error:
        raise WrongUsage(f"{path} is not what an audit left ({error}). Name another file, or remove it.") from error


def save(path: Path, state: AuditState) -> None:
    """Replace the file; after a crash it is the old one or the new one, durably."""
    replace_file(path, state.encode())


def remove(path: Path) -> None:
    """Forget."""
    with suppress(FileNotFoundError):
        path.unlink()
