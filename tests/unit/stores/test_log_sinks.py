"""Where the published log is kept: a directory and an object store keep the same promises, each against its faults."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from idverify.errors import SetupError, Unavailable
from idverify.ledger.edge import RightEdge
from idverify.ledger.errors import FencedError, ForkError
from idverify.ledger.export import Exported, Exporter, LogSink, Stored
from idverify.ledger.published import PublishedLog, StoredSnapshots, paths
from idverify.stores import log_directory
from idverify.stores.log_bucket import BucketAddress, LogBucket
from idverify.stores.log_directory import LogDirectory
from tests.simulators.ledger_memory import LedgerMemory, SoftwareSigner, publishing
from tests.simulators.log_sink import BUCKET, object_store

SIGNER = SoftwareSigner()
KINDS = ["directory", "bucket"]


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of an object store with an empty bucket."""
    with pytest.MonkeyPatch.context() as patch, object_store(patch) as address:
        yield address


@pytest.fixture
def bucket(store: str, request: pytest.FixtureRequest) -> LogBucket:
    """A place of the test's own in it."""
    prefix = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return LogBucket(BucketAddress(BUCKET, f"{prefix}/", store))


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[LogDirectory]:
    """A directory, held."""
    with LogDirectory(tmp_path / "log" / "1") as held:
        yield held


@pytest.fixture(params=KINDS)
def sink(request: pytest.FixtureRequest) -> LogSink:
    """Each kind of place in turn."""
    place: LogSink = request.getfixturevalue(request.param)
    return place


async def log(size: int) -> PublishedLog:
    """A published log of this size."""
    memory = LedgerMemory()
    memory.append(size)
    await publishing(memory, SIGNER).publish_once()
    return PublishedLog(memory, StoredSnapshots(memory, [SIGNER.verifier], witnessed=False), b'{"log": 1}\n')


def files_of(root: Path) -> set[str]:
    """Every file below, hidden ones too."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


async def test_a_file_is_written_once(sink: LogSink) -> None:
    """The same bytes again change nothing, other bytes are refused and change nothing either."""
    assert await sink.read("tile/0/000") is None
    assert await sink.add("tile/0/000", b"hashes") is True
    assert await sink.add("tile/0/000", b"hashes") is False
    with pytest.raises(ForkError, match="tile/0/000"):
        await sink.add("tile/0/000", b"others")

    there = await sink.read("tile/0/000")
    assert there is not None
    assert there.content == b"hashes"


async def test_a_checkpoint_is_swapped_for_the_one_that_was_seen(sink: LogSink) -> None:
    """Only whoever saw what is there now replaces it; nobody replaces what is not there any more."""
    assert await sink.replace("checkpoint", b"1", Stored(b"0", '"stale"')) is False
    assert await sink.read("checkpoint") is None
    assert await sink.replace("checkpoint", b"1", None) is True
    first = await sink.read("checkpoint")
    assert await sink.replace("checkpoint", b"x", None) is False
    assert await sink.replace("checkpoint", b"2", first) is True
    assert await sink.replace("checkpoint", b"3", first) is False

    second = await sink.read("checkpoint")
    assert first is not None
    assert second is not None
    assert (first.content, second.content) == (b"1", b"2")


async def test_a_folder_is_dropped_and_nothing_beside_it(sink: LogSink) -> None:
    """Partial tiles go, their full tile and their neighbours stay; what is not there is gone already."""
    for path in ("tile/0/000.p/1", "tile/0/000.p/255", "tile/0/000", "tile/0/001.p/3", "tile/entries/000.p/1"):
        await sink.add(path, path.encode())
    await sink.drop("tile/0/000.p")
    await sink.drop("tile/0/999.p")

    left = [path for path in ("tile/0/000.p/1", "tile/0/000.p/255") if await sink.read(path)]
    kept = [path for path in ("tile/0/000", "tile/0/001.p/3", "tile/entries/000.p/1") if await sink.read(path)]
    assert (left, len(kept)) == ([], 3)


async def test_a_log_grows_there(sink: LogSink) -> None:
    """Exported at each size in turn, the place holds what the last one needs, to the byte."""
    for size in (1, 200, 300, 600):
        shown = await log(size)
        await Exporter(shown, [SIGNER.verifier], sink).export()
    wanted = [*paths(600), "checkpoint", "checkpoint.quorum", "log.json"]
    there = {path: await sink.read(path) for path in wanted}

    assert {path: stored and stored.content for path, stored in there.items()} == {
        path: await shown.read(path) for path in wanted
    }
    assert await sink.read("tile/0/001.p/44") is None


async def test_two_writers_leave_one_whole_log(bucket: LogBucket) -> None:
    """Both write at once: each file is one of theirs, and whoever is late at the checkpoint is told so."""
    exporters = [Exporter(await log(600), [SIGNER.verifier], bucket) for _ in range(2)]
    outcomes = await asyncio.gather(*(exporter.export() for exporter in exporters), return_exceptions=True)

    assert all(isinstance(outcome, Exported | FencedError) for outcome in outcomes)
    assert await Exporter(await log(600), [SIGNER.verifier], bucket).export(everything=True) == Exported(600, 600, 0)


async def test_what_the_bucket_serves(bucket: LogBucket) -> None:
    """Media types and caching are those that the service has, so the bucket may stand in its place."""
    await Exporter(await log(300), [SIGNER.verifier], bucket).export()

    def about(path: str) -> tuple[str, str]:
        answer = bucket._client.head_object(Bucket=BUCKET, Key=bucket._key(path))
        return answer["ContentType"], answer["CacheControl"]

    assert about("checkpoint") == ("text/plain; charset=utf-8", "public, max-age=1")
    assert about("log.json") == ("application/json", "public, max-age=1")
    assert about("tile/0/000") == ("application/octet-stream", "public, max-age=31536000, immutable")
    assert about("tile/entries/001.p/44") == ("application/octet-stream", "public, max-age=31536000, immutable")


async def test_an_answer_that_was_lost_is_no_conflict(bucket: LogBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that took effect, whose answer never came, is found done when it is asked for again."""
    put, calls = bucket._client.put_object, []

    def loses_first(**arguments: Any) -> Any:
        calls.append(arguments["Key"])
        put(**arguments)
        return put(**arguments)

    monkeypatch.setattr(bucket._client, "put_object", loses_first)

    assert await bucket.add("tile/0/000", b"hashes") is False
    assert await bucket.replace("checkpoint", b"1", None) is True
    assert await bucket.replace("checkpoint", b"2", await bucket.read("checkpoint")) is True
    assert calls == [bucket._key(path) for path in ("tile/0/000", "checkpoint", "checkpoint")]


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "AccessDenied", SetupError),
        (500, "InternalError", Unavailable),
        (409, "ConditionalRequestConflict", Unavailable),
    ],
)
async def test_refusals_of_the_store(
    bucket: LogBucket, monkeypatch: pytest.MonkeyPatch, status: int, code: str, error: type[Exception]
) -> None:
    """What the operator must mend is a set-up error, what passes by itself is a part that is away."""
    from botocore.exceptions import ClientError

    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def refuses(**_: Any) -> None:
        raise ClientError(answer, "PutObject")

    monkeypatch.setattr(bucket._client, "put_object", refuses)
    with pytest.raises(error):
        await bucket.add("tile/0/000", b"hashes")


async def test_a_conflict_inside_the_store_is_tried_again(bucket: LogBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """409 says that two writes met, and asks to come back."""
    from botocore.exceptions import ClientError

    put, answers = bucket._client.put_object, [409, 409]

    def meets_another(**arguments: Any) -> Any:
        if answers:
            answer: Any = {"Error": {"Code": "x"}, "ResponseMetadata": {"HTTPStatusCode": answers.pop()}}
            raise ClientError(answer, "PutObject")
        return put(**arguments)

    monkeypatch.setattr(bucket._client, "put_object", meets_another)

    assert await bucket.add("tile/0/000", b"hashes") is True


async def test_a_store_that_ignores_conditions_is_found_out(bucket: LogBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first object is written twice: where that goes through, nothing more is written, and no checkpoint."""
    put = bucket._client.put_object

    def ignores(**arguments: Any) -> Any:
        return put(**{name: value for name, value in arguments.items() if not name.startswith("If")})

    monkeypatch.setattr(bucket._client, "put_object", ignores)
    with pytest.raises(SetupError, match="ignores If-None-Match"):
        await Exporter(await log(600), [SIGNER.verifier], bucket).export()

    assert await bucket.read("checkpoint") is None


async def test_a_store_that_is_not_there(store: str) -> None:
    """No bucket of this name, nobody at this address, no credentials: said as what they are."""
    with pytest.raises(SetupError, match="nowhere"):
        await LogBucket(BucketAddress("nowhere", "", store)).read("checkpoint")
    with pytest.raises(Unavailable, match="is away"):
        await LogBucket(BucketAddress(BUCKET, "", "http://127.0.0.1:9")).read("checkpoint")


async def test_without_credentials(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that nobody gave credentials for is a matter of set-up."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(SetupError, match="redentials"):
        await LogBucket(BucketAddress(BUCKET, "", store)).read("checkpoint")


def test_without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that is missing is named."""

    def lacks(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(importlib, "import_module", lacks)
    with pytest.raises(SetupError, match="botocore"):
        LogBucket(BucketAddress(BUCKET, ""))


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://published", "published", ""),
        ("s3://published/", "published", ""),
        ("s3://published/log", "published", "log/"),
        ("s3://pub.lished-1/a/b_c.d/", "pub.lished-1", "a/b_c.d/"),
    ],
)
def test_addresses_of_buckets(url: str, bucket: str, prefix: str) -> None:
    """Bucket and prefix, with or without the last slash."""
    assert BucketAddress.parse(url, "http://store", "x") == BucketAddress(bucket, prefix, "http://store", "x")


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///x",
        "s3://UPPER/x",
        "s3://ab/x",
        "s3://published//x",
        "s3://published/x y",
        "S3://published",
        "s3://published/x//",
    ],
)
def test_what_is_no_address_of_a_bucket(url: str) -> None:
    """Anything else is refused before anything is written."""
    with pytest.raises(SetupError, match="s3://bucket/prefix"):
        BucketAddress.parse(url)


def test_a_directory_has_one_writer(directory: LogDirectory) -> None:
    """A second exporter is told so, and may come once the first has gone."""
    with pytest.raises(SetupError, match="Another process"), LogDirectory(directory.root):
        pass


async def test_a_directory_may_be_written_by_the_next_one(tmp_path: Path) -> None:
    """What one process wrote the next one finds; nothing unfinished is left between them."""
    for size in (200, 300):
        with LogDirectory(tmp_path) as held:
            await Exporter(await log(size), [SIGNER.verifier], held).export()

    assert files_of(tmp_path) == {*paths(300), "checkpoint", "checkpoint.quorum", "log.json", ".lock"}


@pytest.mark.parametrize("call", ["fsync", "rename"])
async def test_what_could_not_be_flushed_is_not_there(
    directory: LogDirectory, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A full or broken disk is an error, and the file keeps what it had."""
    await directory.replace("checkpoint", b"1", None)
    seen = await directory.read("checkpoint")

    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(*((os, "fsync") if call == "fsync" else (Path, "rename")), fails)
        with pytest.raises(OSError, match="No space"):
            await directory.replace("checkpoint", b"2", seen)
        with pytest.raises(OSError, match="No space"):
            await directory.add("tile/0/000", b"hashes")

    assert await directory.read("checkpoint") == seen
    assert await directory.read("tile/0/000") is None
    assert await directory.add("tile/0/000", b"hashes") is True


async def test_a_file_is_flushed_before_it_is_put_in_its_place(
    directory: LogDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, rename, directory: in this order, and so for every folder that is new."""
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def note_fsync(descriptor: int) -> None:
        done.append(f"flush {Path(f'/proc/self/fd/{descriptor}').readlink().relative_to(directory.root)}")
        fsync(descriptor)

    def note_rename(source: Path, target: Path) -> Path:
        done.append(f"rename {target.relative_to(directory.root)}")
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(log_directory.Path, "rename", note_rename)
    await directory.add("tile/0/000", b"hashes")

    assert done == ["flush .", "flush tile", "flush tile/0/000.new", "rename tile/0/000", "flush tile/0"]


def test_the_log_that_is_exported_has_more_than_one_level() -> None:
    """The sizes above fill tiles: otherwise they would show little."""
    assert len(RightEdge().extend([bytes(32)] * 600)[1]) == 2
