"""Places for a published log: one in memory that can fail at any call, and an object store on loopback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from idverify.ledger.checkpoint import open_checkpoint
from idverify.ledger.edge import RightEdge
from idverify.ledger.errors import ForkError
from idverify.ledger.export import Stored
from idverify.ledger.merkle import leaf_hash
from idverify.ledger.note import NoteVerifier
from idverify.ledger.published import paths
from idverify.ledger.sequencer import decode_bundle
from tests.simulators.ledger_memory import Crash

BUCKET = "published"


@dataclass
class SinkMemory:
    """`LogSink` in memory; call number `crash_at` (from 0) crashes, before or after it took effect."""

    files: dict[str, bytes] = field(default_factory=dict)
    calls: int = 0
    crash_at: int | None = None
    takes_effect: bool = False

    async def read(self, path: str) -> Stored | None:
        self._count(effect=False)
        content = self.files.get(path)
        return None if content is None else Stored(content, content.hex())

    async def add(self, path: str, content: bytes) -> bool:
        crashes = self._count(effect=True)
        if self.files.get(path, content) != content:
            raise ForkError(path)
        new = path not in self.files
        self.files[path] = content
        self._crash(crashes)
        return new

    async def replace(self, path: str, content: bytes, seen: Stored | None) -> bool:
        crashes = self._count(effect=True)
        if self.files.get(path) != (seen and seen.content):
            return False
        self.files[path] = content
        self._crash(crashes)
        return True

    async def drop(self, folder: str) -> None:
        crashes = self._count(effect=True)
        self.files = {path: content for path, content in self.files.items() if not path.startswith(f"{folder}/")}
        self._crash(crashes)

    def _count(self, *, effect: bool) -> bool:
        crashes = self.calls == self.crash_at
        self.calls += 1
        if crashes and not (effect and self.takes_effect):
            raise Crash
        return crashes

    def _crash(self, crashes: bool) -> None:  # noqa: FBT001 - what _count returned
        if crashes:
            raise Crash


def require_readable(files: Mapping[str, bytes], verifiers: list[NoteVerifier]) -> int:
    """The size of the checkpoint, every file of whose tree is there and leads to its root; 0 without one.

    A reader of `checkpoint.quorum` finds each of its files too, or in place of a partial one the full one.
    """
    if "checkpoint" not in files:
        return 0
    for name in ("checkpoint", "checkpoint.quorum"):
        head = open_checkpoint(files[name], verifiers)
        bundles = []
        for path in paths(head.size):
            assert path in files or path.partition(".p/")[0] in files, f"{path} of {name}"
            if path.startswith("tile/entries/"):
                entries = decode_bundle(files.get(path) or files[path.partition(".p/")[0]])
                bundles += entries[: int(path.partition(".p/")[2] or 256)]
        assert RightEdge().extend(list(map(leaf_hash, bundles)))[0].root() == head.root
    return open_checkpoint(files["checkpoint"], verifiers).size


@contextmanager
def object_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3-compatible store on loopback with one empty bucket; its address, and credentials in the environment."""
    from botocore.session import Session
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "synthetic")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        Session().create_client("s3", endpoint_url=address).create_bucket(Bucket=BUCKET)
        yield address
    finally:
        server.stop()
