"""``idverify trust export``: the signed bundle for verifiers without a network."""

from __future__ import annotations

import asyncio
from pathlib import Path

from idverify.app.services import open_office
from idverify.cli.output import print_json, say
from idverify.config import load
from idverify.formats.x509 import fingerprint
from idverify.services import trust


def export(data: Path, output: Path, *, json: bool) -> int:
    """Sign a bundle and write it."""
    bundle, root, vkeys = asyncio.run(_signed(data))
    output.write_bytes(bundle)
    told = {"bundle": str(output), "bytes": len(bundle), "root_sha256": root, "log_vkeys": vkeys}
    if json:
        print_json(told)
        return 0
    say(f"Wrote {output} ({len(bundle)} bytes).")
    say(f"Root fingerprint (SHA-256): {root}")
    for vkey in vkeys:
        say(f"Ledger verifier key: {vkey}")
    say("Give them to verifiers by another way than the bundle; they verify with:")
    say(f"  python3 -m idverify verify FILE --offline {output} --root-sha256 {root}")
    return 0


async def _signed(data: Path) -> tuple[bytes, str, list[str]]:
    async with open_office(load(data), None) as office:
        await office.board.show_published()
        issuer = office.trust.issuers[office.deployment.iss]
        return await trust.export(office), fingerprint(issuer.roots[0]).hex(), office.log_vkeys
