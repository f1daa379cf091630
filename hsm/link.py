"""One signer process seen from the event loop: its socket, and the requests it has not answered yet."""

import asyncio
import subprocess
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from hsm.errors import (
    HsmAmbiguous,
    HsmDecryptFailed,
    HsmError,
    HsmKeyMissing,
    HsmKeyRefused,
    HsmModuleMissing,
    HsmPinMissing,
    HsmPinRefused,
    HsmPolicy,
    HsmTimeout,
    HsmTokenMissing,
    HsmUnavailable,
)
from hsm.frames import ANSWERS_PER_WRITE, FrameError, FrameReader, Op, Status, encode
from hsm.health import Latencies
from hsm.process import reap, spawn
from hsm.requests import Request

ERRORS: dict[int, type[HsmError]] = {
    Status.SESSION_LOST: HsmUnavailable,
    Status.TOKEN_DOWN: HsmUnavailable,
    Status.PIN_REFUSED: HsmPinRefused,
    Status.TOKEN_MISSING: HsmTokenMissing,
    Status.MODULE_MISSING: HsmModuleMissing,
    Status.KEY_MISSING: HsmKeyMissing,
    Status.DECRYPT_FAILED: HsmDecryptFailed,
    Status.POLICY: HsmPolicy,
    Status.PIN_MISSING: HsmPinMissing,
    Status.AMBIGUOUS: HsmAmbiguous,
    Status.KEY_REFUSED: HsmKeyRefused,
}
"""What each status other than OK means to the caller."""

_GRACE = 2.0  # seconds between closing a worker's socket and killing it

_IN_FLIGHT = 0.01  # seconds of work that a worker has at hand: a more urgent request waits for no more than that
_WINDOW_MAX = 256  # requests; more would only fill the socket's buffer
_FORGETS = 64  # answers after which the pace of earlier ones hardly counts
_READ_SIZE = 64 * 1024  # bytes


class Link(asyncio.BufferedProtocol):
    """Frames out once per turn of the loop, answers in by request id.

    Until a pool adopts it by setting `on_fault`, `on_answered` and `on_lost`, faults and the end of the process fail
    the request they concern.

    `window` is how many requests it should have at a time: what it answers in `_IN_FLIGHT` seconds as it has lately
    been doing, and never fewer than two for each of its sessions, so that none idles while an answer travels. One that
    `goes_alone` makes it one, until it is answered.
    """

    def __init__(self, process: subprocess.Popen[bytes], latencies: Latencies) -> None:
        self.pending: dict[int, Request] = {}
        self.lost = asyncio.Event()
        self.proven = False  # has answered OK at least once since it was configured
        self.heard = 0.0  # loop time of the last sign of life, or of the first request after idling
        self.on_fault: Callable[[Link, Request, int, str], None] = _fail_on_fault
        self.on_answered: Callable[[Link, list[Request]], None] = _nobody_counts
        self.on_lost: Callable[[Link], None] = _fail_on_loss
        self.window = self.least = 2
        self.pace = 0.0  # seconds per answer, 0 before the first
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._latencies = latencies
        self._reader = FrameReader()
        self._buffer = memoryview(bytearray(_READ_SIZE))
        self._at_once = ANSWERS_PER_WRITE  # requests that it may have read and not answered
        self._outgoing: list[bytes] = []
        self._transport: asyncio.WriteTransport | None = None

    @property
    def pid(self) -> int:
        """Process id of the signer process."""
        return self._process.pid

    def send(self, request: Request, now: float) -> None:
        """Queue a request; all of one turn of the loop leave in a single write."""
        if not self.pending:
            self.heard = now
        self.pending[request.id] = request
        request.sent = True
        if request.goes_alone:
            self.window = 1
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(request.frame)

    def _flush(self) -> None:
        frames = b"".join(self._outgoing)
        self._outgoing.clear()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frames)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is ours."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def get_buffer(self, _: int) -> memoryview:
        """asyncio: where to put what comes; a fresh buffer for each read would cost more than the reading."""
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        """asyncio: so much has come."""
        self.data_received(bytes(self._buffer[:size]))

    def data_received(self, data: bytes) -> None:
        """Answers, whole or in part."""
        since, now = self.heard, self._loop.time()
        self.heard = now
        try:
            frames = self._reader.feed(data)
        except FrameError:
            self.kill()
            return
        answered: list[Request] = []
        faults = 0
        take, note = self.pending.pop, self._latencies.add
        for identity, status, _, body in frames:
            request = take(identity, None)
            if request is None:
                continue  # already taken back after a fault
            if not status:  # OK
                note(now - request.admitted)
                if not request.future.done():
                    request.future.set_result(body)
                answered.append(request)
            else:
                faults += 1
                self.on_fault(self, request, status, body.decode(errors="replace"))
        if answered or faults:
            self._adapt(len(answered) + faults, now - since)
        if answered:
            self.proven = True
            self.on_answered(self, answered)

    def _adapt(self, answers: int, seconds: float) -> None:
        """Follow the worker's pace, of which one that went alone tells nothing."""
        if self.window > 1:
            latest = seconds / answers
            self.pace += (latest - self.pace) * (min(1.0, answers / _FORGETS) if self.pace else 1.0)
        self.window = max(self.least, min(_WINDOW_MAX, int(_IN_FLIGHT / self.pace))) if self.pace else self.least

    def serves_in(self, sessions: int) -> None:
        """Learn in how many sessions the worker works."""
        self.window = self.least = 2 * sessions
        if sessions > 1:
            self._at_once = 2 * sessions  # each works on one, and may wait to write the one before
        self.pace = 0.0  # that of logging in tells nothing

    def in_doubt(self) -> list[Request]:
        """Those that it may have been working on when it fell silent: it takes them in the order of their sending."""
        return list(islice(self.pending.values(), self._at_once))

    def connection_lost(self, _: Exception | None) -> None:
        """asyncio: the process has ended or was told to."""
        self.lost.set()
        self.on_lost(self)

    def kill(self) -> None:
        """End the process at once; `on_lost` follows when its socket closes."""
        self._process.kill()

    async def close(self) -> None:
        """Close the socket, which ends the process, and wait until it is gone."""
        if self._transport is not None:
            self._transport.close()
        await self.gone()

    async def gone(self) -> None:
        """Wait until the process has left the process table."""
        await asyncio.to_thread(reap, self._process, _GRACE)

    async def ask(self, op: Op, body: bytes, timeout: float, key: bytes = b"") -> bytes:  # noqa: ASYNC109 the deadline travels with the request
        """Send one request outside any pool and return its answer."""
        future: asyncio.Future[bytes] = self._loop.create_future()
        now = self._loop.time()
        frame = encode(0, op, key, body)
        self.send(Request(0, op, frame, future, admitted=now, deadline=now + timeout), now)
        try:
            return await asyncio.wait_for(future, timeout)
        except TimeoutError as error:
            raise HsmTimeout(
                f"Expected the signer process to be ready in {timeout:g} s, got no answer. "
                "Check that the token's device or network is up."
            ) from error


def _nobody_counts(link: Link, answered: list[Request]) -> None:
    del link, answered


def _fail_on_fault(link: Link, request: Request, status: int, sentence: str) -> None:
    del link
    request.fail(ERRORS[status](sentence))


def _fail_on_loss(link: Link) -> None:
    for request in link.pending.values():
        request.fail(
            HsmUnavailable("Expected the signer process to answer, got its end. See standard error for why it ended.")
        )
    link.pending.clear()


async def connect(program: str, softhsm_conf: Path | None, latencies: Latencies) -> Link:
    """Start `program` and return the link to it."""
    process, sock = spawn(program, softhsm_conf)
    try:
        _, link = await asyncio.get_running_loop().create_connection(lambda: Link(process, latencies), sock=sock)
    except BaseException:
        sock.close()
        process.kill()
        process.wait()
        raise
    return link
