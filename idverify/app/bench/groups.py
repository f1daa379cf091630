"""The groups of benchmarks, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import hsm.bench
from hsm import HsmError
from hsm.rows import Row
from idverify.app.bench import http, ledger, mdoc, pdf, print_room, qr, sdjwt, status, webauthn
from idverify.app.bench.effort import FULL, Effort
from idverify.app.tokens import at_start


async def _hsm(effort: Effort) -> list[Row]:
    return await hsm.bench.measure(seconds=effort.sign_seconds, rounds=effort.rounds)


__all__ = ["GROUPS", "Row", "measure"]

GROUPS: Final[Mapping[str, Callable[[Effort], Awaitable[list[Row]]]]] = {
    "hsm": _hsm,
    "ledger": ledger.measure,
    "webauthn": webauthn.measure,
    "sdjwt": sdjwt.measure,
    "mdoc": mdoc.measure,
    "pdf": pdf.measure,
    "letters": print_room.measure,
    "qr": qr.measure,
    "status": status.measure,
    "http": http.measure,
}


async def measure(group: str, effort: Effort = FULL) -> list[Row]:
    """The rows of one group. Raises ``SetupError`` where SoftHSM is missing."""
    try:
        return await GROUPS[group](effort)
    except HsmError as error:
        raise at_start(error) from error
