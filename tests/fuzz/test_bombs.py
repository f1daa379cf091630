"""Documents made to cost more than they are worth: each is refused for little more than an ordinary verification costs.

CPU time of this process is compared with that of an ordinary document in the same run, so other work on the machine
does not count; memory is the most that Python holds on the way.
"""

from __future__ import annotations

import gc
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any, Final

import pytest

from idverify.core.verdict import Outcome
from idverify.formats import jose, sdjwt
from idverify.formats.carriers import MAX_DOCUMENT
from idverify.formats.handed_over import MOST, handed_over
from idverify.services.verify import Submission, Verified, verify
from tests.fuzz.judged import KINDS, outright
from tests.simulators import code_world as paper
from tests.simulators import credential_world as world

MIB: Final = 1024 * 1024
TIMES, EXTRA = 10, 32 * MIB
ROUNDS: Final = 9
ORDINARY: Final = world.present(world.issue())
HEADER: Final = jose.b64url_encode(json.dumps(world.header()).encode())


def signed(payload: bytes, disclosures: tuple[bytes, ...] = ()) -> bytes:
    """What a stranger with a certificate could hand over: the signature is right, the payload is anything."""
    unsigned = f"{HEADER}.{jose.b64url_encode(payload)}".encode()
    return b"~".join([jose.jws(unsigned, world.sign(world.ISSUER_KEY, unsigned)), *disclosures, b""])


def payload_with(member: bytes) -> bytes:
    """An honest payload with one more member in it."""
    return json.dumps(world.payload()).encode()[:-1] + b',"x":' + member + b"}"


def hidden(value: bytes) -> bytes:
    """An honest payload with one claim hidden, whose value is anything."""
    disclosure = jose.b64url_encode(b'["salt","x",' + value + b"]").encode()
    return signed(json.dumps(world.payload(_sd=[world.digest(disclosure)])).encode(), (disclosure,))


def in_disclosures(value: bytes, many: int) -> bytes:
    """So many claims hidden, with the same value each."""
    texts = [b'["salt","%d",' % number + value + b"]" for number in range(many)]
    disclosures = tuple(jose.b64url_encode(text).encode() for text in texts)
    return signed(json.dumps(world.payload(_sd=[world.digest(one) for one in disclosures])).encode(), disclosures)


def crowded_binding() -> bytes:
    """A key binding whose claims are a great many arrays."""
    head = jose.b64url_encode(b'{"alg":"ES256","typ":"kb+jwt"}').encode()
    return head + b"." + jose.b64url_encode(b'{"x":[' + b"[]," * 12_000 + b"[]]}").encode() + b".AA"


def deep_disclosures() -> bytes:
    """Each disclosure hides the next, as many as there may be."""
    value: Any = "the bottom"
    disclosures = []
    for _ in range(sdjwt.MAX_DISCLOSURES):
        disclosures.append(world.disclosure("x", value))
        value = {"_sd": [world.digest(disclosures[-1])]}
    return signed(json.dumps(world.payload(x=value)).encode(), tuple(disclosures))


def unused_digests() -> bytes:
    """As many digests as fit, one by one in objects, and as many disclosures, none of which they are."""
    disclosures = tuple(world.disclosure(f"c{number}", number) for number in range(sdjwt.MAX_DISCLOSURES))
    levels = [{"_sd": [world.digest(b"%d" % number)]} for number in range(500)]
    return signed(json.dumps(world.payload(x=levels)).encode(), disclosures)


def same_prefix() -> bytes:
    """A great many digests that differ in their last characters alone."""
    digests = [f"{'A' * 38}{number:05d}" for number in range(900)]
    return signed(json.dumps(world.payload(_sd=digests)).encode())


BOMBS: Final[dict[str, Callable[[], bytes]]] = {
    "a million brackets": lambda: signed(payload_with(b"[" * 1_000_000)),
    "brackets up to the cap": lambda: signed(payload_with(b"[" * 40_000)),
    "objects up to the cap": lambda: signed(payload_with(b'{"a":' * 8_000)),
    "objects side by side": lambda: signed(payload_with(b"[" + b"{}," * 15_000 + b"{}]")),
    "arrays side by side": lambda: signed(payload_with(b"[" + b"[]," * 15_000 + b"[]]")),
    "objects side by side in a disclosure": lambda: hidden(b"[" + b"{}," * 13_000 + b"{}]"),
    "objects side by side in disclosures": lambda: in_disclosures(b"[" + b"{}," * 1_000 + b"{}]", 11),
    "a key binding of arrays": lambda: world.present(world.issue()).rpartition(b"~")[0] + b"~" + crowded_binding(),
    "hidden elements": lambda: signed(payload_with(b"[" + b'{"...":"a"},' * 3_700 + b'{"...":"a"}]')),
    "brackets in a text": lambda: signed(payload_with(b'"' + b"[" * 40_000 + b'"')),
    "texts that never end": lambda: signed(payload_with(b'"\\' * 20_000)),
    "a million disclosures": lambda: signed(json.dumps(world.payload()).encode()) + b"AA~" * 1_000_000,
    "ten million tildes": lambda: signed(json.dumps(world.payload()).encode()) + b"~" * 10_000_000,
    "disclosures up to the cap, nested": deep_disclosures,
    "digests and disclosures of nothing": unused_digests,
    "digests that are alike": same_prefix,
    "a text of 8 MiB": lambda: signed(payload_with(b'"' + b"A" * 8 * MIB + b'"')),
    "a text up to the cap": lambda: signed(payload_with(b'"' + b"A" * 40_000 + b'"')),
    "a number of a million digits": lambda: signed(payload_with(b"9" * 1_000_000)),
    "a number up to the cap": lambda: signed(payload_with(b"9" * 40_000)),
    "an exponent of many digits": lambda: signed(payload_with(b"1e" + b"9" * 40_000)),
    "names up to the cap": lambda: signed(payload_with(json.dumps({f"{n:05d}": 0 for n in range(4_000)}).encode())),
    "the same name up to the cap": lambda: signed(payload_with(b"{" + b'"a":0,' * 7_000 + b'"a":0}')),
    "a header up to the cap": lambda: b"A" * 60_000 + b".e30.AA~",
    "certificates up to the cap": lambda: world.sd_jwt(world.payload(), head=world.header(x5c=["A" * 16_000] * 3)),
    "dots up to the cap": lambda: b"a.a.a" + b"." * 60_000 + b"~",
    "nothing that ends": lambda: b"A" * MAX_DOCUMENT,
    "JSON that never ends": lambda: b'{"a":' * 13_000,
    "a code that inflates": lambda: paper.text(zlib.compress(bytes(2_000_000), 9)),
    "a code of arrays": lambda: paper.code(payload=b"\xa1\x61x" + b"\x81" * 8_000),
    "a code of items": lambda: paper.code(payload=b"\xa1\x61x\x99\x1f\x00" + b"\x00" * 7_936),
    "a code up to the cap": lambda: b"IDV1:" + b":" * 4_290,
    "a key binding up to the cap": lambda: world.issue() + b"A" * 20_000 + b"." + b"A" * 20_000 + b".AA",
}


# What is put around a document, as large as it is looked into
WRAPPED: Final[dict[str, Callable[[], bytes]]] = {
    "blanks between letters": lambda: b"a " * (MOST // 2),
    "lines of base64": lambda: b"oAAA\n" * (MOST // 5),
    "blanks in JSON": lambda: b"{" + b" " * (MOST - 2) + b"}",
    "brackets in a wallet's answer": lambda: b'{"document":[' + b"[]," * (MOST // 3 - 8) + b"[]]}",
    "names in a wallet's answer": lambda: b"{" + b",".join(b'"%x":1' % number for number in range(25_000)) + b"}",
    "brackets in a text of a wallet's answer": lambda: b'{"a":"' + b"[" * (MOST - 8) + b'"}',
    "blanks in a wallet's answer": lambda: b'{"document":"' + b" a" * (MOST // 2 - 16) + b'"}',
    "quotes in a wallet's answer": lambda: b'{"document":"' + b'\\"' * (MOST // 2 - 16) + b'"}',
}


def judged(document: bytes) -> Verified:
    """The verdict of the whole service, on what was handed over."""
    submission = Submission(handed_over(document).document, expected=world.ASKED)
    return outright(verify(KINDS["sd_jwt"].verifier, submission, world.NOW))


def cpu_seconds(document: bytes) -> float:
    """CPU seconds of one verification."""
    begin = time.process_time()
    judged(document)
    return time.process_time() - begin


def times_ordinary(document: bytes) -> float:
    """How many times an ordinary verification it costs: the least of a few of each, by turns. Neighbours only add."""
    pairs = [(cpu_seconds(document), cpu_seconds(ORDINARY)) for _ in range(ROUNDS)]
    return min(bomb for bomb, _ in pairs) / min(ordinary for _, ordinary in pairs)


def held(document: bytes) -> int:
    """The most bytes that Python holds during one verification."""
    gc.collect()
    tracemalloc.start()
    try:
        judged(document)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_ordinary_document_holds() -> None:
    """What the bombs are compared with is accepted."""
    assert judged(ORDINARY).verdict.verdict is Outcome.ACCEPT


@pytest.mark.parametrize("name", [*BOMBS, *WRAPPED])
def test_a_bomb_does_not_go_off(name: str) -> None:
    """Refused within ten times an ordinary verification and 32 MiB."""
    document = {**BOMBS, **WRAPPED}[name]()

    assert judged(document).verdict.verdict is Outcome.REJECT
    assert times_ordinary(document) <= TIMES
    assert held(document) <= EXTRA
