"""Keeps a token's workers running: starts them one at a time, and replaces each one that is lost.

One worker logs in before the next is started, so a wrong PIN costs one attempt however many workers there are,
and SoftHSM's race between simultaneous logins does not arise among our own. Against other programs that log in at
the same instant a start is repeated with jitter.

A worker serves when the probe key has signed in it: a login proves nothing, it succeeds on a token whose keys have
gone. A PIN that was refused is not tried again. The worker waits until an operator has changed the PIN file, or
removed the note of the refusal, and then one attempt is made.
"""

import asyncio
import contextlib
import json
import os

from hsm.admission import Priority
from hsm.breaker import Breaker, jitter, prove
from hsm.config import TokenConfig, check_paths
from hsm.errors import (
    HsmError,
    HsmModuleMissing,
    HsmPinMissing,
    HsmPinRefused,
    HsmTimeout,
    HsmTokenMissing,
    HsmUnavailable,
)
from hsm.frames import Op
from hsm.health import Latencies
from hsm.link import Link, connect
from hsm.pin_watch import PinWatch
from hsm.pins import as_children_see_it, look_at
from hsm.pool import Pool
from hsm.process import WORKER
from hsm.requests import LOSSES_MAX

_START_LIMIT = 30.0  # seconds to load the module and log in: a network token may have to be found first
_RACE_PAUSES = (0.05, 0.15, 0.4)  # seconds before repeating a start that may have met another login
_SHORT_LIVED = (
    "Expected a signer process to last, got several in turn that ended before their first answer. "
    "See standard error for why, and check the token's device."
)
_RACED = (HsmTokenMissing, HsmUnavailable)
_OF_THE_TOKEN = (*_RACED, HsmModuleMissing, HsmPinMissing, HsmPinRefused, HsmTimeout)


class Supervisor:
    """The life of one token's workers from `start` to `stop`."""

    def __init__(
        self, token: TokenConfig, pool: Pool, latencies: Latencies, pin: PinWatch, program: str | None = None
    ) -> None:
        """`pin` outlives it: what is known of attempts holds for those of the next supervisor, too."""
        self._token = token
        self._program = program or WORKER
        self._pool = pool
        self._latencies = latencies
        self._one_login = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._alive: set[Link] = set()  # every process started and not yet seen to be gone
        self._pin = pin
        self._loop = asyncio.get_running_loop()
        self._probed_at: float | None = None
        self.breaker = Breaker()
        self.probe_key: bytes | None = None
        self.refused: HsmPinRefused | None = None
        self.restarts = 0
        self.serial: str | None = None  # as the token itself has it, once it was opened
        self.pin_count_low = False
        self.sessions = token.sessions  # of each worker, as the last one to start has found out

    @property
    def since_probe(self) -> float | None:
        """Seconds since the probe key last signed; None before it ever did."""
        return None if self._probed_at is None else self._loop.time() - self._probed_at

    @property
    def reason(self) -> str | None:
        """Why the token is down or needs an operator, and the cure."""
        error = self.refused or self._pool.down_because
        return None if error is None else str(error)

    async def start(self) -> None:
        """Start every worker, in turn; the first that cannot be started ends it with its error."""
        for _ in range(self._token.workers):
            link = await self._first_start()
            self._pool.add(link)
            self._tasks.append(asyncio.create_task(self._keep(link)))
        self._tasks.append(asyncio.create_task(self._pulse()))

    async def stop(self) -> None:
        """Fail what is pending, end every worker and wait until they are gone."""
        self._pool.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self._alive))

    async def _keep(self, link: Link) -> None:
        """One worker after another, until the task is cancelled."""
        while True:
            await link.lost.wait()
            await link.gone()
            self._alive.discard(link)
            self.restarts += 1
            if link.proven:
                self.breaker.held()
            else:
                # so many may be one request's doing, which is given up then; one more is the token's
                self._failed(HsmUnavailable(_SHORT_LIVED), down=self.breaker.failures >= LOSSES_MAX)
            link = await self._replace()
            self._pool.add(link)

    async def _first_start(self) -> Link:
        for pause in _RACE_PAUSES:
            try:
                return await self._start_worker()
            except _RACED:
                await asyncio.sleep(pause * jitter())
        return await self._start_worker()

    async def _replace(self) -> Link:
        while True:
            async with self._one_login:
                if self.refused is not None:
                    await self._pin.acted()
                    self.refused = None
                await self.breaker.half_open()
                try:
                    return await self._log_in()
                except HsmPinRefused as error:
                    self.refused = error
                    self._pool.down(error)
                except HsmError as error:
                    # what may be a race with another program's login is not told to those who wait
                    raced = isinstance(error, _RACED) and self.breaker.failures < len(_RACE_PAUSES)
                    self._failed(error, down=not raced)

    def _failed(self, error: HsmError, *, down: bool) -> None:
        self.breaker.failed()
        if down:
            self._pool.down(error if isinstance(error, _OF_THE_TOKEN) else HsmUnavailable(str(error)))

    async def _start_worker(self) -> Link:
        async with self._one_login:
            return await self._log_in()

    async def _log_in(self) -> Link:
        """Start one worker, hand it its configuration down its socket, and have the probe key sign in it."""
        token = self._token
        check_paths(token.module, token.softhsm_conf)
        look_at(token.pin_file)
        try:
            link = await connect(self._program, token.softhsm_conf, self._latencies)
        except OSError as error:
            raise HsmUnavailable(
                f"Expected a signer process to start, got: {error.strerror}. Free memory, processes or open files."
            ) from error
        self._alive.add(link)
        try:
            await self._configure(link)
        except BaseException:
            link.kill()
            await link.close()
            self._alive.discard(link)
            raise
        return link

    async def _configure(self, link: Link) -> None:
        try:
            with self._pin.trying():
                greeting = json.loads(await link.ask(Op.CONFIGURE, self._configuration(), _START_LIMIT))
        except HsmError as error:
            self._pin.uncertain = isinstance(error, HsmTimeout) or link.lost.is_set()
            if self._pin.uncertain:
                self.sessions = 1  # it may be the module that crashed or hung when several threads put it to the test
            raise
        self._pin.uncertain = False
        self.serial = greeting["serial"]
        self.pin_count_low, self.sessions = greeting["pin_count_low"], greeting["sessions"]
        link.proven = False  # logging in proves nothing: it succeeds on a token whose keys have gone
        await self._prove(link, greeting.get("probe_key"))
        link.serves_in(self.sessions)

    async def _prove(self, link: Link, told: str | None) -> None:
        """Without a probe key, as on a new token, the first requests prove the worker."""
        if told is None and self.probe_key is not None:
            raise HsmUnavailable(
                f"Expected the probe key {self.probe_key.hex()} on token {self._token.label!r}, got a token without "
                "it. Bring its objects back."
            )
        if told is not None:
            key = bytes.fromhex(told)
            await prove(link, key, self._token.hang_after)
            self.probe_key, self._probed_at = key, self._loop.time()
            self.breaker.held()

    def _configuration(self) -> bytes:
        """The first frame's body. It names the PIN file: the PIN itself is read by the worker alone."""
        token = self._token
        settings = {
            "module": str(token.module),
            "label": token.label,
            "serial": token.serial,
            "pin_file": as_children_see_it(token.pin_file),
            "refusals": str(self._pin.note),
            "uncertain": self._pin.uncertain,
            "writable": token.writable,
            "sessions": self.sessions,
            "module_arguments": token.module_arguments,
            "tells_origin": token.tells_origin,
            "probe_key": token.probe_key.hex() if token.probe_key is not None else None,
        }
        return json.dumps(settings).encode()

    async def _pulse(self) -> None:
        """While nobody asks anything of the token, every worker signs now and then.

        So a token that has gone is found before somebody needs it, and the connection to one that is far away is not
        dropped for being idle. A failure is the pool's to act on, like that of any request.
        """
        while True:
            await asyncio.sleep(self._token.probe_every)
            if self.probe_key is not None and not self._pool.pending and not self._pool.is_down:
                await asyncio.gather(*(self._beat(self.probe_key) for _ in self._pool.workers))

    async def _beat(self, key: bytes) -> None:
        with contextlib.suppress(HsmError):
            await self._pool.submit(Op.SIGN, key, os.urandom(32), self._token.hang_after, Priority.BACKGROUND)
            self._probed_at = self._loop.time()
