"""The letters of a batch as one ZIP, written while it is sent: of all of them, one is in memory at a time."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import AsyncIterator
from typing import Final

import structlog

from idverify.core.policy import Principal
from idverify.errors import Conflict, IdverifyError
from idverify.services import letter_batch
from idverify.services.letter_batch import LetterState
from idverify.services.letter_pdf import LetterFile
from idverify.services.office import Office
from idverify.web.letters import file_name

ZIP: Final = "application/zip"
log = structlog.get_logger()


class _Written:
    """What the archive wrote and nobody has sent yet. It cannot be wound back, so the archive does not try to."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes, /) -> int:
        """Keep it."""
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """There is nothing between."""

    def close(self) -> None:
        """Nor is there anything to let go."""

    def taken(self) -> bytes:
        """All of it, once."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


async def of_batch(office: Office, officer: Principal, handle: bytes) -> AsyncIterator[bytes]:
    """The ZIP of the letters that are made, piece by piece. Raises ``NotFound``; ``Conflict`` if there is none yet."""
    batch, orders = await letter_batch.batch(office, officer, handle)
    if not any(one.state is LetterState.MADE for one in orders):
        raise Conflict("No letter of this batch is made yet. Come back when there is one.")
    return zipped(letter_batch.files(office, officer, orders), batch.created_at)


def zip_name(handle: bytes) -> str:
    """What the ZIP of a batch is called."""
    return f"letters-{handle.hex()}.zip"


async def zipped(letters: AsyncIterator[LetterFile], at: int) -> AsyncIterator[bytes]:
    """Each letter whole, under its reference, and then the list of them, without which the ZIP is none.

    Whatever fails between breaks the connection off: what came so far is no ZIP, and nobody takes it for one.
    """
    moment, written = dt.datetime.fromtimestamp(at, dt.UTC), _Written()
    when = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    archive = zipfile.ZipFile(written, "w", zipfile.ZIP_STORED)  # PDFs are small already
    try:
        async for one in letters:
            archive.writestr(zipfile.ZipInfo(file_name(one.handle), when), one.pdf)
            yield written.taken()
    except IdverifyError as failed:
        log.warning("letters_cut_off", error=type(failed).__name__)
        raise ConnectionResetError("The letters were cut off.") from failed
    archive.close()
    yield written.taken()
