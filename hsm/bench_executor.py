"""The obvious other design, as a program to compare with: `run_in_executor` over a pool of sessions.

It is made safe first: the module is initialised with locking, which python-pkcs11 does not do.
"""

import asyncio
import hashlib
import json
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pkcs11 import Attribute, Mechanism, ObjectClass

from hsm.child import Channel, answer_once, run
from hsm.token import open_token

_MESSAGE = bytes(128)


def serve(channel: Channel, request: int, settings: dict[str, Any]) -> None:
    """Log in and say so; at the next frame, answer with the CPU seconds that each signature took under load."""
    sessions = open_token(settings).sessions
    asked = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: bytes.fromhex(settings["key"])}
    keys: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for session in sessions:
        (key,) = session.get_objects(asked)
        keys.put(key)

    def sign(message: bytes) -> bytes:
        key = keys.get()
        try:
            signature: bytes = key.sign(hashlib.sha256(message).digest(), mechanism=Mechanism.ECDSA)
        finally:
            keys.put(key)
        return signature

    answer_once(channel, request, b"")
    for measure, *_ in channel.receive():
        with ThreadPoolExecutor(len(sessions)) as pool:
            taken = asyncio.run(_load(pool, sign, settings["seconds"], settings["callers"]))
        answer_once(channel, measure, json.dumps(taken).encode())


async def _load(pool: ThreadPoolExecutor, sign: Any, seconds: float, callers: int) -> float:
    loop, done = asyncio.get_running_loop(), 0
    begin, used = time.monotonic(), time.process_time()

    async def caller() -> None:
        nonlocal done
        while time.monotonic() < begin + seconds:
            await loop.run_in_executor(pool, sign, _MESSAGE)
            done += 1

    await asyncio.gather(*(caller() for _ in range(callers)))
    return (time.process_time() - used) / done


if __name__ == "__main__":
    run(serve)
