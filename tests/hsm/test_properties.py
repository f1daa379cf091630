"""Whatever becomes of workers: no request is lost, none is answered twice, and retries go before what is younger."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hsm import Hsm, HsmError, HsmPolicy, HsmUnavailable, Priority, TokenConfig
from hsm.admission import Admission
from hsm.frames import ANSWERS_PER_WRITE, FrameReader, Op, Status, encode
from hsm.health import Latencies
from hsm.link import Link
from hsm.pool import Pool
from hsm.requests import LOSSES_MAX, Request

from .simulator import FATES

KEY = b"key"
TIMEOUT = 600.0  # seconds: no deadline passes in these tests
_ROUNDS = 500  # of answers, after which whoever still waits would wait for ever

STEPS = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from(Priority)),
    st.tuples(st.just("answer"), st.integers(0, 5)),
    st.tuples(st.just("answer twice"), st.integers(0, 5)),
    st.tuples(st.just("lose"), st.integers(0, 5)),
    st.tuples(st.just("lose in mid-answer"), st.integers(0, 5)),
    st.tuples(st.just("session lost"), st.integers(0, 5)),
    st.tuples(st.just("refuse"), st.integers(0, 5)),
    st.tuples(st.just("add"), st.just(0)),
)


class Process:
    """What a link asks of its process."""

    pid = 1

    def kill(self) -> None:
        """Its socket closes when the test says so."""


class Wire(asyncio.WriteTransport):
    """Where a link's frames arrive."""

    def __init__(self, taken: Callable[[list[int]], None]) -> None:
        super().__init__()
        self.waiting: list[tuple[int, bytes]] = []
        self._reader, self._taken = FrameReader(), taken

    def write(self, data: Any) -> None:
        """Note every request in it."""
        for identity, _, _, body in self._reader.feed(bytes(data)):
            self.waiting.append((identity, body))
            self._taken([number for number, _ in self.waiting])

    def is_closing(self) -> bool:
        """Never: a link that is lost writes no more."""
        return False


@dataclass
class World:
    """A pool, its workers in the hands of the test, and everything that happened."""

    pool: Pool = field(default_factory=lambda: Pool(10_000, TIMEOUT, TIMEOUT))
    links: list[tuple[Link, Wire]] = field(default_factory=list)
    futures: dict[int, tuple[Priority, asyncio.Future[bytes]]] = field(default_factory=dict)
    sends: Counter[int] = field(default_factory=Counter)
    doubted: Counter[int] = field(default_factory=Counter)  # workers that were lost when it may have been their work
    owed: set[int] = field(default_factory=set)  # taken back from a lost worker, and not sent again yet
    wrongs: list[str] = field(default_factory=list)  # an assertion on the loop's own turn would reach nobody

    def add(self) -> None:
        """One more worker."""
        process: Any = Process()
        wire, link = Wire(self._sent), Link(process, Latencies())
        link.connection_made(wire)
        self.links.append((link, wire))
        self.pool.add(link)

    def submit(self, priority: Priority) -> None:
        """One more request, whose message is its number."""
        number = len(self.futures) + 1
        self.futures[number] = priority, self.pool.submit(Op.SIGN, KEY, b"%d" % number, TIMEOUT, priority)

    def _sent(self, together: list[int]) -> None:
        """The last of those that a worker has now was sent."""
        number = together[-1]
        if len(together) > 1 and any(self.doubted[each] for each in together):
            self.wrongs.append(f"{together} went together, though one of them may have cost a worker")
        self.sends[number] += 1
        self.owed.discard(number)
        if self.sends[number] == 1:
            ours = self.futures[number][0]
            waiting = [older for older in self.owed if not self.futures[older][1].done()]
            overtaken = [older for older in waiting if older < number and self.futures[older][0] is ours]
            if overtaken:
                self.wrongs.append(f"{number} went before {overtaken}, which are older and were sent already")

    def do(self, step: str, which: int) -> None:
        """What becomes of one worker, and of the oldest request that it has."""
        if not self.links:
            return
        link, wire = self.links[which % len(self.links)]
        answers = [encode(number, Status.OK, b"", body) for number, body in wire.waiting[:1]]
        if step in {"answer", "answer twice"}:
            del wire.waiting[:1]
            link.data_received(b"".join(answers * (2 if step == "answer twice" else 1)))
        elif step == "refuse":
            refused = [encode(number, Status.POLICY, b"", b"no") for number, _ in wire.waiting[:1]]
            del wire.waiting[:1]
            link.data_received(b"".join(refused))
        else:
            self.links.remove((link, wire))
            may_be_why = 1 if step == "session lost" else ANSWERS_PER_WRITE
            self.doubted.update(number for number, _ in wire.waiting[:may_be_why])
            if step == "lose in mid-answer" and answers:
                link.data_received(answers[0][:-1])
            elif step == "session lost":
                lost = [encode(number, Status.SESSION_LOST, b"", b"lost") for number, _ in wire.waiting[:1]]
                link.data_received(b"".join(lost))
            self.owed.update(number for number, request in link.pending.items() if not request.future.done())
            link.connection_lost(None)

    async def settle(self) -> None:
        """Answer everything with workers that work."""
        for _ in range(_ROUNDS):
            if not self.links:
                self.add()
            await asyncio.sleep(0)
            for which in range(len(self.links)):
                self.do("answer", which)
            if all(future.done() for _, future in self.futures.values()):
                return
        self.wrongs.append("somebody waits for ever")


async def _live(steps: list[tuple[str, Any]]) -> World:
    """Everything that happens, up to the last answer."""
    world = World()
    for step, what in steps:
        if step == "submit":
            world.submit(what)
        elif step == "add":
            world.add()
        else:
            world.do(step, what)
        await asyncio.sleep(0)  # frames leave, and what a lost worker had is taken back
        await asyncio.sleep(0)
    await world.settle()
    return world


def _holds(steps: list[tuple[str, Any]]) -> None:
    world = asyncio.run(_live(steps))
    assert world.wrongs == []
    assert world.pool.pending == 0
    for number, (_, future) in world.futures.items():
        error = future.exception()
        given_up = world.doubted[number] == LOSSES_MAX
        if error is None:
            assert future.result() == b"%d" % number
        assert isinstance(error, HsmUnavailable) is given_up
        assert error is None or given_up or isinstance(error, HsmPolicy)
        assert world.doubted[number] <= LOSSES_MAX


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=80))
def test_whatever_becomes_of_workers(steps: list[tuple[str, Any]]) -> None:
    """Every request ends once: with its own answer, its own refusal, or after it may have cost three workers."""
    _holds(steps)


def _at_the_end(admission: Admission, requests: Iterable[Request]) -> None:
    for request in requests:
        admission.wait(request)


def _in_company(link: Link, request: Request, now: float, send: Any = Link.send) -> None:
    send(link, request, now)
    link.window = ANSWERS_PER_WRITE


def _forgetting(pool: Pool, link: Link) -> None:
    del pool
    link.pending.clear()


def _to_everybody(link: Link, data: bytes, receive: Any = Link.data_received) -> None:
    pending = dict(link.pending)
    receive(link, data)
    link.pending.update(pending)


KNOCKED_OUT = {
    "what comes back stands at the end": (Admission, "wait_again", _at_the_end),
    "what may have cost a worker is given company": (Link, "send", _in_company),
    "what a lost worker had is forgotten": (Pool, "_take_back", _forgetting),
    "what was answered is sent again": (Link, "data_received", _to_everybody),
}


@pytest.mark.parametrize("rule", KNOCKED_OUT)
def test_the_property_can_fail(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any one rule knocked out, some steps are found for which it does not hold."""
    of, name, instead = KNOCKED_OUT[rule]
    monkeypatch.setattr(of, name, instead)
    fails = settings(
        max_examples=150,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        report_multiple_bugs=False,
    )(given(st.lists(STEPS, min_size=20, max_size=80))(_holds))
    with pytest.raises(AssertionError):
        fails()


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), workers=st.integers(1, 2))
def test_whatever_becomes_of_processes(seed: int, workers: int) -> None:
    """The same over processes that crash, lose their session and repeat themselves, as the seed has it."""
    messages = [b"%d %d" % (seed, number) for number in range(12)]

    async def run(token: TokenConfig) -> list[bytes | BaseException]:
        async with Hsm(token) as hsm:
            answers = await asyncio.gather(*(hsm.sign(KEY, message) for message in messages), return_exceptions=True)
            async with asyncio.timeout(30):
                while hsm.health().pending:  # noqa: ASYNC110  the client tells nobody when nothing is pending
                    await asyncio.sleep(0.01)
            return answers

    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        directory = Path(name)
        so_file, pin_file = directory / "module.so", directory / "pin"
        so_file.touch()
        pin_file.touch(mode=0o600)
        pin_file.write_text(f"seed {seed} 0.25\n")
        token = TokenConfig(so_file, str(directory / "journal"), None, pin_file, workers=workers)
        with mock.patch("hsm.supervisor.WORKER", "simulator"):
            answers = asyncio.run(run(token))
        sent = Counter(Path(token.label).read_text().splitlines())

    for message, answer in zip(messages, answers, strict=True):
        sends = sent[f"sent {message.hex()}"]
        if isinstance(answer, HsmPolicy):
            continue  # the request alone was at fault
        # the first time it may have been another that ended their worker; it was alone with the two others
        given_up = isinstance(answer, HsmUnavailable) and sends >= LOSSES_MAX - 1
        assert answer == message or given_up, (message, answer, sends)


async def test_a_network_hsm_is_waited_for(fake: TokenConfig) -> None:
    """10 ms each: late answers are no fault, and the worker is given no more at a time than it does in 10 ms."""
    async with Hsm(fake) as hsm:
        assert await asyncio.gather(*(hsm.sign(KEY, b"network %d" % n) for n in range(40))) == [
            b"network %d" % n for n in range(40)
        ]
        assert hsm.health().restarts == 0


async def test_a_locked_pin_is_tried_once(fake: TokenConfig) -> None:
    """CKR_PIN_LOCKED: terminal, whatever the number of workers."""
    fake.pin_file.write_text("locked\n")
    with pytest.raises(HsmError, match="PinLocked"):
        async with Hsm(replace(fake, workers=3)):
            pytest.fail("opened with a locked PIN")


def test_fates_are_known() -> None:
    """Every fate that may be drawn is an order that the simulator knows."""
    assert {fate.split()[0] for fate in FATES} <= {"crash", "ckr", "twice", "network"}
