"""Inclusion proofs from tiles that are in memory, against what one may cost."""

from __future__ import annotations

import time
from typing import Final

from hsm.rows import Pair, Row, row
from idverify.app.bench.effort import Effort
from idverify.ledger.edge import TILE_WIDTH
from idverify.ledger.merkle import verify_inclusion
from idverify.ledger.storage import LedgerStorage
from idverify.ledger.tiles import TileTree

_MOST_CPU: Final = 130e-6  # seconds
_PROOFS: Final = 1000
_TILES: Final = 100  # that the proofs are spread over; a tree keeps more in memory
_STRIDE: Final = 7919  # a prime: no two proofs in a row are from one tile


async def measure(storage: LedgerStorage, effort: Effort) -> list[Row]:
    """Proofs of entries all over the middle of the log, each asked for before."""
    state = await storage.tree_state()
    tree = await TileTree.load(storage, state.size, state.root())
    start = state.size // 2
    spread = min(state.size - start, _TILES * TILE_WIDTH)
    indexes = [start + number * _STRIDE % spread for number in range(_PROOFS)]
    for index in indexes:
        proof = await tree.inclusion_proof(index)
        verify_inclusion(index, state.size, await tree.node(0, index), proof, state.root())
    pairs = []
    for _ in range(effort.rounds):
        begin = time.process_time()
        for index in indexes:
            await tree.inclusion_proof(index)
        pairs.append(Pair((time.process_time() - begin) / _PROOFS, _MOST_CPU))
    return [row("ledger inclusion proof, warm", "proofs per CPU-second", "130 us of CPU", 1.0, pairs)]
