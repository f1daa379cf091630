"""How long each answer takes: prepared HTTP requests over a few keep-alive connections, again and again for a time.

A program of its own, so that its work holds up nobody: a question on standard input, ``[status, seconds]`` for each
request on standard output.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Final

import orjson

_LENGTH: Final = re.compile(rb"\r\nContent-Length: (\d+)\r\n", re.IGNORECASE)


async def _ask(port: int, waiting: Iterator[bytes], answers: list[tuple[int, float]]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in waiting:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        await reader.readexactly(int(length[1]) if length else 0)
        answers.append((int(head[9:12]), time.perf_counter() - started))
    writer.close()


def _until(end: float, requests: list[bytes]) -> Iterator[bytes]:
    for request in cycle(requests):
        yield request
        if time.perf_counter() >= end:
            return


async def _all(port: int, connections: int, requests: list[str], seconds: float) -> list[tuple[int, float]]:
    encoded, answers = [request.encode() for request in requests], list[tuple[int, float]]()
    waiting = _until(time.perf_counter() + seconds, encoded)
    await asyncio.gather(*(_ask(port, waiting, answers) for _ in range(connections)))
    return answers


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(asyncio.run(_all(**orjson.loads(sys.stdin.buffer.read())))))
