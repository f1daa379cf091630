"""How far it is, at which rate, and how long it will take: a bar for people, a line now and then for logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

SECONDS: Final = 10.0
"""Between two lines where nobody watches."""

Tell = Callable[[int, int | None], None]
"""Takes how much is done, and of how much, if that is known."""


@contextmanager
def progress(what: str, *, quiet: bool) -> Iterator[Tell]:
    """Tell people on standard error, which leaves standard output to the result."""
    console = Console(stderr=True)
    if quiet:
        yield lambda _done, _total: None
    elif not console.is_terminal:
        yield _Lines(what)
    else:
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


class _Lines:
    def __init__(self, what: str) -> None:
        self._what = what
        self._began = self._told = time.monotonic()
        self._from: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if self._from is None:
            self._from = done
        if now - self._told < SECONDS:
            return
        self._told = now
        rate = (done - self._from) / (now - self._began)
        left = f", {(total - done) / rate:,.0f} s left" if total and rate else ""
        of = f" of {total:,}" if total else ""
        sys.stderr.write(f"{self._what}: {done:,}{of}, {rate:,.0f}/s{left}\n")
