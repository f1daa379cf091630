"""Classes of callers: their places in the queue, their order, and that nobody waits for ever."""

import asyncio
from dataclasses import replace

import pytest

from hsm import Hsm, HsmBusy, HsmTimeout, Priority, TokenConfig
from hsm.admission import OLDEST_EVERY, Admission
from hsm.frames import Op
from hsm.requests import Request

KEY = b"key"
LIMIT = 64


async def requests(*priorities: Priority) -> list[Request]:
    """One request of each class named, in the order of age."""
    loop = asyncio.get_running_loop()
    return [
        Request(age, Op.SIGN, b"", loop.create_future(), 0.0, 0.0, priority) for age, priority in enumerate(priorities)
    ]


async def test_a_flood_of_one_class_keeps_no_other_out() -> None:
    """Whatever one class takes, each of the others has its own places, and no more than all are ever taken."""
    for flooding in Priority:
        admission = Admission(LIMIT)
        while admission.enter(flooding):
            pass
        flood = admission.admitted
        for priority in Priority:
            assert admission.enter(priority) is (priority is not flooding), (flooding, priority)

        assert LIMIT // 4 <= flood < LIMIT
        assert admission.admitted <= LIMIT


async def test_places_come_back() -> None:
    """Own places and shared ones alike, in whatever order requests leave."""
    admission = Admission(LIMIT)
    for _ in range(3):
        asking = await requests(*([Priority.LOW] * LIMIT), *([Priority.HIGH] * LIMIT))
        taken = [request for request in asking if admission.enter(request.priority)]
        assert len(taken) == LIMIT - LIMIT // 4 - LIMIT // 16  # what is set aside for the two others stays free
        for request in reversed(taken):
            admission.leave(request)
        assert admission.admitted == 0


async def test_a_small_queue_is_anybodys() -> None:
    """Too small to set anything aside: every class may take all of it."""
    admission = Admission(3)

    assert [admission.enter(Priority.BACKGROUND) for _ in range(4)] == [True, True, True, False]


async def test_the_higher_class_goes_first_and_none_waits_for_ever() -> None:
    """By class and age within it; every eighth turn to the oldest of all."""
    admission = Admission(LIMIT)
    old, *others = await requests(Priority.BACKGROUND, Priority.LOW, *([Priority.HIGH] * 20), Priority.NORMAL)
    for request in (*others, old):
        admission.wait(request)
    order = [served for _ in range(23) if (served := admission.next()) is not None]

    assert [request.priority for request in order[: OLDEST_EVERY - 1]] == [Priority.HIGH] * (OLDEST_EVERY - 1)
    assert order[OLDEST_EVERY - 1] is old
    assert order[2 * OLDEST_EVERY - 1].priority is Priority.LOW
    high = [request.id for request in order if request.priority is Priority.HIGH]
    assert high == sorted(high)
    assert order[-1].priority is Priority.NORMAL
    assert admission.next() is None


async def test_what_comes_back_keeps_its_age() -> None:
    """Requests of a lost worker stand before younger ones of their class again."""
    admission = Admission(LIMIT)
    old = await requests(*([Priority.NORMAL] * 6))
    for request in old[3:]:
        admission.wait(request)
    admission.wait_again([old[2], old[0], old[1]])

    assert [request.id for request in iter(admission.next, None)] == list(range(6))


async def test_officers_overtake_what_waits(fake: TokenConfig) -> None:
    """With a worker that takes 0.2 s each, a late HIGH is answered before the LOW ones that wait: few are under way."""
    order: list[bytes] = []

    async def ask(hsm: Hsm, name: bytes, priority: Priority) -> None:
        await hsm.sign(KEY, b"slow " + name, priority=priority)
        order.append(name)

    async with Hsm(fake) as hsm:
        waiting = [asyncio.create_task(ask(hsm, b"low", Priority.LOW)) for _ in range(6)]
        await asyncio.sleep(0.05)
        await asyncio.gather(ask(hsm, b"high", Priority.HIGH), *waiting)

    assert order == [b"low", b"low", b"high", b"low", b"low", b"low", b"low"]


async def test_busy_says_when_to_come_back(fake: TokenConfig) -> None:
    """From how many wait and how fast they are answered, at least a second."""
    async with Hsm(replace(fake, queue_limit=16)) as hsm:
        await hsm.sign(KEY, b"slow")
        admitted = [asyncio.create_task(hsm.sign(KEY, b"slow", priority=Priority.LOW)) for _ in range(7)]
        await asyncio.sleep(0)
        with pytest.raises(HsmBusy, match="class LOW") as busy:
            await hsm.sign(KEY, b"one too many", priority=Priority.LOW)
        await hsm.sign(KEY, b"an officer", priority=Priority.HIGH)
        await asyncio.gather(*admitted)

    assert busy.value.retry_after >= 2  # 7 at 0.2 s


async def test_a_deadline_passes_in_the_queue_too(fake: TokenConfig) -> None:
    """Who waits for a worker hears at their deadline, and gives their place back."""
    async with Hsm(fake) as hsm:
        first = [asyncio.create_task(hsm.sign(KEY, b"slow")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(HsmTimeout):
            await hsm.sign(KEY, b"behind", timeout=0.05)
        assert hsm.health().pending == 2
        await asyncio.gather(*first)
