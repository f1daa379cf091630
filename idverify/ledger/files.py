"""Reading the files of a published tree (`published`) where somebody else keeps them: in a directory, behind a URL.

A partial tile or bundle may be gone once the full one is there, whose beginning it is.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from idverify.ledger.edge import TILE_WIDTH
from idverify.ledger.errors import MalformedError
from idverify.ledger.note import MAX_NOTE
from idverify.ledger.published import CHECKPOINT, DESCRIPTION, QUORUM, bundle_path, parse_path
from idverify.ledger.sequencer import MAX_ENTRY, decode_bundle
from idverify.ledger.tiles import Tile

MAX_DESCRIPTION: Final = 256 * 1024

_LIMITS: Final = {CHECKPOINT: MAX_NOTE, QUORUM: MAX_NOTE, DESCRIPTION: MAX_DESCRIPTION}


class LogFiles(Protocol):
    """Read access to a published tree, wherever it is; paths are relative to `/log/<shard>/`.

    Nothing read is believed. Neither method returns more than `size_limit(path)` bytes and one: that one shows that
    there is too much. What cannot be asked for at all (no connection, no permission) raises, and is no finding.
    """

    def read(self, path: str) -> bytes | None:
        """The content of a file, None where there is none."""

    def read_many(self, paths: Iterable[str]) -> Iterator[bytes | None]:
        """The content of each file in order, read ahead where that is faster."""


def size_limit(path: str) -> int:
    """The most bytes that the file at `path` can have.

    Raises `MalformedError`: a published tree has no such path.
    """
    if path in _LIMITS:
        return _LIMITS[path]
    tile = parse_path(path)
    return tile.width * (32 if path == tile.path() else 2 + MAX_ENTRY)


def read_tile(files: LogFiles, tile: Tile) -> bytes | None:
    """The hashes of a tile; those of a partial one that is gone are the beginning of the full one."""
    return whole_tile(files, tile, files.read(tile.path()))


def whole_tile(files: LogFiles, tile: Tile, found: bytes | None) -> bytes | None:
    """`read_tile` where the tile's own path was already read."""
    if found is not None or tile.width == TILE_WIDTH:
        return found
    full = files.read(Tile(tile.level, tile.index).path())
    return None if full is None else full[: 32 * tile.width]


def read_entries(files: LogFiles, tile: Tile) -> list[bytes] | None:
    """The entries below a tile of level 0, as far as they can be read, None where there is no file.

    Those of a partial one that is gone are the beginning of the full one.
    """
    return whole_entries(files, tile, files.read(bundle_path(tile)))


def whole_entries(files: LogFiles, tile: Tile, found: bytes | None) -> list[bytes] | None:
    """`read_entries` where the bundle's own path was already read."""
    if found is not None:
        return _readable(found)
    full = None if tile.width == TILE_WIDTH else files.read(bundle_path(Tile(0, tile.index)))
    return None if full is None else _readable(full)[: tile.width]


def require_file(files: LogFiles, path: str) -> bytes:
    """A file that every published tree has. Raises `MalformedError` where this one has not."""
    data = files.read(path)
    if data is None:
        raise MalformedError(f"{path}: there is no such file")
    return data


def _readable(data: bytes) -> list[bytes]:
    """The entries of a bundle up to the first that does not fit."""
    try:
        return decode_bundle(data)
    except MalformedError:
        entries: list[bytes] = []
        start, end = 0, len(data)
        while start + 2 <= end:
            length = int.from_bytes(data[start : start + 2], "big")
            if length > MAX_ENTRY or start + 2 + length > end:
                break
            entries.append(data[start + 2 : start + 2 + length])
            start += 2 + length
        return entries
