"""Time stamps as received: any bytes are read or refused, and never anything else."""

from __future__ import annotations

import contextlib
import hashlib

import pytest

from idverify.errors import DocumentError
from idverify.formats import stamped
from tests.simulators import credential_world as world
from tests.simulators import paper_world as paper
from tests.simulators import stamp_world as stamps

DATA = b"a signature"
RELIED = stamped.Relied(world.ISS, (paper.stamp_root(),), frozenset())


def hashed(algorithm: str) -> bytes:
    """The digest of what was stamped."""
    return hashlib.new(algorithm, DATA).digest()


def test_it_is_read_and_holds() -> None:
    """What it says, and whose it says it is."""
    stamp = stamped.read(stamps.by()(DATA))
    assert (stamp.at, stamp.algorithm, stamp.imprint, stamp.leaf) == (
        world.NOW + 1,
        "sha256",
        hashed("sha256"),
        stamps.LEAF,
    )
    assert stamped.is_of(stamp, RELIED.roots)
    assert not stamped.is_of(stamp, (world.ROOT,))
    stamped.require_held(stamp, hashed, RELIED)


def test_no_byte_of_it_may_change() -> None:
    """Each byte changed by itself: refused, or of somebody else, or it says exactly what it said."""
    token = stamps.by()(DATA)
    before = stamped.read(token)
    for place in range(len(token)):
        for changed in (token[place] ^ 1, token[place] ^ 0x80, 0xFF):
            with contextlib.suppress(DocumentError):
                stamp = stamped.read(token[:place] + bytes((changed,)) + token[place + 1 :])
                if stamped.is_of(stamp, RELIED.roots):
                    stamped.require_held(stamp, hashed, RELIED)
                    assert (stamp.at, stamp.imprint) == (before.at, before.imprint)


@pytest.mark.parametrize(
    "token",
    [b"", b"\x30\x00", b"\x30\x80" * 5000, bytes(stamped.MAX_TOKEN + 1)],
    ids=["nothing", "empty", "deep", "long"],
)
def test_what_is_none(token: bytes) -> None:
    """Refused by a rule."""
    with pytest.raises(DocumentError):
        stamped.read(token)
