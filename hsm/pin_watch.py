"""Whether an operator has acted since a PIN was refused: another PIN file is there, or the note of it is gone."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from hsm.config import TokenConfig
from hsm.errors import HsmPinMissing
from hsm.pins import Sight, look_at
from hsm.refusals import note_beside

_EVERY = 0.5  # seconds between two looks


class PinWatch:
    """The PIN file of one token and the note beside it, as they were when the PIN was last tried."""

    def __init__(self, token: TokenConfig) -> None:
        self._pin_file = token.pin_file
        self.note = note_beside(token.pin_file, token.label)
        self.uncertain = False  # the last attempt ended without a word about the PIN
        self._tried: tuple[Sight | None, bool] | None = None

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Around one attempt: a file that is corrected meanwhile is another one, a note that is written is not."""
        before = self._sight()
        try:
            yield
        finally:
            self._tried = before, self._is_noted()

    async def acted(self) -> None:
        """Until somebody has acted; a PIN that was refused is not tried again before."""
        while (self._sight(), self._is_noted()) == self._tried:  # noqa: ASYNC110 an operator tells nobody
            await asyncio.sleep(_EVERY)

    def _is_noted(self) -> bool:
        try:
            return self.note.exists()
        except OSError:  # its directory is being exchanged
            return False

    def _sight(self) -> Sight | None:
        try:
            return look_at(self._pin_file)
        except HsmPinMissing:
            return None
