"""A witness: every answer of tlog-witness, each rule broken alone, and no cosignature that forks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.ledger.cosignature import timestamp
from idverify.ledger.errors import MalformedError, RefusedError
from idverify.ledger.lines import base64_text
from idverify.ledger.merkle import EMPTY_ROOT
from idverify.ledger.note import Ed25519Verifier, NoteVerifier, open_note, split_note, write_note
from idverify.ledger.witness import Cosigned, Witness
from idverify.ledger.witness_protocol import MAX_HASHES, MAX_REQUEST, AddCheckpoint, origin_hash, read_size, write_size
from tests.simulators.signed_log import ORIGIN, SignedLog
from tests.simulators.witness_memory import NOW, WitnessMemory, cosigners

LOG, FORK, OTHER = SignedLog(), SignedLog(forks_at=3), SignedLog("other.example")
KEYS = cosigners("witness.example/w1")
VERIFIERS: list[NoteVerifier] = [key.verifier for key in KEYS]
LITEWITNESS = json.loads((Path(__file__).parents[2] / "vectors" / "ledger" / "litewitness.json").read_text())


class Clock:
    """A clock that is set by hand."""

    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def memory() -> WitnessMemory:
    """A witness's memory, empty."""
    return WitnessMemory()


def witness(
    memory: WitnessMemory, logs: tuple[NoteVerifier, ...] = (LOG.verifier,), clock: Clock | None = None
) -> Witness:
    return Witness(memory, logs, KEYS, clock or Clock())


def request(old: int, size: int, log: SignedLog = LOG) -> bytes:
    return AddCheckpoint(old, tuple(log.proof(old, size)), log.note(size)).encode()


async def refused(witness: Witness, body: bytes, status: int, said: str | None = None) -> RefusedError:
    with pytest.raises(RefusedError, match=said) as caught:
        await witness.add_checkpoint(body)
    assert caught.value.status == status, caught.value
    return caught.value


async def test_a_checkpoint_is_cosigned_by_every_key_at_once(memory: WitnessMemory) -> None:
    """The answer is signature lines that open together with the note that was sent."""
    answer = await witness(memory).add_checkpoint(request(0, 5))
    opened = open_note(LOG.note(5) + answer, [LOG.verifier, *VERIFIERS])

    assert len(opened.verified) == 3
    assert [timestamp(line.signature) for line in opened.verified[1:]] == [NOW, NOW]


async def test_from_size_to_size(memory: WitnessMemory) -> None:
    """It follows a log over every pair of sizes up to 20, and cosigns the same tree again."""
    for old in range(21):
        for size in range(old, 21):
            latest = LOG.checkpoint(old)
            memory.records = {ORIGIN: Cosigned(old, latest.root, NOW, b"")} if old else {}
            assert await witness(memory).add_checkpoint(request(old, size))
            assert (memory.records[ORIGIN].size, memory.records[ORIGIN].root) == (size, LOG.checkpoint(size).root)


async def test_what_is_kept_is_what_monitors_are_given(memory: WitnessMemory) -> None:
    """The note with the log's known signature and the witness's own, and nothing that nobody verified."""
    text, lines = split_note(LOG.note_of_both(5))
    answer = await witness(memory).add_checkpoint(AddCheckpoint(0, (), write_note(text, lines)).encode())

    kept = await witness(memory).checkpoint(origin_hash(ORIGIN))
    assert kept == LOG.note(5) + answer
    assert memory.records[ORIGIN].note == kept
    assert await witness(memory).checkpoint(origin_hash("other.example")) is None
    assert await witness(WitnessMemory()).checkpoint(origin_hash(ORIGIN)) is None


async def test_a_log_that_is_not_known(memory: WitnessMemory) -> None:
    """404, also before anybody asks whether it is signed."""
    await refused(witness(memory), request(0, 5, OTHER), 404, "other.example' is not known")


async def test_one_key_may_sign_several_logs(memory: WitnessMemory) -> None:
    """The shards of a ledger: each is remembered apart, and the note of one is none of the other's."""
    following = SignedLog("log.example/2")
    both = witness(memory, (LOG.verifier, following.verifier))
    await both.add_checkpoint(request(0, 5))
    await both.add_checkpoint(request(0, 3, following))
    text, lines = split_note(following.note(7))
    swapped = write_note(text, [replace(line, name=ORIGIN, key_id=LOG.verifier.key_id) for line in lines])

    assert {origin: one.size for origin, one in memory.records.items()} == {ORIGIN: 5, "log.example/2": 3}
    await refused(both, AddCheckpoint(3, (), swapped).encode(), 403)


async def test_signatures(memory: WitnessMemory) -> None:
    """403: by a stranger under the log's name, or wrong beside a right one."""
    stranger = SignedLog(seed=b"s" * 32)
    text, lines = split_note(LOG.note(5))
    wrong = replace(lines[0], signature=bytes(64))

    await refused(witness(memory), request(0, 5, stranger), 403, "the note has none")
    await refused(
        witness(memory), AddCheckpoint(0, (), write_note(text, [*lines, wrong])).encode(), 403, "does not verify"
    )
    assert memory.records == {}


async def test_a_log_with_two_keys_signs_with_both(memory: WitnessMemory) -> None:
    """403: a witness that knows an ML-DSA key takes no checkpoint that it was stripped from."""
    knows_both = witness(memory, (LOG.verifier, LOG.post_quantum.verifier))

    await refused(knows_both, request(0, 5), 403, "to sign its own checkpoint")
    assert await knows_both.add_checkpoint(AddCheckpoint(0, (), LOG.note_of_both(5)).encode())


async def test_an_old_size_over_the_new_one(memory: WitnessMemory) -> None:
    """400, whatever was seen."""
    await refused(witness(memory), AddCheckpoint(6, (), LOG.note(5)).encode(), 400, "at most 5, got 6")


async def test_an_old_size_that_is_not_the_last(memory: WitnessMemory) -> None:
    """409 with the size seen last; of a log never seen that is 0."""
    assert (await refused(witness(memory), request(2, 5), 409)).size == 0
    await witness(memory).add_checkpoint(request(0, 5))
    assert (await refused(witness(memory), request(0, 7), 409)).size == 5
    assert (await refused(witness(memory), request(4, 7), 409)).size == 5


async def test_proofs(memory: WitnessMemory) -> None:
    """422: too short, too long, of another tree, or any from nothing."""
    right = LOG.proof(5, 9)
    await refused(witness(memory), AddCheckpoint(0, (bytes(32),), LOG.note(5)).encode(), 422, "no proof from the empty")
    await witness(memory).add_checkpoint(request(0, 5))
    for proof in (right[:-1], [*right, bytes(32)], [], [bytes(32), *right[1:]], LOG.proof(4, 9)):
        await refused(witness(memory), AddCheckpoint(5, tuple(proof), LOG.note(9)).encode(), 422)
    await refused(witness(memory), AddCheckpoint(5, (bytes(32),), LOG.note(5)).encode(), 422, "empty proof")
    assert memory.records[ORIGIN].size == 5


async def test_a_fork_is_never_cosigned(memory: WitnessMemory) -> None:
    """422: two roots of one size, with both notes in hand, or a larger tree that left entries out."""
    await witness(memory).add_checkpoint(request(0, 5))
    told = await refused(witness(memory), request(5, 5, FORK), 422, "two roots for size 5")
    await refused(witness(memory), request(5, 9, FORK), 422)

    assert told.evidence is not None
    first, second = (open_note(note, [LOG.verifier]).text for note in told.evidence)
    assert (first, second) == (LOG.checkpoint(5).text(), FORK.checkpoint(5).text())


async def test_the_empty_tree(memory: WitnessMemory) -> None:
    """Size 0 is cosigned with the root of nothing alone, also under an ML-DSA key; then any tree extends it."""
    text = f"{ORIGIN}\n0\n{base64_text(bytes(32))}\n".encode()
    forged = write_note(text, [LOG.sign(text), LOG.post_quantum.cosign(text, 1)])
    for logs in ((LOG.verifier,), (LOG.verifier, LOG.post_quantum.verifier)):
        await refused(witness(memory, logs), AddCheckpoint(0, (), forged).encode(), 422, "size 0")

    assert await witness(memory).add_checkpoint(request(0, 0))
    assert memory.records[ORIGIN].root == EMPTY_ROOT
    assert await witness(memory).add_checkpoint(request(0, 5))


async def test_of_two_that_race_one_wins(memory: WitnessMemory) -> None:
    """What is cosigned in the middle of a request decides: it is never rolled back."""
    larger = Cosigned(9, LOG.checkpoint(9).root, NOW, b"")
    await witness(memory).add_checkpoint(request(0, 5))
    memory.before = lambda: memory.records.update({ORIGIN: larger})

    assert (await refused(witness(memory), request(5, 7), 409)).size == 9
    assert memory.records[ORIGIN] == larger


async def test_time_never_runs_backwards(memory: WitnessMemory) -> None:
    """A clock that was set back does not make a larger tree the older one."""
    clock = Clock()
    await witness(memory, clock=clock).add_checkpoint(request(0, 5))
    clock.now = NOW - 100
    await witness(memory, clock=clock).add_checkpoint(request(5, 6))
    assert memory.records[ORIGIN].time == NOW
    clock.now = NOW + 1
    await witness(memory, clock=clock).add_checkpoint(request(6, 6))
    assert memory.records[ORIGIN].time == NOW + 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "blank line"),
        (b"old 0\n", "blank line"),
        (LOG.note(5), "'old <size>'"),
        (b"\n" + LOG.note(5), "'old <size>'"),
        (b"size 0\n\n" + LOG.note(5), "'old <size>'"),
        (b"old  0\n\n" + LOG.note(5), "old size"),
        (b"old 00\n\n" + LOG.note(5), "old size"),
        (b"old -1\n\n" + LOG.note(5), "old size"),
        (b"old 18446744073709551616\n\n" + LOG.note(5), "old size"),
        (b"old 0\r\n\n" + LOG.note(5), "old size"),
        ("old \u0663\n\n".encode() + LOG.note(5), "ASCII"),
        (b"old 0\n" + b"A" * 43 + b"=\n" * 64 + b"\n" + LOG.note(5), "at most 63 hashes"),
        (b"old 0\n" + base64_text(bytes(31)).encode() + b"\n\n" + LOG.note(5), "32 bytes, got 31"),
        (b"old 0\n" + base64_text(bytes(33)).encode() + b"\n\n" + LOG.note(5), "32 bytes, got 33"),
        (b"old 0\n" + b"A" * 42 + b"B=\n\n" + LOG.note(5), "canonical base64"),
        (b"old 0\n\n", "note: expected text"),
        (b"old 0\n\n" + LOG.checkpoint(5).text(), "note: expected text"),
        (b"old 0\n\n" + LOG.note(5)[:-1], "newline"),
        (b"old 0\n\nextension\n" + LOG.note(5), "expected 3 lines"),
        (b"old 0\n\n" + LOG.note(5).replace(b"\n5\n", b"\n05\n"), "checkpoint size"),
        (b"old 0\n\n" + LOG.note(5) + b"x" * MAX_REQUEST, "at most 65536 bytes"),
    ],
)
async def test_what_is_not_a_request(memory: WitnessMemory, body: bytes, said: str) -> None:
    """400: every rule of the form, broken alone."""
    await refused(witness(memory), body, 400, said)


@given(st.binary(max_size=400))
async def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    """Whatever comes is answered 400 or 404, and nothing is kept."""
    memory = WitnessMemory()
    with pytest.raises(RefusedError) as caught:
        await witness(memory).add_checkpoint(b"old 0\n\n" + body)
    assert caught.value.status in {400, 404}
    assert memory.records == {}


@given(place=st.integers(0, len(request(5, 9)) - 1), flip=st.integers(1, 255))
async def test_no_changed_byte_makes_a_fork(place: int, flip: int) -> None:
    """Change any byte of a good request: what is cosigned, if anything, is the log's own tree."""
    memory = WitnessMemory({ORIGIN: Cosigned(5, LOG.checkpoint(5).root, NOW, b"")})
    body = bytearray(request(5, 9))
    body[place] ^= flip
    try:
        await witness(memory).add_checkpoint(bytes(body))
    except RefusedError as error:
        assert error.status in {400, 403, 404, 409, 422}  # noqa: PT017 - one of several
    assert memory.records[ORIGIN].root in {LOG.checkpoint(5).root, LOG.checkpoint(9).root}


@given(st.integers(0, 2**64 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=MAX_HASHES), st.binary())
def test_requests_read_back(old: int, proof: list[bytes], note: bytes) -> None:
    """Writing and parsing a request are inverse."""
    made = AddCheckpoint(old, tuple(proof), note)

    if len(made.encode()) <= MAX_REQUEST:
        assert AddCheckpoint.parse(made.encode()) == made


@pytest.mark.parametrize(("old", "proof"), [(-1, ()), (2**64, ()), (0, (bytes(32),) * 64), (0, (bytes(31),))])
def test_what_no_witness_would_read_is_not_sent(old: int, proof: tuple[bytes, ...]) -> None:
    """Sizes out of range, too many hashes, hashes of another size."""
    with pytest.raises(MalformedError):
        AddCheckpoint(old, proof, b"")


def test_sizes_read_back() -> None:
    """The body of a 409 is a decimal and a newline."""
    for size in (0, 5, 2**64 - 1):
        assert read_size(write_size(size)) == size
    for body in (
        b"",
        b"5",
        b"5\n\n",
        b" 5\n",
        b"05\n",
        b"-1\n",
        b"5 \n",
        b"18446744073709551616\n",
        "\u0665\n".encode(),
    ):
        with pytest.raises(MalformedError):
            read_size(body)


def test_a_witness_is_set_up_with_sense() -> None:
    """It has a key, knows none twice, is no log itself, and can name every log in what it signs."""
    memory, long = WitnessMemory(), SignedLog("l" * 256)
    for logs, keys in [
        ((LOG.verifier,), []),
        ((LOG.verifier, LOG.verifier), KEYS),
        ((LOG.verifier,), [KEYS[0], KEYS[0]]),
        ((Ed25519Verifier("log.example/2", KEYS[0].verifier.public_key),), KEYS),
        ((long.verifier,), KEYS),
        ((KEYS[0].verifier,), KEYS[1:]),
    ]:
        with pytest.raises(MalformedError):
            Witness(memory, logs, keys, Clock())
    assert Witness(memory, (long.verifier,), KEYS[:1], Clock())


async def test_the_transcript_of_another_witness() -> None:
    """Torchwood's litewitness, asked the same in the same order.

    Two answers are others: 404 for an unknown log, as the text has had it since, and 400 where the transcript spoils a
    signature by base64 that is not canonical.
    """
    log = LITEWITNESS["log"]
    ours = Witness(WitnessMemory(), [Ed25519Verifier(log["origin"], bytes.fromhex(log["public_key"]))], KEYS, Clock())
    answers = []
    for exchange in LITEWITNESS["exchanges"]:
        try:
            answers.append((200, await ours.add_checkpoint(exchange["request"].encode())))
        except RefusedError as error:
            answers.append((error.status, b"" if error.size is None else write_size(error.size)))
    expected = [exchange["status"] for exchange in LITEWITNESS["exchanges"]]

    assert expected[1:3] == [403, 403]
    assert [status for status, _ in answers] == [expected[0], 400, 404, *expected[3:]]
    assert [body for status, body in answers if status == 409] == [b"3\n", b"5\n"]
