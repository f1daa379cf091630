"""Changing the inventory: one change at a time, signed by the token, on the disk before anything rests on it."""

import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from hsm.client import Hsm
from hsm.config import TokenConfig
from hsm.errors import HsmBusy, HsmPolicy
from hsm.inventory import FORMAT, Inventory, read, render, to_be_signed
from hsm.keys import Algorithm, KeyInfo
from hsm.signer import SIGNER_LABEL, proven_signer, signer_among

_BEFORE_ANY = 1
"""What a counter says that is there and has counted nothing: none at all says 0."""

Clock = Callable[[], float]
"""Unix seconds now."""


class Book:
    """The inventory of a token opened for changes; whoever holds it is alone with the file."""

    def __init__(self, hsm: Hsm, path: Path, signer: KeyInfo, clock: Clock) -> None:
        assert signer.public_key is not None
        self.hsm, self.path, self.signer, self._clock = hsm, path, signer, clock
        self._spki = signer.public_key
        self.now: Inventory
        self._digest: bytes | None = None

    @property
    def time(self) -> int:
        """Unix seconds now."""
        return int(self._clock())

    @property
    def is_new(self) -> bool:
        """Whether there is no file yet."""
        return self._digest is None

    @property
    def had_one(self) -> bool:
        """Whether the token counted changes of an inventory that is not there any more."""
        return self.is_new and self.now.sequence > _BEFORE_ANY

    async def load(self) -> None:
        """Read what the file says; `HsmInventoryRefused` unless it holds."""
        self.now, self._digest = read(self.path, self._spki, await self.hsm.count())

    async def write(self, inventory: Inventory) -> None:
        """Sign it as the next change and put it in the place of the one before."""
        counted = await self._counts()
        fresh = replace(inventory, sequence=self.now.sequence + 1, at=self.time, previous=self._digest, counted=counted)
        signed = fresh.signed()
        signature = await self.hsm.sign(self.signer.id, to_be_signed(FORMAT, signed))
        put_in_place(self.path, render(signed, signature))
        if counted:
            await self.hsm.count(fresh.sequence)
        await self.load()

    async def _counts(self) -> bool:
        """Whether the token can keep a number, tried with the one that it knows; `check` says where it cannot."""
        with suppress(HsmPolicy):
            return await self.hsm.count(max(_BEFORE_ANY, self.now.sequence)) > 0
        return False

    def begin(self, token: dict[str, str], count: int) -> None:
        """Nothing is known of the token but how many changes it counted."""
        self.now = Inventory(token, max(_BEFORE_ANY, count), self.time, None, ())


@asynccontextmanager
async def opened(token: TokenConfig, path: Path, *, clock: Clock = time.time) -> AsyncIterator[Book]:
    """The book of a token that has one. Its keys may be used whatever their stage: this is how they change it."""
    with _alone(path):
        async with Hsm(replace(token, writable=True, inventory=None)) as hsm:
            signer, _ = await proven_signer(await hsm.inventory(), hsm.sign)
            book = Book(hsm, path, signer, clock)
            await book.load()
            yield book


@asynccontextmanager
async def started(
    token: TokenConfig, path: Path, *, again: bool = False, clock: Clock = time.time
) -> AsyncIterator[Book]:
    """The book of a token that has none yet; its first `write` makes the file.

    Refused (`HsmPolicy`) where the file is there, and, unless it is to be made `again`, where the token knows of
    changes: then there was one. Where it was cut off before the file, the inventory key is found again.
    """
    with _alone(path):
        _require_none(path)
        async with Hsm(replace(token, writable=True, inventory=None)) as hsm:
            signer = signer_among(await hsm.inventory())
            if signer is None:
                signer = await hsm.generate(Algorithm.ES256, SIGNER_LABEL)
            await proven_signer([signer], hsm.sign)
            book = Book(hsm, path, signer, clock)
            count = await hsm.count()
            if count > _BEFORE_ANY and not again:
                raise HsmPolicy(
                    f"Expected a token that never had an inventory, got one that knows of {count} changes. Restore "
                    f"{path.name} from a backup; if it is lost for good, say --again."
                )
            book.begin({"label": token.label, "serial": hsm.serial or ""}, count)
            yield book


def kept(token: TokenConfig, path: Path) -> AbstractAsyncContextManager[Book]:
    """The book of a token, begun where it never had one; for a program that keeps it by itself."""
    return opened(token, path) if path.exists() else started(token, path)


def _require_none(path: Path) -> None:
    if path.exists():
        raise HsmPolicy(
            f"Expected no inventory at {path}, got one. `python -m hsm inventory --check` holds its "
            "token against it; for another token say with --inventory where its own is to be."
        )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other commands from the inventory meanwhile; `HsmBusy` when one is at it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise HsmBusy(f"Expected to be alone with {path}, got another command at work on it. Wait for it.") from None
    else:
        yield
    finally:
        os.close(descriptor)


def put_in_place(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 whole or not at all, and on the disk before this returns."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)  # of a run that was cut off, or whatever somebody put there
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
