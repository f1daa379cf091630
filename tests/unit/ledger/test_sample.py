"""The draw of a random audit: the same for everybody, every index as likely as any other."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from idverify.ledger.errors import MalformedError
from idverify.ledger.sample import sample

ROOT = hashlib.sha256(b"root").digest()
SEED = hashlib.sha256(b"seed").digest()


def by_the_book(root: bytes, size: int, count: int, seed: bytes = b"") -> list[int]:
    """What docs/ledger-format.md section 15 says, as somebody else would write it."""
    drawn: list[int] = []
    for counter in range(100_000):
        word = hashlib.sha256(root + b"idverify-audit-sample/v2" + seed + counter.to_bytes(8, "big")).digest()
        value = int.from_bytes(word[:8], "big")
        if len(drawn) == min(count, size):
            return drawn
        if value < 2**64 // size * size and value % size not in drawn:
            drawn.append(value % size)
    raise AssertionError


@pytest.mark.parametrize(("size", "count"), [(1, 1), (7, 7), (7, 100), (1000, 25), (2**40 + 1, 50)])
def test_anybody_draws_the_same(size: int, count: int) -> None:
    """The draw follows from root, seed, size and number alone."""
    assert sample(ROOT, size, count) == by_the_book(ROOT, size, count)
    assert sample(ROOT, size, count, SEED) == by_the_book(ROOT, size, count, SEED)
    assert len(set(sample(ROOT, size, count))) == min(count, size)


def test_the_example_of_the_page() -> None:
    """What docs/ledger-format.md section 15 shows is what is drawn."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "ledger-format.md").read_text()
    shown = json.loads(page.partition("```json sample\n")[2].partition("\n```")[0])

    drawn = sample(base64.b64decode(shown["root"]), shown["size"], len(shown["indices"]), bytes.fromhex(shown["seed"]))

    assert drawn == shown["indices"]


def test_another_root_draws_others() -> None:
    """What one root draws says nothing about another."""
    assert sample(ROOT, 10_000, 20) != sample(hashlib.sha256(ROOT).digest(), 10_000, 20)


def test_another_seed_draws_others() -> None:
    """Whoever chose the root does not know what an auditor's seed will draw; a seed is 32 bytes or none."""
    assert sample(ROOT, 10_000, 20, SEED) != sample(ROOT, 10_000, 20)
    assert sample(ROOT, 10_000, 20, SEED) != sample(ROOT, 10_000, 20, ROOT)
    for wrong in (SEED[:31], SEED + b"x", b"x"):
        with pytest.raises(MalformedError):
            sample(ROOT, 10_000, 20, wrong)


def test_a_longer_draw_begins_with_the_shorter() -> None:
    """Whoever audits more opens the same entries first."""
    assert sample(ROOT, 500, 40)[:10] == sample(ROOT, 500, 10)


def test_every_index_is_as_likely() -> None:
    """Over many roots each of few entries is drawn about equally often (six standard deviations)."""
    times = Counter(sample(hashlib.sha256(bytes([a, b])).digest(), 6, 1)[0] for a in range(24) for b in range(250))

    assert all(abs(times[index] - 1000) < 6 * 29 for index in range(6))


def test_a_draw_that_would_favour_the_first_is_passed_over() -> None:
    """Draws beyond the largest multiple of the size do not wrap around to small indices."""
    size = 2**63 + 1  # nearly every second draw is beyond it

    drawn = sample(ROOT, size, 20)

    assert drawn == by_the_book(ROOT, size, 20)
    assert max(drawn) < size


@pytest.mark.parametrize(("root", "size", "count"), [(b"short", 1, 1), (ROOT, -1, 1), (ROOT, 1, -1)])
def test_what_cannot_be_drawn(root: bytes, size: int, count: int) -> None:
    """A root is 32 bytes, numbers begin at 0."""
    with pytest.raises(MalformedError):
        sample(root, size, count)


def test_nothing_to_draw() -> None:
    """An empty log, or an audit of nothing, draws nothing."""
    assert sample(ROOT, 0, 5) == sample(ROOT, 5, 0) == []
