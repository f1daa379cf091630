"""Where an auditor reads: a directory or a URL, by what was typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from idverify.cli.auditing.http import HttpFiles
from idverify.cli.output import WrongUsage
from idverify.errors import Unavailable
from idverify.ledger.files import LogFiles
from idverify.ledger.published import CHECKPOINT, DESCRIPTION, QUORUM
from idverify.stores.directory_files import DirectoryFiles

SCHEMES = ("http://", "https://")


@contextmanager
def opened(source: str) -> Iterator[LogFiles]:
    """The published tree at a URL or in a directory. Raises ``WrongUsage`` for what is neither."""
    if source.startswith(SCHEMES):
        with HttpFiles(source) as files:
            yield files
    elif Path(source).is_dir():
        yield DirectoryFiles(Path(source))
    else:
        raise WrongUsage(f"Expected the URL or the directory of a published log; got {source!r}.")


def require_log(source: str, files: LogFiles) -> None:
    """There is something of a log, so that a wrong address is not taken for a log that lost its checkpoint.

    Raises ``Unavailable``: nothing of what every log has at its top is there.
    """
    if all(files.read(path) is None for path in (CHECKPOINT, DESCRIPTION, QUORUM)):
        raise Unavailable(f"There is no log at {source}. Each shard lies under its number, such as /log/1.")
