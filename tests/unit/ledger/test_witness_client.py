"""The log's side of witnessing, with witnesses in memory that do whatever a test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from idverify.ledger.cosigner import Cosigner
from idverify.ledger.errors import MalformedError, RefusedError, StorageError, UnreachableError
from idverify.ledger.note import NoteSignature, NoteVerifier, open_note, split_note, write_note
from idverify.ledger.policy import Group, Log, Policy, PolicyWitness
from idverify.ledger.witness import Cosigned, Witness
from idverify.ledger.witness_client import Comparison, Standing, Witnesses
from idverify.ledger.witness_protocol import SIZE_TYPE, AddCheckpoint, write_size
from tests.simulators.ledger_memory import LedgerMemory, SoftwareSigner, publishing
from tests.simulators.signed_log import ORIGIN, SignedLog
from tests.simulators.witness_memory import NOW, WitnessMemory, cosigners

LOG, FORK = SignedLog(), SignedLog(forks_at=3)
NAMES = ("alpha", "beta", "gamma")
Answer = tuple[int, str, bytes]


@dataclass
class Stand:
    """A witness behind the transport: a real one in memory, unless `say` says otherwise."""

    name: str
    memory: WitnessMemory = field(default_factory=WitnessMemory)
    asked: list[int] = field(default_factory=list)
    say: Callable[[bytes], Answer] | None = None
    hang: bool = False
    hang_monitors: bool = False
    shows: bytes | None = None
    log: NoteVerifier = LOG.verifier

    @property
    def keys(self) -> list[Cosigner]:
        return cosigners(f"{self.name}.example/w")

    def witness(self) -> Witness:
        return Witness(self.memory, [self.log], self.keys, lambda: NOW)

    async def add_checkpoint(self, body: bytes) -> Answer:
        self.asked.append(AddCheckpoint.parse(body).old_size)
        if self.hang:
            await asyncio.sleep(60)
        if self.say is not None:
            return self.say(body)
        try:
            return 200, "text/plain", await self.witness().add_checkpoint(body)
        except RefusedError as refused:
            if refused.size is not None:
                return 409, SIZE_TYPE, write_size(refused.size)
            return refused.status, "text/plain", refused.detail.encode()


@dataclass
class World:
    """Three witnesses, each by two keys of one address, and the policy that wants two of them."""

    stands: dict[str, Stand]
    proofs: list[int] = field(default_factory=list)

    async def add_checkpoint(self, url: str, body: bytes) -> Answer:
        return await self.stands[url].add_checkpoint(body)

    async def latest(self, url: str, hashed_origin: str) -> bytes | None:
        stand = self.stands[url]
        if stand.hang or stand.hang_monitors:
            await asyncio.sleep(60)
        return stand.shows or await stand.witness().checkpoint(hashed_origin)

    @property
    def policy(self) -> Policy:
        members = [
            PolicyWitness(f"{stand.name}-{key.verifier.signature_type}", key.verifier, url)
            for url, stand in self.stands.items()
            for key in stand.keys
        ]
        return Policy((Log(LOG.verifier),), tuple(members))

    def witnesses(self, budget: float = 5.0) -> Witnesses:
        return Witnesses(self.policy, self, budget=budget)

    def prove(self, size: int, log: SignedLog = LOG) -> Callable[[int], object]:
        async def proof(old: int) -> list[bytes]:
            self.proofs.append(old)
            return log.proof(old, size)

        return proof


@pytest.fixture
def world() -> World:
    """Three honest witnesses that have seen nothing."""
    return World({f"https://{name}.example/w": Stand(name) for name in NAMES})


def alpha(world: World) -> Stand:
    return world.stands["https://alpha.example/w"]


def standings(outcomes: list[Comparison] | tuple[Comparison, ...]) -> list[str]:
    return [outcome.standing.value for outcome in outcomes]


async def cosigned(world: World, witnesses: Witnesses, size: int, log: SignedLog = LOG) -> list[NoteSignature]:
    return await witnesses.cosign(log.note(size), world.prove(size, log))


async def test_every_witness_cosigns(world: World) -> None:
    """One request each, answered by both keys; the lines open in the log's own note."""
    witnesses = world.witnesses()
    lines = await cosigned(world, witnesses, 5)
    text, own = split_note(LOG.note(5))

    assert standings(witnesses.outcomes) == ["agrees"] * 3
    assert witnesses.outcomes[0].names == ("alpha-4", "alpha-6")
    assert len(lines) == 6
    assert world.policy.open(write_note(text, [*own, *lines]))[1] == {one.name for one in world.policy.witnesses}
    assert [stand.asked for stand in world.stands.values()] == [[0]] * 3


async def test_a_publisher_works_with_them() -> None:
    """The publisher's own port is met: what it shows for the quorum bears the cosignatures that the policy wants."""
    memory, signer = LedgerMemory(), SoftwareSigner()
    memory.append(5)
    stands = {f"https://{name}.example/w": Stand(name, log=signer.verifier) for name in NAMES}
    members = World(stands).policy.witnesses
    policy = Policy((Log(signer.verifier),), members, (Group("all", 6, tuple(one.name for one in members)),), "all")
    publisher = publishing(memory, signer, witnesses=Witnesses(policy, World(stands)))
    await publisher.publish_once()
    memory.append(300)
    await publisher.publish_once()
    _, note = await publisher.receipt_proof(304)

    assert policy.require(note).size == 305
    assert [stand.asked for stand in stands.values()] == [[0, 5]] * 3


async def test_the_size_a_witness_acknowledged_is_remembered(world: World) -> None:
    """From then on one request is enough, and no proof is made that nobody asked for."""
    witnesses = world.witnesses()
    for size in (5, 6, 6, 9):
        assert len(await cosigned(world, witnesses, size)) == 6

    assert alpha(world).asked == [0, 5, 6, 6]
    assert set(world.proofs) == {5, 6}


async def test_a_witness_that_saw_more_than_we_remember_is_asked_again(world: World) -> None:
    """409, then once more with a proof from its size: after a restart, or an answer that was lost."""
    await cosigned(world, world.witnesses(), 5)
    witnesses = world.witnesses()

    assert len(await cosigned(world, witnesses, 9)) == 6
    assert alpha(world).asked == [0, 0, 5]
    assert len(await cosigned(world, world.witnesses(), 9)) == 6
    assert alpha(world).asked == [0, 0, 5, 0, 9]


async def test_nobody_waits_for_the_one_that_hangs(world: World) -> None:
    """The others' cosignatures are there within the budget, and who was late is told."""
    alpha(world).hang = True
    witnesses = world.witnesses(budget=1.0)
    began = time.monotonic()
    lines = await cosigned(world, witnesses, 5)

    assert time.monotonic() - began < 10
    assert len(lines) == 4
    assert standings(witnesses.outcomes) == ["unreachable", "agrees", "agrees"]
    assert witnesses.outcomes[0].detail == "no answer within 1 s"
    assert asyncio.all_tasks() == {asyncio.current_task()}


def by(name: str, text: bytes, when: int = NOW) -> bytes:
    return "".join(key.cosign(text, when).line() for key in cosigners(name)).encode()


TEXT = LOG.checkpoint(5).text()
RIGHT = by("alpha.example/w", TEXT)


@pytest.mark.parametrize(
    ("answer", "standing", "said"),
    [
        ((200, "text/plain", b""), "refused", "lines that end with a newline"),
        ((200, "text/html", b"<html>"), "refused", "lines that end with a newline"),
        ((200, "text/plain", RIGHT[:-1]), "refused", "lines that end with a newline"),
        ((200, "text/plain", b"junk\n\n" + RIGHT), "refused", "expected"),
        ((200, "text/plain", b"\xff" + RIGHT), "refused", "UTF-8"),
        ((200, "text/plain", by("beta.example/w", TEXT)), "refused", "by alpha-4 or alpha-6, got none"),
        ((200, "text/plain", by("alpha.example/w", LOG.checkpoint(6).text())), "refused", "does not verify"),
        ((200, "text/plain", by("alpha.example/w", TEXT, 0)), "refused", "does not verify"),
        ((200, "text/plain", RIGHT + by("alpha.example/w", LOG.checkpoint(6).text())), "refused", "does not verify"),
        ((302, "text/plain", b"over there\n"), "refused", "302: over there"),
        ((400, "text/plain", b"what?\nmore"), "refused", "400: what?"),
        ((403, "text/plain", b"not you\n"), "refused", "403: not you"),
        ((404, "text/plain", b"who?\n"), "unknown log", "who?"),
        ((500, "text/plain", b""), "refused", "500: "),
        ((422, "text/plain", b"another root\n"), "other root", "another root"),
        ((409, "text/plain", b"5\n"), "refused", "expected text/x.tlog.size"),
        ((409, SIZE_TYPE, b"5"), "refused", "decimal and a newline"),
        ((409, SIZE_TYPE, b"05\n"), "refused", "decimal"),
        ((409, SIZE_TYPE, b"4\n"), "refused", "409 again"),
        ((409, SIZE_TYPE, b"6\n"), "ahead", "it saw size 6"),
        ((422, "text/plain", "\x1b[2Jcall \u202e me\n".encode()), "other root", "\ufffd[2Jcall \ufffd me"),
    ],
)
async def test_what_one_witness_answers_harms_nobody(world: World, answer: Answer, standing: str, said: str) -> None:
    """Rubbish, lies, other people's signatures, 409 for ever: told, and the others' lines are used."""
    alpha(world).say = lambda _body: answer
    witnesses = world.witnesses()
    lines = await cosigned(world, witnesses, 5)

    assert len(lines) == 4
    assert standings(witnesses.outcomes) == [standing, "agrees", "agrees"]
    assert said in witnesses.outcomes[0].detail
    assert len(alpha(world).asked) <= 2


async def test_only_known_lines_are_taken(world: World) -> None:
    """Lines of strangers and of other witnesses that ride along are dropped; a key counts once; one may be missing."""
    stray = by("eve.example", TEXT) + by("beta.example/w", LOG.checkpoint(6).text())
    first = RIGHT.splitlines(keepends=True)[0]
    alpha(world).say = lambda _body: (200, "text/plain", stray + first + first)
    witnesses = world.witnesses()
    lines = await cosigned(world, witnesses, 5)
    text, own = split_note(LOG.note(5))

    assert standings(witnesses.outcomes) == ["agrees"] * 3
    assert len(lines) == 5
    assert len(open_note(write_note(text, [*own, *lines]), [w.verifier for w in world.policy.witnesses]).verified) == 5


async def test_a_proof_that_cannot_be_made_is_our_own_fault(world: World) -> None:
    """What storage raises is raised, since no witness is to blame."""
    await cosigned(world, world.witnesses(), 5)

    async def broken(_old: int) -> list[bytes]:
        raise StorageError("a tile is missing")

    with pytest.raises(StorageError, match="a tile is missing"):
        await world.witnesses().cosign(LOG.note(9), broken)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_who_cannot_be_reached_is_told(world: World) -> None:
    """The transport's word for it is passed on."""

    def away(_body: bytes) -> Answer:
        raise UnreachableError("the witness could not be asked")

    alpha(world).say = away
    witnesses = world.witnesses()
    assert len(await cosigned(world, witnesses, 5)) == 4
    assert witnesses.outcomes[0].detail == "the witness could not be asked"
    assert witnesses.outcomes[0].standing is Standing.UNREACHABLE


def remember(world: World, size: int, log: SignedLog = LOG) -> None:
    """Every witness has cosigned this before."""
    for stand in world.stands.values():
        text, own = split_note(log.note(size))
        note = write_note(text, [*own, *(key.cosign(text, NOW) for key in stand.keys)])
        stand.memory.records[ORIGIN] = Cosigned(size, log.checkpoint(size).root, NOW, note)


async def test_compare_at_the_start(world: World) -> None:
    """The same tree, a smaller one with and without a proof, nothing at all."""
    witnesses = world.witnesses()
    assert standings(await witnesses.compare(LOG.note(5))) == ["agrees"] * 3
    assert standings(await world.witnesses().compare(LOG.note(5))) == ["agrees"] * 3
    assert [(one.standing, one.size) for one in await world.witnesses().compare(LOG.note(7))] == [
        (Standing.BEHIND, 5)
    ] * 3
    assert standings(await world.witnesses().compare(LOG.note(7), world.prove(7))) == ["agrees"] * 3


async def test_a_restored_backup_meets_witnesses_that_saw_more(world: World) -> None:
    """AHEAD, and each shows the larger checkpoint that the log itself signed."""
    remember(world, 9)
    found = await world.witnesses().compare(LOG.note(5))

    assert [(one.standing, one.size) for one in found] == [(Standing.AHEAD, 9)] * 3
    assert {open_note(one.note or b"", [LOG.verifier]).text for one in found} == {LOG.checkpoint(9).text()}


async def test_a_fork_meets_witnesses_that_saw_the_other_branch(world: World) -> None:
    """OTHER ROOT at the same size, and at a larger one when a proof is tried; the other branch is shown."""
    remember(world, 5, FORK)
    same = await world.witnesses().compare(LOG.note(5))
    larger = await world.witnesses().compare(LOG.note(9), world.prove(9))

    assert standings(same) == standings(larger) == ["other root"] * 3
    assert {one.note for one in (*same, *larger)} == {
        stand.memory.records[ORIGIN].note for stand in world.stands.values()
    }


async def test_a_lost_database_meets_witnesses_that_saw_something(world: World) -> None:
    """A log that never signed anything compares with whatever is out there under its name."""
    assert [(one.standing, one.size) for one in await world.witnesses().compare(None)] == [(Standing.AGREES, 0)] * 3
    remember(world, 9)
    assert [(one.standing, one.size) for one in await world.witnesses().compare(None)] == [(Standing.AHEAD, 9)] * 3
    remember(world, 0)
    assert standings(await world.witnesses().compare(None)) == ["agrees"] * 3


async def test_ahead_is_told_even_if_its_note_does_not_come(world: World) -> None:
    """A monitoring address that hangs, or shows rubbish or old things, takes nothing from the warning."""
    remember(world, 9)
    old = LOG.note(4) + by("alpha.example/w", LOG.checkpoint(4).text())
    for change in ({"hang_monitors": True}, {"shows": b"rubbish"}, {"shows": old}, {"shows": LOG.note(12)}):
        for name, value in change.items():
            setattr(alpha(world), name, value)
        (first, *_) = await world.witnesses(budget=0.2).compare(LOG.note(5))
        assert (first.standing, first.size, first.note) == (Standing.AHEAD, 9, None)
        alpha(world).hang_monitors = False


_OTHER = SignedLog("other.example").checkpoint(9).text()
OTHER_BY_US = write_note(_OTHER, [LOG.sign(_OTHER)]) + by("alpha.example/w", _OTHER)


@pytest.mark.parametrize(
    "shown",
    [
        b"rubbish",
        LOG.note(9),
        LOG.checkpoint(9).text() + b"\n" + by("alpha.example/w", LOG.checkpoint(9).text()),
        LOG.note(9) + by("beta.example/w", LOG.checkpoint(9).text()),
        LOG.note(9) + by("alpha.example/w", LOG.checkpoint(8).text()),
        LOG.note(9) + by("alpha.example/w", LOG.checkpoint(9).text(), 0),
        OTHER_BY_US,
        SignedLog("other.example").note(9) + by("alpha.example/w", SignedLog("other.example").checkpoint(9).text()),
    ],
)
async def test_what_a_witness_shows_must_be_signed_by_both(world: World, shown: bytes) -> None:
    """Not signed by the log, not by this witness, wrongly, or of another log, even by our key: not an answer."""
    alpha(world).shows = shown
    (first, *_) = await world.witnesses().compare(None)

    assert (first.standing, first.note) == (Standing.REFUSED, None)


async def test_a_policy_without_addresses_asks_nobody(world: World) -> None:
    """A reader's policy needs no addresses."""
    nobody = Witnesses(Policy((Log(LOG.verifier),), (PolicyWitness("w", cosigners("w")[0].verifier),)), world)

    assert await nobody.cosign(LOG.note(5), world.prove(5)) == []
    assert await nobody.compare(None) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "witness.example",
        "//witness.example",
        "file:///etc/passwd",
        "ftp://witness.example",
        "https://",
        "https:///path",
        "https://user@witness.example",
        "https://witness.example?x",
        "https://witness.example/#x",
        "https://witness.example:0",
        "https://witness.example:99999",
        "https://[::1",
        "https://witness.example/../x",
        "https://witness.example/%2e%2e",
        "https://witness.example\\@evil.example",
        "https://witn\u00e9ss.example",
    ],
)
def test_addresses_are_plain(world: World, url: str) -> None:
    """Nothing but scheme, host, port and path: no address can lead elsewhere than it says."""
    with pytest.raises(MalformedError, match="witness address"):
        Witnesses(Policy((), (PolicyWitness("w", cosigners("w")[0].verifier, url),)), world)
