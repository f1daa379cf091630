"""Memory that survives a restart: rows, people's data under per-person keys, the ledger's entries."""
