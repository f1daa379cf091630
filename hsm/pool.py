"""Who answers a request: admission, least-pending dispatch, deadlines, and sending again after a loss.

Rules, in the order they are applied:

1. A request is admitted while its class has a place of the `queue_limit` there are, else `HsmBusy`
   (`hsm.admission`).
2. It goes to the worker with the fewest pending requests, or waits while each has as many as its window allows
   (`hsm.link`); who waits is served by class. While every worker is being restarted it waits too; when the last
   start failed it fails at once with the reason.
3. Its future is completed exactly once: by the answer, by its deadline, or by an error. An answer that comes
   after the deadline is dropped; the request counts as pending until then, for it still occupies the worker.
4. A worker that is silent for `hang_after` with work to do is killed, or for `generate_within` while it makes a key.
5. When a worker is lost, what it had not answered is sent to another, in its old order and before whatever is
   younger, except what must not be repeated.
6. What it may have been working on is charged with the loss, and from then on goes alone, as does the making of a key:
   to a worker that has nothing else to do. What is charged with `LOSSES_MAX` is given up; what only stood behind it
   never is.
"""

import asyncio
import math
from collections.abc import Iterable

from hsm.admission import Admission, Priority
from hsm.errors import HsmBusy, HsmError, HsmTimeout, HsmUnavailable, for_another
from hsm.frames import Op, Status, encode
from hsm.link import ERRORS, Link
from hsm.requests import Request

_RETRY_AFTER_MAX = 30  # seconds
_GENERATE = Op.GENERATE  # looking it up costs more than comparing


class Pool:
    """The workers that serve now, and the requests that wait for one."""

    def __init__(self, queue_limit: int, hang_after: float, generate_within: float) -> None:
        self._queue_limit = queue_limit
        self._hang_after = hang_after
        self._generate_within = generate_within
        self._links: list[Link] = []
        self._admission = Admission(queue_limit)
        self._down: HsmError | None = None  # why none serves and none will soon; None while any serves
        self._last_id = 0
        self._loop = asyncio.get_running_loop()
        self._time, self._create_future = self._loop.time, self._loop.create_future
        self._check_at = math.inf
        self._check: asyncio.TimerHandle | None = None
        self.last_error: str | None = None

    @property
    def workers(self) -> tuple[int, ...]:
        """Process ids of the workers that serve now."""
        return tuple(link.pid for link in self._links)

    @property
    def pending(self) -> int:
        """How many requests are admitted and not answered."""
        return self._admission.admitted

    @property
    def is_down(self) -> bool:
        """Whether new requests are refused because no worker could be started."""
        return self._down is not None

    @property
    def down_because(self) -> HsmError | None:
        """Why none serves and none will soon; None while any serves."""
        return self._down

    def submit(self, op: Op, key: bytes, body: bytes, timeout: float, priority: Priority) -> asyncio.Future[bytes]:
        """Admit one request; the future gives the answer's body or raises from the tree in `hsm.errors`."""
        if self._down is not None:
            raise for_another(self._down)
        if not self._admission.enter(priority):
            raise self._busy(priority)
        self._last_id = identity = self._last_id + 1
        now = self._time()
        future: asyncio.Future[bytes] = self._create_future()
        request = Request(identity, op, encode(identity, op, key, body), future, now, now + timeout, priority)
        if op is _GENERATE:
            request.goes_alone = True
        link = None if self._admission.waiting else self._roomiest()
        if link is not None and not (request.goes_alone and link.pending):
            self._send(link, request, now)
        else:
            self._admission.wait(request)
        if request.deadline < self._check_at:
            self._check_no_later_than(request.deadline)
        return future

    def add(self, link: Link) -> None:
        """Let a configured worker serve, beginning with whatever waits."""
        if link.lost.is_set():
            return  # it ended after its login: its keeper replaces it
        link.on_fault = self._on_fault
        link.on_answered = self._on_answered
        link.on_lost = self._on_lost
        self._links.append(link)
        self._down = None
        self._serve()

    def down(self, error: HsmError) -> None:
        """A worker could not be started; unless another serves, fail what waits and what comes."""
        self.last_error = type(error).__name__
        if self._links:
            return
        self._down = error
        for request in self._admission.drain():
            self._cut_off(request, for_another(error))

    def close(self) -> None:
        """Fail everything pending; nothing is admitted any more."""
        closed = HsmUnavailable("Expected an open Hsm, got one that is closed. Use it inside `async with`.")
        links, self._links = self._links, []
        for link in links:
            for request in link.pending.values():
                request.cut_off(closed)
        self.down(closed)
        if self._check is not None:
            self._check.cancel()

    # Dispatch -----------------------------------------------------------------------------------------

    def _busy(self, priority: Priority) -> HsmBusy:
        pace = sum(1 / link.pace for link in self._links if link.pace)  # answers a second
        seconds = math.ceil(self.pending / pace) if pace else 1
        return HsmBusy(
            f"Expected fewer than {self._queue_limit} pending requests, and room among them for one of class "
            f"{priority.name}, got {self.pending} and none. Try again later.",
            retry_after=min(_RETRY_AFTER_MAX, seconds),
        )

    def _roomiest(self) -> Link | None:
        """The worker with the fewest pending requests, unless all have as many as their windows allow."""
        found, fewest = None, math.inf
        for link in self._links:
            pending = len(link.pending)
            if pending < fewest and pending < link.window:
                found, fewest = link, pending
        return found

    def _send(self, link: Link, request: Request, now: float) -> None:
        if not link.pending:  # while it has work its silence is being watched
            self._check_no_later_than(now + self._hang_after)
        link.send(request, now)

    def _serve(self) -> None:
        """Hand out what waits while there is room for it."""
        now = self._loop.time()
        while self._admission.waiting and (link := self._roomiest()) is not None:
            request = self._admission.next()
            assert request is not None
            if request.future.done():
                self._admission.leave(request)
            elif request.goes_alone and link.pending:
                self._admission.put_back(request)
                return  # until a worker has nothing to do: the roomiest one still has
            else:
                self._send(link, request, now)

    def _on_answered(self, _: Link, answered: list[Request]) -> None:
        self._admission.leave_all(answered)
        if self._admission.waiting:
            self._serve()

    def _fail(self, request: Request, error: HsmError) -> None:
        self._admission.leave(request)
        request.fail(error)

    def _cut_off(self, request: Request, error: HsmError) -> None:
        self._admission.leave(request)
        request.cut_off(error)

    # Faults and losses --------------------------------------------------------------------------------

    def _on_fault(self, link: Link, request: Request, status: int, sentence: str) -> None:
        error = ERRORS[status](sentence)
        if status == Status.SESSION_LOST:
            self.last_error = type(error).__name__
            request.charge()
            link.pending[request.id] = request  # goes out again with the others
            self._retire(link)
        elif status == Status.TOKEN_DOWN:
            self._fail(request, error)
            self._retire(link)
            self.down(error)
        else:
            self._fail(request, error)
            self._loop.call_soon(self._serve)  # after the answers that came with the fault

    def _retire(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)
        link.kill()
        self._loop.call_soon(self._take_back, link)  # after the answers that came with the fault

    def _charge(self, link: Link) -> None:
        """It ended, or had to be ended, over something that it had been given."""
        for request in link.in_doubt():
            request.charge()

    def _on_lost(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)
            self._charge(link)
        self._take_back(link)

    def _take_back(self, link: Link) -> None:
        """Send what the link has not answered to another; an answer that still comes is ignored."""
        cause = HsmUnavailable("Expected the signer process to answer, got its end. Try again.")
        orphans = list(link.pending.values())
        link.pending.clear()
        again: list[Request] = []
        for request in orphans:
            if request.future.done():
                self._admission.leave(request)
            elif not request.may_repeat():
                self._cut_off(request, cause)
            elif self._down is not None:
                self._cut_off(request, for_another(self._down))
            else:
                again.append(request)
                self._check_no_later_than(request.deadline)
        self._admission.wait_again(again)
        self._serve()

    # Deadlines and silence ----------------------------------------------------------------------------

    def _check_no_later_than(self, when: float) -> None:
        if when < self._check_at:
            if self._check is not None:
                self._check.cancel()
            self._check_at = when
            self._check = self._loop.call_at(when, self._check_now)

    def _check_now(self) -> None:
        now = self._loop.time()
        self._check, self._check_at = None, math.inf
        nearest = self._expire(self._admission, now)
        self._admission.drop_settled()
        for link in list(self._links):
            nearest = min(nearest, self._expire(link.pending.values(), now))
            if not link.pending:
                continue
            silent_until = link.heard + self._patience(link)
            if silent_until <= now:
                self.last_error = HsmTimeout.__name__
                self._charge(link)
                self._retire(link)
            else:
                nearest = min(nearest, silent_until)
        if nearest < math.inf:
            self._check_no_later_than(nearest)

    def _patience(self, link: Link) -> float:
        generates = any(request.op is _GENERATE for request in link.pending.values())  # then it is the only one
        return self._generate_within if generates else self._hang_after

    @staticmethod
    def _expire(requests: Iterable[Request], now: float) -> float:
        """Expire what is due and return the nearest deadline that is not."""
        nearest = math.inf
        for request in requests:
            if request.future.done():
                continue
            if request.deadline <= now:
                request.expire()
            else:
                nearest = min(nearest, request.deadline)
        return nearest
