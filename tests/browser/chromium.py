"""Debian's Chromium, driven by Playwright: no browser of another's is downloaded, and nothing outside is reachable."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, async_playwright

CHROMIUM: Final = Path("/usr/bin/chromium")
FLAGS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A running Chromium. Raises ``RuntimeError`` where there is none: the set-up of the tests installs it."""
    if not CHROMIUM.exists():
        raise RuntimeError(f"There is no {CHROMIUM}: run `python3 -m idverify test`, which installs it.")
    sandbox = os.geteuid() != 0  # Chromium refuses to start its sandbox for root
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=sandbox, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()
