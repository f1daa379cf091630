"""Keeps a token's workers running: starts them one at a time, and replaces each one that is lost.

One worker logs in before the next is started, so a wrong PIN costs one attempt however many workers there are,
and SoftHSM's race between simultaneous logins does not arise among our own. Against other programs that log in at
the same instant a start is repeated with jitter. A refused PIN is never repeated and ends all restarts.
"""

import asyncio
import json
import random

from hsm.config import TokenConfig, check_paths
from hsm.errors import HsmError, HsmPinRefused, HsmTimeout, HsmTokenMissing, HsmUnavailable
from hsm.frames import Op
from hsm.health import Latencies
from hsm.link import Link, connect
from hsm.pins import read_pin
from hsm.pool import Pool
from hsm.process import WORKER
from hsm.requests import SENDS_MAX

_START_LIMIT = 30.0  # seconds to load the module and log in: a network token may have to be found first
_RACE_PAUSES = (0.05, 0.15, 0.4)  # seconds before repeating a start that may have met another login
_BACKOFF_FIRST, _BACKOFF_LAST = 0.1, 30.0  # seconds between starts while the token is down
_SHORT_LIVED = (
    "Expected a signer process to last, got several in turn that ended before their first answer. "
    "See standard error for why, and check the token's device."
)


class Supervisor:
    """The life of one token's workers from `start` to `stop`."""

    def __init__(self, token: TokenConfig, pool: Pool, latencies: Latencies) -> None:
        self._token = token
        self._pool = pool
        self._latencies = latencies
        self._one_login = asyncio.Lock()
        self._keepers: list[asyncio.Task[None]] = []
        self._alive: set[Link] = set()  # every process started and not yet seen to be gone
        self.refused: HsmPinRefused | None = None
        self.restarts = 0
        self.pin_count_low = False
        self.sessions = token.sessions  # of each worker, as the last one to start has found out

    async def start(self) -> None:
        """Start every worker, in turn; the first that cannot be started ends it with its error."""
        for _ in range(self._token.workers):
            link = await self._start_worker()
            self._pool.add(link)
            self._keepers.append(asyncio.create_task(self._keep(link)))

    async def stop(self) -> None:
        """Fail what is pending, end every worker and wait until they are gone."""
        self._pool.close()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self._alive))

    async def _keep(self, link: Link) -> None:
        """One worker after another, until the PIN is refused or the task is cancelled."""
        failures = 0
        try:
            while True:
                await link.lost.wait()
                await link.gone()
                self._alive.discard(link)
                self.restarts += 1
                failures = 0 if link.proven else failures + 1
                if failures >= SENDS_MAX:
                    self._pool.down(HsmUnavailable(_SHORT_LIVED))
                link = await self._replace(failures)
                self._pool.add(link)
        except HsmPinRefused as error:
            self.refused = error
            self._pool.down(error)

    async def _replace(self, failures: int) -> Link:
        while True:
            if failures:
                pause = min(_BACKOFF_LAST, _BACKOFF_FIRST * 2 ** (failures - 1))
                await asyncio.sleep(pause * _jitter())
            try:
                return await self._start_worker()
            except HsmPinRefused:
                raise
            except HsmError as error:
                failures += 1
                self._pool.down(error)

    async def _start_worker(self) -> Link:
        async with self._one_login:
            for pause in _RACE_PAUSES:
                if self.refused is not None:
                    raise HsmPinRefused(str(self.refused))
                try:
                    return await self._log_in()
                except (HsmTokenMissing, HsmUnavailable):
                    await asyncio.sleep(pause * _jitter())
            return await self._log_in()

    async def _log_in(self) -> Link:
        """Start one worker and hand it its configuration, the PIN included, down its socket."""
        token = self._token
        check_paths(token.module, token.softhsm_conf)
        link = await connect(WORKER, token.softhsm_conf, self._latencies)
        self._alive.add(link)
        try:
            ready = json.loads(await link.ask(Op.CONFIGURE, _configuration(token, self.sessions), _START_LIMIT))
        except BaseException as error:
            if link.lost.is_set() or isinstance(error, HsmTimeout):
                self.sessions = 1  # it may be the module that crashed or hung when several threads put it to the test
            link.kill()
            await link.close()
            self._alive.discard(link)
            raise
        self.pin_count_low, self.sessions = ready["pin_count_low"], ready["sessions"]
        link.serves_in(self.sessions)
        link.proven = False  # logging in proves nothing: it succeeds on a token whose keys have gone
        return link


def _configuration(token: TokenConfig, sessions: int) -> bytes:
    """The first frame's body. The PIN is a local of this function alone, so that no traceback shows it."""
    settings = {
        "module": str(token.module),
        "label": token.label,
        "serial": token.serial,
        "pin": read_pin(token.pin_file),
        "writable": token.writable,
        "sessions": sessions,
        "module_arguments": token.module_arguments,
    }
    return json.dumps(settings).encode()


def _jitter() -> float:
    return random.uniform(0.5, 1.0)  # noqa: S311 spreads restarts; nothing secret depends on it
