"""``idverify ledger erase-check``: that nothing which is kept leads to what an erased person's entry commits to."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from idverify.cli.auditing.progress import Tell, progress
from idverify.cli.output import WrongUsage, print_json, read_input, say
from idverify.errors import Unavailable
from idverify.ledger.erasure import Erased, search
from idverify.ledger.errors import LedgerError, MalformedError
from idverify.ledger.proof import TlogProof
from idverify.ledger.receipt import Opening
from idverify.stores.sealed_openings import is_database, sealed_openings

SHOWN: Final = 20
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Question:
    """Where to look (files and directories), and for what: a receipt, or a handle and salts that may have been its."""

    places: Sequence[Path]
    receipt: str | None
    handle: str | None
    salts: Sequence[str]
    json: bool


@dataclass(frozen=True, slots=True)
class Left:
    """Something that is left of a person."""

    file: str
    offset: int | None
    what: str


def erase_check(question: Question) -> int:
    """Search: 0 nothing is left, 1 something is."""
    erased = _erased(question)
    files = sorted({path for place in question.places for path in _files(place)})
    with progress("bytes", quiet=question.json) as told:
        left = [*_traces(files, erased, told), *_sealed(files, erased)]
    if question.json:
        found = [{"file": each.file, "offset": each.offset, "what": each.what} for each in left]
        print_json({"erased": not left, "files": len(files), "left": found})
    else:
        _tell(left, len(files))
    return 1 if left else 0


def _erased(question: Question) -> Erased:
    if (question.receipt is None) == (question.handle is None):
        raise WrongUsage("Give --receipt FILE, or --handle HEX with --salt HEX, of the person who was erased.")
    try:
        if question.receipt is not None:
            return Erased.of(Opening.decode(TlogProof.decode(read_input(question.receipt)).extra or b""))
        return Erased.candidates(bytes.fromhex(question.handle or ""), map(bytes.fromhex, question.salts))
    except (MalformedError, ValueError) as error:
        raise WrongUsage(f"There is nothing to search for: {error}.") from error
    except LedgerError as error:
        raise WrongUsage(f"The receipt cannot be used: {error}.") from error


def _files(place: Path) -> Iterator[Path]:
    """Every regular file below a place; links are not followed, since what they lead to is found where it is."""
    if not place.exists():
        raise WrongUsage(f"{place} does not exist.")
    if place.is_file():
        yield place
        return
    for folder, _, names in os.walk(place, onerror=_give_up):
        for path in (Path(folder, name) for name in names):
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


def _give_up(error: OSError) -> None:
    raise Unavailable(f"{error.filename} cannot be searched: {error.strerror}.") from error


def _traces(files: Sequence[Path], erased: Erased, told: Tell) -> Iterator[Left]:
    total = sum(path.stat().st_size for path in files)
    done = 0
    for path in files:
        for trace in search(_pieces(path), erased):
            yield Left(str(path), trace.offset, trace.what)
        done += path.stat().st_size
        told(done, total)


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
    except OSError as error:
        _give_up(error)


def _sealed(files: Sequence[Path], erased: Erased) -> Iterator[Left]:
    """What is sealed cannot be searched: there the key has to be gone."""
    for path in files:
        if path.suffix == ".sqlite" and is_database(path):
            try:
                for index, keys in sealed_openings(path, erased.handle):
                    if keys:
                        yield Left(str(path), None, f"entry {index}: sealed opening, and {keys} keys for it")
            except sqlite3.Error as error:
                raise Unavailable(f"{path} cannot be read as a database ({error}).") from error


def _tell(left: Sequence[Left], files: int) -> None:
    if not left:
        say(f"Nothing is left: none of {files} files holds anything that opens the entry.")
        return
    say(f"Something is left of the person, in {len({each.file for each in left})} of {files} files:")
    for each in left[:SHOWN]:
        say(f"  {each.file}{'' if each.offset is None else f', byte {each.offset}'}: {each.what}")
    if len(left) > SHOWN:
        say(f"  and {len(left) - SHOWN} more: --json has them all")
