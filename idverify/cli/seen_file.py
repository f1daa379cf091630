"""What ``idverify verify --seen FILE`` remembers between two runs: how new bundles and status lists were that it used.

So an older bundle hides nothing that a newer one told: nobody's withdrawal, and no list's revocation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from idverify.cli.output import WrongUsage
from idverify.cli.replaced_file import replace_file
from idverify.services.status_source import Age

_MOST: Final = 1024 * 1024


def load(path: Path) -> dict[str, Age]:
    """By address or bundle; nothing where there is no file. Raises ``WrongUsage`` for a file that is something else."""
    try:
        with path.open("rb") as file:
            said = orjson.loads(file.read(_MOST))
        return {str(uri): (int(issued_at), int(version)) for uri, (issued_at, version) in said.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as wrong:
        raise WrongUsage(f"{path} is not what --seen left. Name another file, or remove it.") from wrong


def save(path: Path, seen: Mapping[str, Age], now: Mapping[str, Age]) -> None:
    """Keep the newer of both for each."""
    newest = {uri: max(now.get(uri, (0, 0)), seen.get(uri, (0, 0))) for uri in seen.keys() | now.keys()}
    replace_file(path, orjson.dumps(newest, option=orjson.OPT_SORT_KEYS))
