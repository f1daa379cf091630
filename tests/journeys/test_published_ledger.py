"""The ledger as the public has it: from the service, from a directory and from an object store, the same bytes."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest
from aiohttp import ClientSession

from idverify.ledger.checkpoint import open_checkpoint
from idverify.ledger.cose_receipt import MEDIA_TYPE, Expected, verify_inclusion_receipt
from idverify.ledger.description import LogDescription
from idverify.ledger.edge import TILE_WIDTH
from idverify.ledger.merkle import leaf_hash
from idverify.ledger.note import parse_vkey
from idverify.ledger.published import bundle_path, paths
from idverify.ledger.sequencer import decode_bundle
from idverify.ledger.tiles import Tile
from idverify.stores.log_bucket import BucketAddress, LogBucket
from tests.journeys.conftest import Command
from tests.simulators.contract import JudgedApi
from tests.simulators.log_sink import BUCKET, object_store, require_readable
from tests.simulators.service import ROOT, Deployment


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An object store on loopback."""
    with object_store(monkeypatch) as address:
        yield address


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """A client with no rights at all."""
    async with ClientSession() as opened:
        yield opened


def files_of(root: Path) -> dict[str, bytes]:
    """Every published file below a directory."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


async def fetched(session: ClientSession, deployment: Deployment, path: str, accept: str = "*/*") -> bytes:
    async with session.get(f"{deployment.url}/log/1/{path}", headers={"Accept": accept}) as response:
        assert response.status == 200, path
        return await response.read()


async def test_directory_bucket_and_service_show_the_same(
    api: JudgedApi, idverify: Command, deployment: Deployment, session: ClientSession, store: str, tmp_path: Path
) -> None:
    """What is exported is a whole log, and each of its files is what the running service answers."""
    for _ in range(3):
        await api.person_with_status()
    options = ("--data", deployment.data, "--json")
    to_directory = await idverify("ledger", "export", "--to", tmp_path / "log", *options)
    bucket = ("--to", f"s3://{BUCKET}/{deployment.port}/log", "--endpoint", store, "--region", "us-east-1")
    to_bucket = await idverify("ledger", "export", *bucket, *options)
    files = files_of(tmp_path / "log" / "1")
    described = LogDescription.decode(files["log.json"])
    size = require_readable(files, [parse_vkey(described.vkeys[0])])
    sink = LogBucket(BucketAddress(BUCKET, f"{deployment.port}/log/1/", store))

    assert (to_directory.status, to_bucket.status) == (0, 0)
    assert to_directory.json["size"] == size <= to_bucket.json["size"]
    assert to_directory.json["written"] == len(files)
    for path in (*paths(size), "log.json"):
        assert files[path] == await fetched(session, deployment, path)
    for path in (*paths(to_bucket.json["size"]), "log.json"):
        there = await sink.read(path)
        assert there is not None
        assert there.content == await fetched(session, deployment, path)


async def test_the_auditor_finds_nothing_in_either(
    api: JudgedApi, idverify: Command, deployment: Deployment, session: ClientSession, tmp_path: Path
) -> None:
    """The log's keys alone: the exported directory holds, and so does what the service shows at its address."""
    await api.person_with_status()
    await idverify("ledger", "export", "--to", tmp_path, "--data", deployment.data)
    described = LogDescription.decode(await fetched(session, deployment, "log.json"))
    keys = [option for one in described.vkeys for option in ("--vkey", one)]
    for source in (tmp_path / "1", f"{deployment.url}/log/1"):
        audited = await idverify("ledger", "fsck", source, *keys, "--json")
        assert (audited.status, audited.json["findings"]) == (0, [])


async def test_a_receipt_is_checked_with_what_is_published(
    api: JudgedApi, deployment: Deployment, session: ClientSession
) -> None:
    """The token signs the root: the COSE Receipt of the newest entry holds under the key of log.json."""
    await api.person_with_status()
    described = LogDescription.decode(await fetched(session, deployment, "log.json"))
    head = open_checkpoint(
        await fetched(session, deployment, "checkpoint.quorum"), [parse_vkey(one) for one in described.vkeys]
    )
    index, last = divmod(head.size - 1, TILE_WIDTH)
    path = bundle_path(Tile(0, index, last + 1))
    bundle = decode_bundle(await fetched(session, deployment, path))
    receipt = await fetched(session, deployment, f"proof/{head.size - 1}", MEDIA_TYPE)
    assert described.receipt_key is not None
    expected = Expected([described.receipt_key], described.identity.iss, head.origin)

    assert verify_inclusion_receipt(receipt, leaf_hash(bundle[-1]), expected).index == head.size - 1


async def test_an_export_that_follows(
    api: JudgedApi, deployment: Deployment, tmp_path: Path, session: ClientSession
) -> None:
    """With --follow the directory keeps up with the service, and is whole when the command is interrupted."""
    command = ("ledger", "export", "--to", tmp_path, "--follow", "--json", "--data", deployment.data)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "idverify.cli", *map(str, command), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            first = orjson.loads(await process.stdout.readline())
            await api.person_with_status()
            second = orjson.loads(await process.stdout.readline())
    finally:
        process.send_signal(signal.SIGINT)
        status = await process.wait()
    files = files_of(tmp_path / "1")
    described = LogDescription.decode(await fetched(session, deployment, "log.json"))

    assert status == 130
    assert first["size"] < second["size"]
    assert require_readable(files, [parse_vkey(described.vkeys[0])]) >= second["size"]


async def test_what_cannot_be_exported_to(
    idverify: Command, deployment: Deployment, store: str, tmp_path: Path
) -> None:
    """An address that is none, a bucket that is not there, a directory that is a file: said in a sentence."""
    (tmp_path / "file").write_bytes(b"")
    for to in ("s3://", "s3://no-such-bucket/log", tmp_path / "file"):
        done = await idverify("ledger", "export", "--to", to, "--endpoint", store, "--data", deployment.data)
        assert done.status != 0
        assert "Traceback" not in done.errors
        assert len(done.errors.splitlines()) <= 2


async def test_another_history_is_left_alone(idverify: Command, deployment: Deployment, tmp_path: Path) -> None:
    """Where other bytes lie under the name of a file, the command says so and writes no checkpoint."""
    await idverify("ledger", "export", "--to", tmp_path / "good", "--data", deployment.data)
    first = min(path for path in (tmp_path / "good" / "1" / "tile" / "0").rglob("*") if path.is_file())
    other = tmp_path / first.relative_to(tmp_path / "good")
    other.parent.mkdir(parents=True)
    other.write_bytes(b"other")
    done = await idverify("ledger", "export", "--to", tmp_path, "--data", deployment.data)

    assert done.status == 2
    assert "other bytes" in done.errors
    assert not (tmp_path / "1" / "checkpoint").exists()
