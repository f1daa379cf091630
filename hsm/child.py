"""What the programs that hold a PIN have in common: how they are hardened, and how they talk to their parent.

Such a program gets the number of its socket as its only argument. The first frame is its configuration in JSON,
which names the PIN file or, to make a token, holds its PINs. It ends when the socket closes, so it cannot outlive
its parent.
"""

import contextlib
import json
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hsm.ckr import Fault
from hsm.errors import HsmPinMissing
from hsm.frames import Frame, FrameReader, Status, encode
from hsm.pins import read_pin
from hsm.private import conceal

_READ_SIZE = 64 * 1024  # bytes; more than 128 KiB would be mapped and unmapped for every read


class Channel:
    """Frames over a blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._reader = FrameReader()

    def receive(self) -> list[Frame]:
        """At least one frame, and all that have arrived with it; none when the parent has gone."""
        while data := self._socket.recv(_READ_SIZE):
            if frames := self._reader.feed(data):
                return frames
        return []

    def send(self, answers: list[bytes]) -> None:
        """All answers in one write."""
        self._socket.sendall(b"".join(answers))


Serve = Callable[[Channel, int, dict[str, Any]], None]
"""A program's work: the channel, the id of the configuration request, and the configuration."""


def run(serve: Serve) -> None:
    """Harden this process, read its configuration and do its work; a `Fault` becomes the answer."""
    _harden()
    with socket.socket(fileno=int(sys.argv[1])) as sock, contextlib.suppress(ConnectionError):
        channel = Channel(sock)
        request, settings = _configuration(channel)
        try:
            _read_pin(settings)
            serve(channel, request, settings)
        except Fault as fault:
            channel.send([encode(request, fault.status, b"", fault.sentence.encode())])


def _configuration(channel: Channel) -> tuple[int, dict[str, Any]]:
    """The first frame, parsed."""
    frames = channel.receive()
    if not frames:
        raise ConnectionResetError("Expected a configuration, got the end of the parent.")
    request, _, _, configuration = frames[0]
    return request, json.loads(configuration)


def _read_pin(settings: dict[str, Any]) -> None:
    """Put the PIN in the place of the path of its file."""
    if (path := settings.pop("pin_file", None)) is not None:
        try:
            settings["pin"] = read_pin(Path(path))
        except HsmPinMissing as error:
            raise Fault(Status.PIN_MISSING, str(error)) from None


def answer_once(channel: Channel, request: int, answer: bytes) -> None:
    """The one answer of a program that serves nothing further."""
    channel.send([encode(request, Status.OK, b"", answer)])


def _harden() -> None:
    """Keep the PIN out of core dumps, and leave it to the parent to decide when this process ends.

    Ctrl-C and a service manager's SIGTERM reach the whole group; the parent still needs signatures to finish its
    work, and closes the socket when it has.
    """
    conceal()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
