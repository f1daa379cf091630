"""Time stamps (RFC 3161) for whoever asks: the HSM says that a digest was there at a time, and learns nothing of what.

Letters get theirs from the same key without asking here (``formats/pdf/sign.py``): strangers never keep them waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from idverify.errors import Busy, DocumentError, Unavailable
from idverify.formats import timestamp
from idverify.services.another_token import on_another_token
from idverify.services.office import TIME_STAMP_SIGNER, Office

PER_SECOND: Final = 20.0
AT_ONCE: Final = 40
_BUSY: Final = "Too many time stamps are asked for. Come back in a moment."


@dataclass(slots=True)
class Budget:
    """How many time stamps strangers get from this process: ``AT_ONCE``, and ``PER_SECOND`` from then on.

    ``now`` is monotonic, in seconds.
    """

    now: Callable[[], float]
    _left: float = float(AT_ONCE)
    _since: float | None = field(default=None)

    def take(self) -> None:
        """One of them. Raises ``Busy`` where none is left."""
        now = self.now()
        passed = 0.0 if self._since is None else now - self._since
        self._left, self._since = min(float(AT_ONCE), self._left + passed * PER_SECOND), now
        if self._left < 1:
            raise Busy(_BUSY)
        self._left -= 1


@dataclass(frozen=True, slots=True)
class Answer:
    """A TimeStampResp, DER; ``failed`` is why there is none for now, though the request was in order."""

    reply: bytes
    failed: Unavailable | None = None


async def answer(office: Office, budget: Budget, request: bytes) -> Answer:
    """The answer to a TimeStampReq as received: a token, or a name of PKIFailureInfo and why."""
    try:
        asked = timestamp.read_request(request)
    except DocumentError as wrong:
        return Answer(timestamp.refused(wrong.rule, str(wrong)))
    try:
        budget.take()
        return Answer(timestamp.granted(await _token(office, asked)))
    except Unavailable as away:
        return Answer(timestamp.refused("systemFailure", away.detail), away)


@on_another_token
async def _token(office: Office, asked: timestamp.Request) -> bytes:
    at = office.clock.now()
    signer = office.keys.issuer_until(TIME_STAMP_SIGNER, at, at)
    serial = int.from_bytes(office.entropy(timestamp.SERIAL_BYTES), "big")
    info = timestamp.tst_info(asked.imprint, policy=timestamp.POLICY, serial=serial, at=at, nonce=asked.nonce)
    signature = await office.signer.sign(signer.key_id, timestamp.to_be_signed(info, signer.chain[0]))
    return timestamp.token(info, signature, signer.chain, certificates=asked.certificates)
