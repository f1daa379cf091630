"""The load: prepared HTTP requests over keep-alive connections, each sent when the one before it was answered.

A program of its own, because its work is counted on neither side: a question on standard input, answers on
standard output.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from idverify.app.bench.programs import answer_of
from idverify.errors import IdverifyError

CONNECTIONS: Final = 32
_LENGTH: Final = re.compile(rb"\r\nContent-Length: (\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """One POST of JSON."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self) -> str:
        """The request as it goes over the wire (RFC 9112)."""
        named = {
            "Host": "localhost",
            "Content-Type": "application/json",
            "Content-Length": len(self.body),
            **self.headers,
        }
        lines = [f"POST {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
        return "\r\n".join(lines) + self.body.decode()


async def drive(port: int, requests: Sequence[Request], expected: int) -> list[bytes]:
    """Send every request from another process; the bodies of the answers. All must have the status ``expected``."""
    question = {"port": port, "requests": [request.encode() for request in requests]}
    answers = orjson.loads(await answer_of(__name__, orjson.dumps(question)))
    for status, body in answers:
        if status != expected:
            raise IdverifyError(f"The service answered {status} instead of {expected}: {body[:500]}")
    return [body.encode() for _, body in answers]


class _Connection(asyncio.Protocol):
    def __init__(self, waiting: Iterator[tuple[int, bytes]], answers: list[tuple[int, str]]) -> None:
        self._waiting, self._answers = waiting, answers
        self._received = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, complete, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if complete and length and len(body) == int(length[1]):
            self._answers[self._at] = (int(head[9:12]), body.decode())
            self._received = b""
            self._send()

    def connection_lost(self, _: Exception | None) -> None:
        self.done.set_result(None)

    def _send(self) -> None:
        self._at, request = next(self._waiting, (-1, b""))
        if request:
            self._transport.write(request)
        else:
            self._transport.close()


async def _drive(port: int, requests: list[str]) -> list[tuple[int, str]]:
    loop = asyncio.get_running_loop()
    answers = [(0, "the connection was lost")] * len(requests)
    waiting = iter([(at, request.encode()) for at, request in enumerate(requests)])
    opening = [
        loop.create_connection(lambda: _Connection(waiting, answers), "127.0.0.1", port)
        for _ in range(min(CONNECTIONS, len(requests)))
    ]
    await asyncio.gather(*(connection.done for _, connection in await asyncio.gather(*opening)))
    return answers


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(asyncio.run(_drive(**orjson.loads(sys.stdin.buffer.read())))))
