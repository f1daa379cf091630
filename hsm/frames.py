"""The frames between the asyncio client and a signer process.

A frame is a 14-byte header, a key id and a body, all numbers big-endian:

    length  u32   of everything after this field
    request u64   chosen by the client, repeated in the answer
    code    u8    an `Op` in a request, a `Status` in an answer
    key     u8    length of the key id that follows (0 in answers)

The body is raw bytes: the message to sign, the signature, or a sentence when the status is not `OK`. JSON
appears only where speed does not matter: the configuration, key generation and the inventory.
"""

import struct
from enum import IntEnum

FRAME_MAX = 4 * 1024 * 1024
"""Bytes; a longer frame is a broken or hostile peer, not a request."""

ANSWERS_PER_WRITE = 32
"""How many answers a signer process collects before it writes them: few system calls, yet no long silence."""

_HEADER = struct.Struct("!IQBB")
_HEADER_SIZE = _HEADER.size
_LENGTH_FIELD = 4
_AFTER_LENGTH = _HEADER_SIZE - _LENGTH_FIELD
_PAIR = struct.Struct("!I")

Frame = tuple[int, int, bytes, bytes]
"""(request, code, key id, body): a plain tuple, as one is made for every operation on both sides."""


class Op(IntEnum):
    """What a request asks for."""

    CONFIGURE = 1
    SIGN = 2
    PUBLIC_KEY = 3
    GENERATE = 4
    WRAP = 5
    UNWRAP = 6
    ENCRYPT = 7
    DECRYPT = 8
    HMAC = 9
    RANDOM = 10
    INVENTORY = 11
    ALGORITHMS = 12
    DESTROY = 13
    COUNT = 14
    MAKE_SEALED = 15
    OPEN_SEALED = 16
    SIGN_SEALED = 17


class Status(IntEnum):
    """How an answer ended; every status but `OK` carries one sentence as its body."""

    OK = 0
    SESSION_LOST = 1  # handles or login died: a fresh process can repeat the request
    TOKEN_DOWN = 2  # the device failed
    PIN_REFUSED = 3
    TOKEN_MISSING = 4
    MODULE_MISSING = 5
    KEY_MISSING = 6
    DECRYPT_FAILED = 7
    POLICY = 8
    PIN_MISSING = 9
    AMBIGUOUS = 10
    KEY_REFUSED = 11  # it was not born in the token


class FrameError(ValueError):
    """The peer sent bytes that are not a frame."""


def encode(request: int, code: int, key: bytes, body: bytes) -> bytes:
    """One frame; the caller has checked the sizes (`struct.error` otherwise)."""
    return _HEADER.pack(_AFTER_LENGTH + len(key) + len(body), request, code, len(key)) + key + body


def join_pair(first: bytes, second: bytes) -> bytes:
    """Two byte strings in one body: associated data, then text."""
    return _PAIR.pack(len(first)) + first + second


def split_pair(body: bytes) -> tuple[bytes, bytes]:
    """The reverse of `join_pair`; `FrameError` when the body is shorter than it claims."""
    if len(body) < _PAIR.size:
        raise FrameError(f"expected at least {_PAIR.size} bytes of body, got {len(body)}")
    (length,) = _PAIR.unpack_from(body)
    if length > len(body) - _PAIR.size:
        raise FrameError(f"expected {length} bytes of associated data, got {len(body) - _PAIR.size}")
    end = _PAIR.size + length
    return body[_PAIR.size : end], body[end:]


class FrameReader:
    """Cuts a byte stream into frames, whatever the sizes in which it arrives."""

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, data: bytes) -> list[Frame]:
        """All frames that `data` completes; `FrameError` on a frame that is too long or contradicts itself."""
        if self._partial:
            data = self._partial + data
        frames: list[Frame] = []
        start, end, unpack = 0, len(data), _HEADER.unpack_from
        while end - start >= _HEADER_SIZE:
            length, request, code, key_length = unpack(data, start)
            if length > FRAME_MAX:
                raise FrameError(f"expected a frame of at most {FRAME_MAX} bytes, got {length}")
            if length < _AFTER_LENGTH + key_length:
                raise FrameError(f"expected a key id of {key_length} bytes in a frame of {length}")
            stop = start + _LENGTH_FIELD + length
            if stop > end:
                break
            key_start = start + _HEADER_SIZE
            body_start = key_start + key_length
            frames.append((request, code, data[key_start:body_start], data[body_start:stop]))
            start = stop
        self._partial = data[start:]
        return frames
