"""The frame codec: whatever is encoded comes back, however the stream is cut, and nothing else is accepted."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm.frames import FRAME_MAX, FrameError, FrameReader, encode, join_pair, split_pair

FRAMES = st.lists(
    st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 255), st.binary(max_size=255), st.binary(max_size=2000)),
    max_size=8,
)


@given(FRAMES, st.lists(st.integers(1, 700), min_size=1, max_size=20))
def test_frames_survive_any_cutting(frames: list[tuple[int, int, bytes, bytes]], cuts: list[int]) -> None:
    """A stream of frames, delivered in pieces of any size, is read as the frames that were sent."""
    stream = b"".join(encode(*frame) for frame in frames)
    reader, read, at = FrameReader(), [], 0
    while at < len(stream):
        size = cuts[at % len(cuts)]
        read += reader.feed(stream[at : at + size])
        at += size

    assert read == frames


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_an_error(data: bytes) -> None:
    """Hostile bytes never raise anything but FrameError."""
    try:
        frames = FrameReader().feed(data)
    except FrameError:
        return

    assert b"".join(encode(*frame) for frame in frames) == data[: sum(len(encode(*frame)) for frame in frames)]


def test_a_frame_over_the_cap_is_refused() -> None:
    """The length field is believed up to the cap, before anything is stored."""
    with pytest.raises(FrameError, match="at most"):
        FrameReader().feed(struct.pack("!IQBB", FRAME_MAX + 1, 1, 1, 0))


def test_a_key_id_longer_than_its_frame_is_refused() -> None:
    """A frame cannot claim a key id that reaches into the next one."""
    with pytest.raises(FrameError, match="key id of 9"):
        FrameReader().feed(struct.pack("!IQBB", 10, 1, 1, 9))


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_pairs_come_back(first: bytes, second: bytes) -> None:
    """Associated data and text are told apart again."""
    assert split_pair(join_pair(first, second)) == (first, second)


@pytest.mark.parametrize("body", [b"", b"\0\0\0", b"\0\0\0\5abcd"])
def test_a_short_pair_is_refused(body: bytes) -> None:
    """A pair that is shorter than it claims is an error, not a shorter pair."""
    with pytest.raises(FrameError):
        split_pair(body)
