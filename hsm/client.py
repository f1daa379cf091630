# ruff: noqa: ASYNC109 -- the timeout travels with the request, so that a late answer can be told from none
"""The asyncio client of one token: keys that never leave it, behind a dozen verbs.

    async with Hsm(TokenConfig(module, "documents", None, pin_file)) as hsm:
        signature = await hsm.sign(key, b"message")

This module never loads PKCS#11: the work is done by signer processes (`hsm.worker`), which hold the login.
Every verb takes a `timeout` in seconds and may raise any of `HsmBusy`, `HsmTimeout`, `HsmUnavailable`,
`HsmPinRefused`; verbs that name a key also `HsmKeyMissing`, `HsmKeyRefused` when it may not be used (any more, or
yet), and `HsmPolicy` when the key is for something else.
`priority` says for whom it is: classes have places of their own in the queue, and the higher is served first.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from hsm.admission import Priority
from hsm.config import TokenConfig
from hsm.errors import (
    HsmDecryptFailed,
    HsmError,
    HsmPinRefused,
    HsmPolicy,
    HsmUnavailable,
    for_another,
)
from hsm.frames import Op, join_pair, split_pair
from hsm.guard import Guard
from hsm.health import HsmHealth, HsmState, Latencies
from hsm.keys import Algorithm, KeyInfo, decode_keys
from hsm.pin_watch import PinWatch
from hsm.pool import Pool
from hsm.sealed import FROM_SEED, SEALED_SIZES, SealedKey
from hsm.supervisor import Supervisor
from hsm.verify import verify_signature

DEFAULT_TIMEOUT = 15.0
"""Seconds: long enough for a hung worker to be noticed, replaced, and the request answered by the next one."""

BODY_MAX = 1024 * 1024
"""Bytes of input to one request: the message, or associated data and text together."""

KEY_ID_MAX = 255
"""Bytes of CKA_ID that a frame can name."""

LABEL_MAX = 64
"""Bytes of UTF-8 in a key's label."""

RANDOM_MAX = 64 * 1024
"""Bytes of randomness in one request."""

WRAPPABLE = frozenset(range(16, 72, 8))
"""Lengths of secrets that `wrap` takes. RFC 5649 allows any; SoftHSM 2.6 loses the length of the others."""

_OPENING: ContextVar["Hsm | None"] = ContextVar("opening", default=None)
"""Which token this task is opening, if any."""

_HELD_AGAINST_MORE = frozenset({Op.SIGN, Op.SIGN_SEALED})
"""Of these the rules ask more than which key it is, before they are submitted."""


class Hsm:
    """One token. Use it as an async context manager; it may be shared by any number of tasks of one loop."""

    def __init__(
        self,
        token: TokenConfig,
        *,
        admit: Callable[[Self], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.time,
        program: str | None = None,
    ) -> None:
        """`admit` looks at the token once it is open, and raises an `HsmError` where it is not the right one.

        `program` runs as the signer process in place of `hsm.worker`: benchmarks have one of their own.
        """
        self._admit = admit
        self._token = token
        self._program = program
        self._guard = Guard(token.inventory, self._unguarded, clock)
        self._pin = PinWatch(token)
        self._is_open = False
        self._unopened: HsmError | None = None  # why it is not open, where somebody tried
        self._following: asyncio.Task[None] | None = None
        self._latencies = Latencies()
        self._pool: Pool | None = None
        self._supervisor: Supervisor | None = None
        self._one_generation = asyncio.Lock()  # SoftHSM 2.6 makes keys unreliably when asked for two at once

    async def __aenter__(self) -> Self:
        """Start the workers; raises the first one's error when it cannot log in, and refuses a wrong inventory."""
        self._guard.forget()
        self._pool = Pool(self._token.queue_limit, self._token.hang_after, self._token.generate_within)
        self._supervisor = Supervisor(self._token, self._pool, self._latencies, self._pin, self._program)
        opening = _OPENING.set(self)
        try:
            await self._supervisor.start()
            await self._guard.read()
            if self._admit is not None:
                await self._admit(self)
        except BaseException as error:
            await self._supervisor.stop()
            self._pool = self._supervisor = None
            if isinstance(error, HsmError):
                error.token, self._unopened = self._token.label, error
            elif isinstance(error, Exception):
                self._unopened = HsmUnavailable(
                    f"Expected the token to be looked at and admitted, got {type(error).__name__}: {error}. Try again."
                )
            raise
        finally:
            _OPENING.reset(opening)
        self._unopened, self._is_open = None, True
        if self._token.inventory is not None:
            self._following = asyncio.create_task(self._guard.follow())
        return self

    async def read_inventory(self) -> None:
        """Hold uses of keys against the file of `TokenConfig.inventory` as it is now; nothing where there is none.

        Raises `HsmInventoryRefused` or `HsmKeyRefused`, and then goes on with what was read before.
        """
        await self._guard.read()

    def _unguarded(self, op: Op, key: bytes, body: bytes) -> asyncio.Future[bytes]:
        """What reading the inventory takes, before there are rules and whatever they say."""
        return self._opened().submit(op, key, body, DEFAULT_TIMEOUT, Priority.HIGH)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers; what is pending fails with `HsmUnavailable`."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        self._is_open = False
        if self._supervisor is not None:
            await self._supervisor.stop()
        self._pool = self._supervisor = self._following = None

    async def sign(
        self,
        key: bytes,
        message: bytes,
        *,
        until: int | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        priority: Priority = Priority.NORMAL,
    ) -> bytes:
        """A signature over the message itself, encoded as JOSE and COSE have it (`hsm.algorithms`): r||s for ECDSA.

        The worker has verified the signature with the token's public key before it answers. `until` (Unix seconds)
        is how long what is signed holds: refused (`HsmKeyRefused`) where the key's certificate ends before.
        """
        self._guard.require_signing(key, until)
        return await self._submit(Op.SIGN, key, message, timeout, priority)

    async def public_key(self, key: bytes, *, timeout: float = DEFAULT_TIMEOUT) -> bytes:
        """The SubjectPublicKeyInfo of a key pair, DER (RFC 5280 section 4.1)."""
        return await self._submit(Op.PUBLIC_KEY, key, b"", timeout)

    async def generate(self, algorithm: Algorithm, label: str, *, timeout: float | None = None) -> KeyInfo:
        """Make a key that cannot leave the token; `HsmOutcomeUnknown` when it was cut off on the way.

        Without a `timeout` it is what the token is given to make one, `TokenConfig.generate_within`, and the usual.

        Refused (`HsmPolicy`) on a token not opened `writable`, and when the token does not confirm that the key
        was made inside it, was always sensitive and was never extractable.
        """
        if not self._token.writable:
            raise HsmPolicy("Expected a token opened with writable=True, got a read-only one. Use `python -m hsm`.")
        if not 1 <= len(label.encode()) <= LABEL_MAX:
            raise HsmPolicy(f"Expected a label of 1 to {LABEL_MAX} bytes, got {len(label.encode())}.")
        wanted = json.dumps({"algorithm": Algorithm(algorithm).value, "label": label}).encode()
        if timeout is None:
            timeout = self._token.generate_within + DEFAULT_TIMEOUT
        async with self._one_generation:
            return decode_keys(await self._submit(Op.GENERATE, b"", wanted, timeout))[0]

    async def destroy(self, key: bytes, label: str, *, timeout: float = DEFAULT_TIMEOUT) -> int:
        """Destroy every object of this id and label; returns how many there were.

        An empty id names what a generation left that was cut off half way.
        """
        if not self._token.writable:
            raise HsmPolicy("Expected a token opened with writable=True, got a read-only one. Use `python -m hsm`.")
        return int.from_bytes(await self._submit(Op.DESTROY, key, label.encode(), timeout))

    async def count(self, changes: int | None = None, *, timeout: float = DEFAULT_TIMEOUT) -> int:
        """How many changes of the inventory the token knows of; with `changes`, that many from now on, never fewer.

        Refused (`HsmPolicy`) where the token cannot keep a number.
        """
        wanted = b"" if changes is None else changes.to_bytes(8)
        return int.from_bytes(await self._submit(Op.COUNT, b"", wanted, timeout))

    async def make_sealed(
        self, algorithm: Algorithm, wrapping_key: bytes, *, timeout: float = DEFAULT_TIMEOUT
    ) -> SealedKey:
        """A key in software, for an algorithm that tokens do not have yet: ML-DSA (`hsm.sealed`).

        Its seed is drawn by the token and leaves the signer process under the A256KWP key alone. Keep the answer:
        the token does not.
        """
        if algorithm not in FROM_SEED:
            raise HsmPolicy(f"Expected {' or '.join(FROM_SEED)}, got {algorithm}: generate that in the token.")
        made = await self._submit(Op.MAKE_SEALED, wrapping_key, algorithm.value.encode(), timeout)
        public_key, sealed = split_pair(made)
        return SealedKey(public_key, wrapping_key, sealed)

    async def open_sealed(self, key: SealedKey, *, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Nothing when the key can be used; `HsmDecryptFailed` when its seed was altered or is that of another key."""
        await self._submit(Op.OPEN_SEALED, key.wrapping_key, _sealed_pair(key), timeout)

    async def sign_sealed(
        self,
        key: SealedKey,
        message: bytes,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        priority: Priority = Priority.NORMAL,
    ) -> bytes:
        """A signature by a key in software, verified before it leaves the worker; errors as of `open_sealed`."""
        body = join_pair(_sealed_pair(key), message)
        self._guard.require_sealed(key.id, key.wrapping_key)
        return await self._submit(Op.SIGN_SEALED, key.wrapping_key, body, timeout, priority)

    async def wrap(
        self, key: bytes, secret: bytes, *, timeout: float = DEFAULT_TIMEOUT, priority: Priority = Priority.NORMAL
    ) -> bytes:
        """A secret of 16, 24, ... 64 bytes under an A256KWP key (RFC 5649): 8 bytes longer than it was."""
        if len(secret) not in WRAPPABLE:
            raise HsmPolicy(f"Expected a secret of 16 to 64 bytes, a multiple of 8, got {len(secret)} bytes.")
        return await self._submit(Op.WRAP, key, secret, timeout, priority)

    async def unwrap(
        self, key: bytes, wrapped: bytes, *, timeout: float = DEFAULT_TIMEOUT, priority: Priority = Priority.NORMAL
    ) -> bytes:
        """The secret that `wrap` took; `HsmDecryptFailed` when it was made with another key or altered."""
        if len(wrapped) - 8 not in WRAPPABLE:
            raise HsmDecryptFailed(f"Expected 24 to 72 bytes of wrapped key, a multiple of 8, got {len(wrapped)}.")
        return await self._submit(Op.UNWRAP, key, wrapped, timeout, priority)

    async def encrypt(
        self,
        key: bytes,
        plaintext: bytes,
        aad: bytes = b"",
        *,
        timeout: float = DEFAULT_TIMEOUT,
        priority: Priority = Priority.NORMAL,
    ) -> bytes:
        """Return nonce (12) || ciphertext || tag (16), AES-256-GCM; the nonce is the token's own where it makes them.

        Of any other token it is drawn at random in the worker. Either way one key is for 2**32 encryptions at most
        (NIST SP 800-38D section 8.3), by all who use it. Nothing counts them here: rotate the key before that.
        """
        return await self._submit(Op.ENCRYPT, key, join_pair(aad, plaintext), timeout, priority)

    async def decrypt(
        self,
        key: bytes,
        sealed: bytes,
        aad: bytes = b"",
        *,
        timeout: float = DEFAULT_TIMEOUT,
        priority: Priority = Priority.NORMAL,
    ) -> bytes:
        """What `encrypt` took; `HsmDecryptFailed` on another key, other `aad`, or an altered byte."""
        return await self._submit(Op.DECRYPT, key, join_pair(aad, sealed), timeout, priority)

    async def hmac(
        self, key: bytes, data: bytes, *, timeout: float = DEFAULT_TIMEOUT, priority: Priority = Priority.NORMAL
    ) -> bytes:
        """HMAC-SHA-256 (RFC 2104), 32 bytes."""
        return await self._submit(Op.HMAC, key, data, timeout, priority)

    async def random(self, n: int, *, timeout: float = DEFAULT_TIMEOUT) -> bytes:
        """`n` bytes, 1 to `RANDOM_MAX`, from the token's generator."""
        if not 1 <= n <= RANDOM_MAX:
            raise HsmPolicy(f"Expected 1 to {RANDOM_MAX} random bytes to be asked for, got {n}.")
        return await self._submit(Op.RANDOM, b"", n.to_bytes(4), timeout)

    async def inventory(self, *, timeout: float = DEFAULT_TIMEOUT) -> list[KeyInfo]:
        """Every key of an algorithm of ours, read from the token anew, in order of label and id."""
        return decode_keys(await self._submit(Op.INVENTORY, b"", b"", timeout))

    async def algorithms(self, *, timeout: float = DEFAULT_TIMEOUT) -> frozenset[Algorithm]:
        """Those whose keys this token can make and use, by the mechanisms that it lists."""
        return frozenset(map(Algorithm, json.loads(await self._submit(Op.ALGORITHMS, b"", b"", timeout))))

    async def probe(self, key: bytes, *, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Sign random bytes and verify the signature here as well; raises when the key does not work.

        It waits for no queue of callers: whether the token works is not told by how many want it.
        """
        message = os.urandom(32)
        spki = await self._submit(Op.PUBLIC_KEY, key, b"", timeout, Priority.HIGH)
        signature = await self.sign(key, message, timeout=timeout, priority=Priority.HIGH)
        verify_signature(spki, message, signature)

    def health(self) -> HsmHealth:
        """How the token is doing now; never raises and asks the token nothing."""
        pool, supervisor = self._pool, self._supervisor
        if pool is None or supervisor is None or not self._is_open:
            return HsmHealth.of_none(self.state, self._token.sessions, self._unopened)
        return HsmHealth(
            state=self.state,
            workers=pool.workers,
            pending=pool.pending,
            restarts=supervisor.restarts,
            p50=self._latencies.percentile(0.50),
            p99=self._latencies.percentile(0.99),
            last_error=pool.last_error,
            sessions=supervisor.sessions,
            pin_count_low=supervisor.pin_count_low,
            reason=supervisor.reason or self._guard.untaken,
            refused=supervisor.refused is not None,
            breaker=supervisor.breaker.state,
            probe_key=supervisor.probe_key,
            since_probe=supervisor.since_probe,
            certificates=self._guard.alarms(),
        )

    @property
    def unopened(self) -> HsmError | None:
        """Why the last attempt to open it failed; None where it is open, or nobody tried."""
        return self._unopened

    async def pin_acted_on(self) -> None:
        """Until somebody has acted on a PIN that was refused: only then may the token be opened again."""
        await self._pin.acted()

    @property
    def serial(self) -> str | None:
        """The token's own, in CK_TOKEN_INFO; None while it is not open."""
        return self._supervisor.serial if self._supervisor is not None else None

    @property
    def pending(self) -> int:
        """How many requests are admitted and not answered."""
        return self._pool.pending if self._pool is not None else 0

    @property
    def state(self) -> HsmState:
        """What the next request can expect; costs next to nothing, unlike `health`."""
        if self._pool is None or self._supervisor is None or not self._is_open:
            if self._unopened is None:
                return HsmState.CLOSED
            return HsmState.REFUSED if isinstance(self._unopened, HsmPinRefused) else HsmState.DOWN
        if self._pool.workers:
            return HsmState.READY if len(self._pool.workers) == self._token.workers else HsmState.DEGRADED
        if self._supervisor.refused is not None:
            return HsmState.REFUSED
        return HsmState.DOWN if self._pool.is_down else HsmState.RESTARTING

    def _submit(
        self, op: Op, key: bytes, body: bytes, timeout: float, priority: Priority = Priority.NORMAL
    ) -> asyncio.Future[bytes]:
        pool = self._opened()
        if len(key) > KEY_ID_MAX:
            raise HsmPolicy(f"Expected a key id of at most {KEY_ID_MAX} bytes, got {len(key)}.")
        if len(body) > BODY_MAX:
            raise HsmPolicy(f"Expected at most {BODY_MAX} bytes of input, got {len(body)}. Sign or seal a digest.")
        if op not in _HELD_AGAINST_MORE:
            self._guard.require(op, key)
        return pool.submit(op, key, body, timeout, priority)

    def _opened(self) -> Pool:
        """Its requests. Raises why it could not be opened, or that nobody did.

        While it is being opened, whoever does that has it alone: nothing was read and nobody was admitted yet.
        """
        if self._pool is not None and (self._is_open or _OPENING.get() is self):
            return self._pool
        if self._unopened is not None:
            raise for_another(self._unopened)
        raise HsmUnavailable("Expected an open Hsm, got one that is not. Use it inside `async with`.")


def _sealed_pair(key: SealedKey) -> bytes:
    """Public key and sealed seed, once it is sure that the key is one that may be in software (`HsmPolicy`)."""
    if len(key.sealed) not in SEALED_SIZES:
        raise HsmDecryptFailed(f"Expected {SEALED_SIZES[-1]} bytes of sealed seed, got {len(key.sealed)}.")
    _ = key.algorithm
    return join_pair(key.public_key, key.sealed)
