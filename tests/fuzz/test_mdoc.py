"""Thousands of mdocs with something wrong, half of them signed by their issuer all the same: none is accepted.

And bombs, which cost little more than an ordinary document, in time and in memory.
"""

from __future__ import annotations

import base64
import statistics
import tracemalloc
from collections import Counter
from collections.abc import Callable
from random import Random
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idverify.core.verdict import Result
from idverify.errors import DocumentError
from idverify.formats import carriers
from idverify.formats.strict_cbor import Encoded, embed
from tests.simulators import credential_world as world
from tests.simulators import mdoc_world as mdoc
from tests.simulators.mdoc_mutator import mutant

MANY, LONG = 1_500, 40_000
NO_DEADLINE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


def judged(document: bytes) -> str:
    """What becomes of a presentation: ``unread``, ``refused`` or ``accepted``; all else flies on: a bug."""
    try:
        form = carriers.sniff(document)
        presented = form.read(document)
    except DocumentError:
        return "unread"
    found = [check.result for check in form.check(presented, mdoc.TRUST, world.NOW, mdoc.ASKED)]
    return "refused" if Result.FAIL in found else "accepted"


def outcomes(examples: int) -> Counter[str]:
    """Of so many mutants, drawn by Hypothesis, which shrinks whatever is accepted or fails."""
    counted: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, suppress_health_check=NO_DEADLINE, database=None, derandomize=True)
    @given(st.randoms(use_true_random=False))
    def each(random: Random) -> None:
        outcome = judged(mutant(random))
        counted[outcome] += 1
        assert outcome != "accepted"

    each()
    return counted


def require_reaching_rules(counted: Counter[str]) -> None:
    """At least half of the mutants are read, and then refused."""
    assert counted["refused"] >= counted.total() / 2, counted


def test_none_is_accepted() -> None:
    """Some, each time."""
    require_reaching_rules(outcomes(MANY))


@pytest.mark.long
def test_none_of_many_is_accepted() -> None:
    """And many, when there is time."""
    require_reaching_rules(outcomes(LONG))


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.binary(max_size=120), st.integers(0, 2000))
def test_no_bytes_are_a_fault(noise: bytes, at: int) -> None:
    """Whatever is written over a good document."""
    good = mdoc.response()
    assert judged(good[:at] + noise + good[at + len(noise) :]) in {"unread", "refused", "accepted"}


def _in_an_element(value: bytes) -> bytes:
    head = mdoc.item(7, "a", 0).content[:-1]
    return mdoc.response(mdoc.issuer_signed({mdoc.ISO: [embed(head + value)]}))


BOMBS: dict[str, bytes] = {
    "depth": b"\xa1\x67version" + b"\x81" * 64_000,
    "depth of maps": b"\xa1\x61a" * 21_000,
    "a million elements": b"\xa1\x69documents\x9a\x00\x0f\x42\x40" + bytes(60_000),
    "as many as fit": b"\xa1\x69documents\x99\xff\x00" + bytes(65_000),
    "as many as are allowed": b"\xa1\x69documents\x99\x1f\xf0" + bytes(8_176),
    "lengths beyond the input": b"\xa1\x69documents\x5b\x7f\xff\xff\xff\xff\xff\xff\xff" + bytes(60_000),
    "a huge number": b"\xa1\x69documents\xc2\x59\xe0\x00" + bytes(57_344),
    "a chain of tags": b"\xa1\x69documents" + b"\xd8\x18" * 31_000,
    "a chain of tags in an element": _in_an_element(b"\xc1" * 50_000),
    "depth in an element": _in_an_element(b"\x81" * 50_000),
    "many elements": mdoc.response(mdoc.issuer_signed({mdoc.ISO: [Encoded(b"\xd8\x18\x41\xf6")] * 8_000})),
    "many elements in order": mdoc.response(
        mdoc.issuer_signed({mdoc.ISO: [mdoc.item(number, f"e{number}", 0) for number in range(450)]})
    ),
    "in base64url": base64.urlsafe_b64encode(b"\xa1\x67version" + b"\x81" * 48_000).rstrip(b"="),
}


def seconds(call: Callable[[], object]) -> float:
    """CPU time of one call, the middle of some."""
    took = []
    for _ in range(7):
        began = process_time()
        call()
        took.append(process_time() - began)
    return statistics.median(took)


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    """Refused within ten times of an ordinary check, and within 32 MiB."""
    bomb, ordinary = BOMBS[name], mdoc.present(mdoc.issue())
    assert judged(ordinary) == "accepted"
    assert len(bomb) <= carriers.MAX_DOCUMENT
    usual = seconds(lambda: judged(ordinary))
    tracemalloc.start()
    assert judged(bomb) in {"unread", "refused"}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 32 * 1024 * 1024
    assert seconds(lambda: judged(bomb)) < 10 * usual
