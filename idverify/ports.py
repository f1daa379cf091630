"""What services need of the world outside, each port with its contract in words; ``app`` plugs them in."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from idverify.core.letter import LetterContent, Line
from idverify.core.policy import Role
from idverify.core.printed_receipt import PrintedReceipt
from idverify.core.suspension import Suspension
from idverify.core.verdict import Channel, Outcome


class Clock(Protocol):
    """The one clock. Expiries are on it; timeouts are on the event loop's monotonic clock."""

    def now(self) -> int:
        """Unix seconds, UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Unix seconds, UTC."""
        return int(time.time())


class Entropy(Protocol):
    """Asked for ``n`` bytes, answers with ``n`` bytes nobody can guess."""

    def __call__(self, n: int, /) -> bytes:
        """``n`` random bytes."""


system_entropy: Entropy = os.urandom


def uuid7(clock: Clock, entropy: Entropy) -> bytes:
    """A UUIDv7 (RFC 9562 section 5.7), 16 bytes: rows land in time order. Never shown outside."""
    moment = (clock.now() * 1000).to_bytes(6, "big")
    tail = bytearray(entropy(10))
    tail[0] = 0x70 | tail[0] & 0x0F
    tail[2] = 0x80 | tail[2] & 0x3F
    return moment + bytes(tail)


class Signer(Protocol):
    """Signs with a key that never leaves its token.

    Every signature has been verified against the key before it is returned; a call that raises may be repeated.
    Raises ``Unavailable`` or ``Busy`` of ``errors``.
    """

    async def sign(self, key_id: bytes, message: bytes) -> bytes:
        """64 bytes: ``r || s`` for ES256 (RFC 7518 section 3.4), or Ed25519 (RFC 8032)."""

    async def probe(self) -> None:
        """A real signature by a probe key; returns if a token works."""

    async def standings(self) -> Mapping[str, str]:
        """``ok`` or why not, by the label of each token, where there are several; by a real signature of each."""


TOKEN_STATES: Final = ("ready", "degraded", "restarting", "down", "refused", "closed")
"""What a token can be (docs/hsm.md): the first two serve, the last but one waits for an operator."""


@dataclass(frozen=True, slots=True)
class EndingCertificate:
    """A key in use, by the inventory that its token signs, whose certificate ends ``within_days``: 30, 7 or 1.

    0 when it has ended. ``not_after`` is in Unix seconds.
    """

    key_id: bytes
    label: str
    not_after: int
    within_days: int


@dataclass(frozen=True, slots=True)
class TokenStanding:
    """How a token is doing, in an operator's figures (docs/hsm.md). ``state`` is of ``TOKEN_STATES``.

    ``reason`` is the HSM's own sentence with the cause and the cure, None while all is well. ``since_probe`` is in
    seconds, None before the first probe. ``certificates`` are those that end before long, the first to end first; there
    are none where no inventory is kept.
    """

    token: str
    state: str
    workers: int
    pending: int
    restarts: int
    pin_refused: bool
    pin_count_low: bool
    since_probe: float | None
    reason: str | None
    certificates: tuple[EndingCertificate, ...] = ()


class Custodian(Protocol):
    """Wraps people's keys and blinds what they are looked up by, under keys that never leave their token.

    Each token has keys of its own. ``wrapping_keys`` are the ids of those that a person's key should be wrapped under:
    of every token, and of the recovery key, which nothing on line can open. ``lookup_keys`` are those of look-ups.
    ``recovery_key`` is the recovery key's id, if there is one.
    """

    recovery_key: bytes | None
    wrapping_keys: frozenset[bytes]
    lookup_keys: frozenset[bytes]

    async def wrap(self, name: bytes, secret: bytes) -> Mapping[bytes, bytes]:
        """A 32-byte key, wrapped, by id of the wrapping key: AES-KWP (RFC 5649), or HPKE (RFC 9180) for recovery.

        ``name`` says whose it is. Tokens that are away are left out; with none there, ``Unavailable``.
        """

    async def unwrap(self, name: bytes, wrapped: Mapping[bytes, bytes]) -> bytes:
        """The key that ``wrap`` took under this name, by whichever token there is.

        ``Unavailable`` with none there; ``SealBroken`` for a wrapping that was changed.
        """

    async def blind(self, value: bytes) -> Mapping[bytes, bytes]:
        """HMAC-SHA256 under the look-up key of every token that is there, 32 bytes each, by id of the key."""

    async def secret(self) -> bytes:
        """32 bytes that are the deployment's, whichever token is there; they never change."""


class Sealer(Protocol):
    """Makes ML-DSA-44 keys that the token cannot hold yet; their seeds rest under a key that never leaves it."""

    async def make_sealed(self) -> tuple[bytes, bytes]:
        """A new key: its public half as DER SubjectPublicKeyInfo, and its seed in AES-KWP (RFC 5649)."""


class SealedSigner(Protocol):
    """Uses such keys."""

    async def open_sealed(self, public_key: bytes, sealed: bytes) -> bool:
        """Whether the sealed seed is that of this public key."""

    async def sign_sealed(self, public_key: bytes, sealed: bytes, message: bytes) -> bytes:
        """A verified signature (FIPS 204, empty context)."""


class StatusFetcher(Protocol):
    """Brings status lists of registered issuers, and of nobody else.

    ``base`` is the issuer's registered prefix; a URI outside it is refused before any connection. No redirects,
    capped in size and time. Raises ``Unavailable`` when the list cannot be had.
    """

    async def fetch(self, uri: str, base: str) -> bytes:
        """The list's token as served."""


class Sandbox(Protocol):
    """Does work that may go wrong in a process of its own, with limits and without a network.

    Arguments and answers are what CBOR has: dictionaries with text as keys, lists, text, integers up to 2^53-1, bytes,
    booleans, ``None``. An answer has the shape that the job's line in ``sandbox.jobs`` gives; beyond that, what a job
    that reads says is believed as little as the document.
    """

    async def do(self, job: str, arguments: Mapping[str, Any], /) -> Any:
        """What the job answers.

        Raises ``DocumentError``: the job's own, ``limits`` when reading took too much or ended the worker,
        ``unreadable`` when it failed otherwise; ``Unavailable`` when making did, or when no worker is to be had;
        ``Busy`` when too many jobs wait. Whoever stops waiting leaves the job to its end and hears nothing of it.
        """


class Letterhead(Protocol):
    """The words and the looks of letters on paper, in the languages of the pages (BCP 47 tags)."""

    def html(self, content: LetterContent, /) -> str:
        """The letter as ``formats.pdf.render`` takes it; its pictures are ``code`` and, with a photo, ``portrait``."""

    def lines(self, claims: Mapping[str, Any], language: str, /) -> tuple[Line, ...]:
        """How a letter in this language states these claims of an SD-JWT VC, in its order.

        Raises ``ValueError`` for a language that letters are not written in.
        """

    def receipt(self, content: PrintedReceipt, /) -> str:
        """The sheet of a verification receipt as ``formats.pdf.render`` takes it; there is no picture on it."""


class Tally:
    """Counts what happens, for ``/metrics``. This one counts nothing, for commands that serve nobody."""

    def checked(self, outcome: Outcome, channel: Channel) -> None:
        """A document got its verdict."""

    def session_opened(self, role: Role) -> None:
        """Somebody signed in."""

    def key_suspended(self, why: Suspension) -> None:
        """A security key of staff was suspended."""

    def decided(self, stage: str) -> None:
        """A decision was ``proposed`` or ``made``."""

    def issued(self, type_id: str) -> None:
        """A credential of this type was collected."""

    def browser_failed(self, reason: str) -> None:
        """A browser gave the name of an error instead of a key's answer."""

    def job_ended(self, job: str, outcome: str, seconds: float) -> None:
        """A job of a worker ended so long after it was asked for; ``outcome`` is of ``sandbox.workers.OUTCOMES``."""

    def jobs_waiting(self, pool: str, more: int) -> None:
        """So many more jobs, or fewer, wait for a worker."""

    def worker_started(self, pool: str) -> None:
        """A worker is ready."""

    def worker_ended(self, pool: str, *, lost: bool) -> None:
        """A worker is ``lost``, killed or crashed; or it has done enough and is replaced."""

    @contextmanager
    def ceremony(self, kind: str) -> Iterator[None]:
        """Around what finishes a ceremony: what became of it."""
        del kind
        yield
