"""Where an auditor reads: a directory or a URL, by what was typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from idverify.cli.auditing.http import HttpFiles
from idverify.cli.output import WrongUsage
from idverify.ledger.files import LogFiles
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
