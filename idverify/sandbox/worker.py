"""``python -m idverify.sandbox.worker TABLE POOL SOCKET PARENT``: one thread, one job at a time, never a line of log.

It loads what its pool's jobs need, gives up all that they do not need, says that it is ready, and answers until the
service closes the socket. Whatever goes wrong travels in the answer; the service decides what it means.
"""

from __future__ import annotations

import contextlib
import importlib
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from idverify.errors import DocumentError
from idverify.sandbox.confinement import confine, harden
from idverify.sandbox.frames import LENGTH, Outcome, decode_request, encode
from idverify.sandbox.jobs import Job, Pool, table_of

Functions = Mapping[str, Callable[..., Any]]


def main(table: str, pool: Pool, descriptor: int, parent: int) -> None:
    """Load, confine, answer."""
    harden(parent)
    functions = load(table_of(table), pool)
    with socket.socket(fileno=descriptor) as sock, contextlib.suppress(ConnectionError):
        _send(sock, encode(Outcome.READY, confine(pool, descriptor)))
        while (request := _receive(sock)) is not None:
            answer = _answer(functions, request)
            _send(sock, answer)
            if answer is _NO_MEMORY:
                return  # what else could not be had, nobody knows


def load(jobs: Mapping[str, Job], pool: Pool) -> Functions:
    """The functions of a pool's jobs, imported with all that they use: later there is nothing to import from.

    A module that has a function ``warm`` is asked to do what makes its libraries load the rest.
    """
    functions = {}
    for name, job in jobs.items():
        if job.pool is pool:
            module, _, attribute = job.function.partition(":")
            loaded = importlib.import_module(module)
            functions[name] = getattr(loaded, attribute)
            getattr(loaded, "warm", lambda: None)()
    return functions


_NO_MEMORY = encode(Outcome.NO_MEMORY, None)  # made while there is memory


def _answer(functions: Functions, request: bytes) -> list[bytes]:
    try:
        name, arguments = decode_request(request)
        return encode(Outcome.DONE, functions[name](**arguments))
    except DocumentError as error:
        return encode(Outcome.REFUSED, [error.rule, error.detail])
    except MemoryError:
        return _NO_MEMORY
    except Exception as error:  # noqa: BLE001  whatever a parser of hostile bytes raises
        return encode(Outcome.FAILED, _where(error))


def _where(error: Exception) -> str:
    """The exception's type and the line that raised it. Its words stay here: they may quote a person's document."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {last.filename.rpartition('/')[2]}:{last.lineno}"


def _send(sock: socket.socket, parts: list[bytes]) -> None:
    for part in parts:
        sock.sendall(part)


def _receive(sock: socket.socket) -> bytes | None:
    """The next request, or ``None`` when the service has gone."""
    head = _exactly(sock, LENGTH.size)
    return None if head is None else _exactly(sock, LENGTH.unpack(head)[0])


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    received = bytearray(size)
    view, done = memoryview(received), 0
    while done < size:
        got = sock.recv_into(view[done:])
        if not got:
            return None
        done += got
    return bytes(received)


if __name__ == "__main__":
    main(sys.argv[1], Pool(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
