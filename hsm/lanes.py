"""Several threads of one signer process, each with a session of its own, for tokens that answer late.

A network HSM takes milliseconds to answer and can work on many requests meanwhile; one thread that waits for each
answer would leave it idle. The module must be initialised with locking (`hsm.locking`), and is put to the test before
it is believed: `agree` lets all sessions work at once and checks every result.
"""

import hashlib
import os
import queue
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pkcs11 import Attribute, Mechanism, ObjectClass, PKCS11Error, Session
from pkcs11.exceptions import MechanismInvalid

from hsm.child import Channel
from hsm.ckr import Fault
from hsm.frames import Frame, Status
from hsm.keyring import KeyRing

_ROUNDS = 8  # of the self-test in each session
_PATIENCE = 1.0  # seconds for calls under way when the parent has gone

Answer = Callable[[KeyRing, Frame], bytes]
"""What a worker does with one frame."""


class Lanes:
    """One thread per key ring. Frames go to whichever is free; answers leave as they come, several in a write."""

    def __init__(self, channel: Channel, rings: Sequence[KeyRing], answer: Answer) -> None:
        self._channel = channel
        self._answer = answer
        self._frames: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._answers: deque[bytes] = deque()
        self._writing = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(ring,), daemon=True) for ring in rings]

    def serve(self) -> None:
        """Until the parent closes the socket. A thread that hangs in the module does not keep the process."""
        for thread in self._threads:
            thread.start()
        while frames := self._channel.receive():
            for frame in frames:
                self._frames.put(frame)
        for _ in self._threads:
            self._frames.put(None)
        for thread in self._threads:
            thread.join(_PATIENCE)
        if any(thread.is_alive() for thread in self._threads):
            os._exit(0)

    def _run(self, ring: KeyRing) -> None:
        try:
            while (frame := self._frames.get()) is not None:
                self._answers.append(self._answer(ring, frame))
                self._write()
        except ConnectionError:
            return  # the parent has gone
        except BaseException:  # noqa: BLE001  whatever it is, a worker that lost a thread must not stay
            traceback.print_exc()
            os._exit(1)  # as it would be with one thread: the parent starts another process

    def _write(self) -> None:
        """Write what is there, unless another thread is at it: it looks again before it leaves."""
        while self._answers and self._writing.acquire(blocking=False):
            try:
                batch = []
                while self._answers:
                    batch.append(self._answers.popleft())
                self._channel.send(batch)
            finally:
                self._writing.release()


def agree(sessions: Sequence[Session], rings: Sequence[KeyRing]) -> bool:
    """Whether all sessions, at work at once, give right answers: the module keeps its word about locking.

    Digests, random numbers, and signatures with the first key pair there is. A module that crashes here ends the
    process before it has said that it is ready, and standard error shows this function.
    """
    with ThreadPoolExecutor(len(sessions)) as pool:
        start = threading.Barrier(len(sessions))
        tested = [pool.submit(_works, session, ring, start) for session, ring in zip(sessions, rings, strict=True)]
        return all(one.result() for one in tested)


def _works(session: Session, ring: KeyRing, start: threading.Barrier) -> bool:
    try:
        key = _first_pair(session)
        start.wait()
        seen: set[bytes] = set()
        for _ in range(_ROUNDS):
            drawn = session.generate_random(256)
            seen.add(drawn)
            if not _digests(session, drawn):
                return False
            if key is not None:
                ring.signing(key).sign(drawn)  # verifies
    except Fault as fault:
        start.abort()
        return fault.status is Status.POLICY  # a key pair of another kind
    except (PKCS11Error, threading.BrokenBarrierError):
        start.abort()
        return False
    return len(seen) == _ROUNDS


def _digests(session: Session, data: bytes) -> bool:
    try:
        return session.digest(data, mechanism=Mechanism.SHA256) == hashlib.sha256(data).digest()
    except MechanismInvalid:
        return True  # nothing to compare: the token does not hash


def _first_pair(session: Session) -> bytes | None:
    found = next(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.TOKEN: True}), None)
    return None if found is None else bytes(found[Attribute.ID]) or None
