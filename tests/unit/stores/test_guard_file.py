"""The fork guard's file: what it remembers survives, and what it cannot read it says."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from idverify.ledger import Checkpoint, FencedError
from idverify.ledger.errors import MalformedError
from idverify.stores.guard_file import SIGNATURE, TAG, GuardFile

ONE, TWO = Checkpoint("log.example/1", 1, bytes(32)), Checkpoint("log.example/1", 2, b"2" * 32)


@pytest.fixture
def guard(tmp_path: Path) -> GuardFile:
    """A guard whose directory is not there yet."""
    return GuardFile(tmp_path / "not-in-backups" / "last-checkpoint")


async def test_the_last_one_is_remembered(guard: GuardFile) -> None:
    """Nothing at first, then what was written last, also to another instance."""
    assert await guard.read() is None
    for checkpoint in (ONE, TWO):
        await guard.write(checkpoint)
        assert await GuardFile(guard.path).read() == checkpoint


async def test_of_two_processes_the_one_that_does_not_know_writes_nothing(guard: GuardFile) -> None:
    """Whoever read before another one wrote has to read again; what both agree on may be written by both."""
    other = GuardFile(guard.path)
    await other.read()
    await guard.write(ONE)
    await other.write(ONE)
    await other.write(TWO)
    with pytest.raises(FencedError, match="remember size 1, it has size 2"):
        await guard.write(replace(TWO, root=b"3" * 32))
    assert await guard.read() == TWO
    await guard.write(replace(TWO, size=3))


async def test_a_lost_guard_is_written_anew(guard: GuardFile) -> None:
    """Whoever deleted it took away a protection; the process that runs puts it back."""
    await guard.write(ONE)
    guard.path.unlink()
    await guard.write(TWO)
    assert await guard.read() == TWO


async def test_backups_are_told_to_leave_it_out(guard: GuardFile) -> None:
    """The directory bears the tag that backup tools look for."""
    await guard.write(ONE)

    assert (guard.path.parent / TAG).read_text().startswith(SIGNATURE)


async def test_what_is_no_checkpoint_is_not_taken_for_nothing(guard: GuardFile) -> None:
    """A spoilt file, or one that may not be read, is an error: it must not look like a first start."""
    await guard.write(ONE)
    guard.path.write_bytes(ONE.text()[:-1])
    with pytest.raises(MalformedError):
        await guard.read()
    guard.path.unlink()
    guard.path.mkdir()
    with pytest.raises(OSError, match="directory"):
        await guard.read()


async def test_it_is_flushed_before_and_after_it_takes_its_place(
    guard: GuardFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content first, then the name; and a write that stops half-way leaves the one before."""
    await guard.write(ONE)
    flushed: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    await guard.write(TWO)
    assert flushed == ["last-checkpoint.new", "not-in-backups"]

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        await guard.write(ONE)
    assert await guard.read() == TWO
