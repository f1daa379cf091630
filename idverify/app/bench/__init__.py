"""``idverify bench``: how near the product comes to what its primitives cost, on this very machine and day."""
