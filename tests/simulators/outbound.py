"""Watches what this process connects to and looks up, whoever does it: for tests in which nobody may."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_EVENTS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
_watching: list[list[tuple[str, Any]]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS:
        for seen in _watching:
            seen.append((event, arguments[-1] if event == "socket.connect" else arguments[0]))


@contextmanager
def outbound() -> Iterator[list[tuple[str, Any]]]:
    """What was connected to or looked up meanwhile. Hooks cannot be taken away (PEP 578): one serves all tests."""
    if not hasattr(sys, "_idverify_outbound"):
        sys.addaudithook(_hook)
        sys._idverify_outbound = True  # type: ignore[attr-defined]
    seen: list[tuple[str, Any]] = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)
