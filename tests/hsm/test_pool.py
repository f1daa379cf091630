"""Dispatch, deadlines and losses, with a worker that misbehaves on request."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from hsm import (
    Algorithm,
    Hsm,
    HsmBusy,
    HsmDecryptFailed,
    HsmError,
    HsmKeyMissing,
    HsmOutcomeUnknown,
    HsmPinRefused,
    HsmPolicy,
    HsmState,
    HsmTimeout,
    HsmUnavailable,
    TokenConfig,
)
from hsm.frames import Status
from hsm.requests import LOSSES_MAX

from .conftest import starts

KEY = b"key"


async def test_answers_go_to_their_callers(fake: TokenConfig) -> None:
    """Hundreds of concurrent requests over three workers each get their own answer."""
    messages = [b"message %d" % n for n in range(500)]
    async with Hsm(replace(fake, workers=3)) as hsm:
        assert await asyncio.gather(*(hsm.sign(KEY, message) for message in messages)) == messages


async def test_the_queue_is_bounded(fake: TokenConfig) -> None:
    """One request more than the limit is HsmBusy at once; when the others are answered there is room again."""
    async with Hsm(replace(fake, queue_limit=3)) as hsm:
        admitted = [asyncio.create_task(hsm.sign(KEY, b"slow")) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(HsmBusy, match="fewer than 3"):
            await hsm.sign(KEY, b"one too many")

        assert await asyncio.gather(*admitted) == [b"slow"] * 3
        assert await hsm.sign(KEY, b"room") == b"room"


async def test_a_deadline_ends_the_wait_and_the_late_answer_is_dropped(fake: TokenConfig) -> None:
    """The caller gets HsmTimeout; the worker's late answer confuses neither the next request nor the count."""
    async with Hsm(fake) as hsm:
        with pytest.raises(HsmTimeout, match="SIGN"):
            await hsm.sign(KEY, b"slow", timeout=0.05)

        assert hsm.health().pending == 1
        assert await hsm.sign(KEY, b"next") == b"next"
        assert (hsm.health().pending, hsm.health().restarts) == (0, 0)


async def test_a_caller_that_goes_away_disturbs_nobody(fake: TokenConfig) -> None:
    """A cancelled request leaves the others their answers."""
    async with Hsm(fake) as hsm:
        gone = asyncio.create_task(hsm.sign(KEY, b"slow"))
        await asyncio.sleep(0)
        gone.cancel()

        assert await hsm.sign(KEY, b"next") == b"next"
        assert gone.cancelled()


async def test_a_second_answer_is_ignored(fake: TokenConfig) -> None:
    """An answer to a request that has been answered changes nothing."""
    async with Hsm(fake) as hsm:
        assert await hsm.sign(KEY, b"twice") == b"twice"
        assert await hsm.sign(KEY, b"next") == b"next"


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_crash_in_mid_batch_loses_nothing(fake: TokenConfig, tmp_path: Path, workers: int) -> None:
    """Requests around one that ends the worker are all answered, that one too, by the next worker."""
    crash = b"crash once " + str(tmp_path / "crashed").encode()
    messages = [b"message %d" % n for n in range(40)]
    messages[20] = crash
    async with Hsm(replace(fake, workers=workers)) as hsm:
        assert await asyncio.gather(*(hsm.sign(KEY, message) for message in messages)) == messages
        assert await hsm.sign(KEY, b"after") == b"after"
        async with asyncio.timeout(10):  # with another worker at hand, nobody waited for the one that was started
            while hsm.health().restarts < 1:  # noqa: ASYNC110  the client tells nobody when it has restarted one
                await asyncio.sleep(0.01)
        assert hsm.health().restarts == 1


async def test_a_request_that_kills_is_given_up(fake: TokenConfig) -> None:
    """A request that ends every worker it reaches is sent three times, then fails; the token serves on."""
    async with Hsm(fake) as hsm:
        with pytest.raises(HsmUnavailable, match="got its end"):
            await hsm.sign(KEY, b"crash")

        assert await _once_up(hsm) == b"after"
    assert starts(fake) == 1 + LOSSES_MAX


@pytest.mark.parametrize("killer", [b"crash", b"status %d" % Status.SESSION_LOST])
async def test_who_stands_behind_one_that_kills_is_answered(fake: TokenConfig, killer: bytes) -> None:
    """Only the request that costs three workers is given up; none that was sent with it, read or unread."""
    behind = [b"%d" % n for n in range(40)]
    async with Hsm(fake) as hsm:
        killing = asyncio.create_task(hsm.sign(KEY, killer))
        assert await asyncio.gather(*(hsm.sign(KEY, message) for message in behind)) == behind
        with pytest.raises(HsmUnavailable):
            await killing
    assert starts(fake) == 1 + LOSSES_MAX


async def test_one_that_may_have_killed_waits_for_a_worker_of_its_own(fake: TokenConfig, tmp_path: Path) -> None:
    """With a second worker that is busy, what was in doubt is answered all the same, and costs that one nothing."""
    crash = b"crash once " + str(tmp_path / "crashed").encode()
    messages = [b"network %d" % n for n in range(20)]
    async with Hsm(replace(fake, workers=2)) as hsm:
        assert await asyncio.gather(*(hsm.sign(KEY, message) for message in [crash, *messages])) == [crash, *messages]
        assert hsm.health().restarts <= 1


async def test_a_silent_worker_is_replaced(fake: TokenConfig, tmp_path: Path) -> None:
    """A worker that hangs is killed after `hang_after`; what waited behind the hang is answered."""
    async with Hsm(replace(fake, hang_after=0.3)) as hsm:
        hung = asyncio.create_task(hsm.sign(KEY, b"hang", timeout=0.1))
        behind = asyncio.create_task(hsm.sign(KEY, b"behind"))
        with pytest.raises(HsmTimeout):
            await hung

        assert await behind == b"behind"
        assert (hsm.health().restarts, hsm.health().last_error) == (1, "HsmTimeout")


async def test_garbage_from_a_worker_ends_it(fake: TokenConfig) -> None:
    """A worker that stops speaking frames is replaced; its request is given up after three of them."""
    async with Hsm(fake) as hsm:
        with pytest.raises(HsmUnavailable):
            await hsm.sign(KEY, b"garbage")

        assert await _once_up(hsm) == b"after"


async def test_generate_is_not_repeated(fake: TokenConfig) -> None:
    """A worker that ends while it makes a key leaves the outcome unknown: nobody makes a second one."""
    async with Hsm(replace(fake, writable=True)) as hsm:
        with pytest.raises(HsmOutcomeUnknown, match="inventory"):
            await hsm.generate(Algorithm.ES256, "crash")

        assert await _once_up(hsm) == b"after"
    assert starts(fake) == 2


async def test_making_a_key_may_take_longer(fake: TokenConfig) -> None:
    """Longer than the silence for which a worker is killed, while others are answered by another worker."""
    async with Hsm(replace(fake, writable=True, workers=2, hang_after=0.2)) as hsm:
        making = asyncio.create_task(hsm.generate(Algorithm.PS256, f"slowly {Status.POLICY}"))
        await asyncio.sleep(0)
        messages = [b"%d" % n for n in range(20)]
        assert await asyncio.gather(*(hsm.sign(KEY, message) for message in messages)) == messages
        assert not making.done()
        with pytest.raises(HsmPolicy, match="as asked"):
            await making
        assert hsm.health().restarts == 0


async def test_making_a_key_takes_its_time_and_no_more(fake: TokenConfig) -> None:
    """After `generate_within` the worker is killed, and what waited for it is answered."""
    async with Hsm(replace(fake, writable=True, generate_within=0.3)) as hsm:
        making = asyncio.create_task(hsm.generate(Algorithm.PS256, "hang"))
        await asyncio.sleep(0)
        assert await hsm.sign(KEY, b"behind") == b"behind"
        with pytest.raises(HsmOutcomeUnknown):
            await making
        assert (hsm.health().restarts, hsm.health().last_error) == (1, "HsmTimeout")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (Status.POLICY, HsmPolicy),
        (Status.KEY_MISSING, HsmKeyMissing),
        (Status.DECRYPT_FAILED, HsmDecryptFailed),
    ],
)
async def test_faults_of_a_request_leave_the_worker_alone(
    fake: TokenConfig, status: Status, error: type[HsmError]
) -> None:
    """The request fails with its own error and the worker serves on."""
    async with Hsm(fake) as hsm:
        with pytest.raises(error, match="as asked"):
            await hsm.sign(KEY, b"status %d" % status)

        assert await hsm.sign(KEY, b"next") == b"next"
    assert starts(fake) == 1


async def test_a_lost_session_repeats_the_request_in_a_fresh_worker(fake: TokenConfig) -> None:
    """The request goes out three times in all, each time to a new worker, then fails."""
    async with Hsm(fake) as hsm:
        with pytest.raises(HsmUnavailable):
            await hsm.sign(KEY, b"status %d" % Status.SESSION_LOST)
        await _once_up(hsm)
    assert starts(fake) == 1 + LOSSES_MAX


async def test_a_device_failure_fails_the_request_and_replaces_the_worker(fake: TokenConfig) -> None:
    """The request is not repeated; others wait for nothing while the token is down; a fresh worker recovers it."""
    async with Hsm(fake) as hsm:
        with pytest.raises(HsmUnavailable, match="as asked"):
            await hsm.sign(KEY, b"status %d" % Status.TOKEN_DOWN)
        assert hsm.health().state is HsmState.DOWN
        with pytest.raises(HsmUnavailable, match="as asked"):
            await hsm.sign(KEY, b"meanwhile")

        assert await _once_up(hsm) == b"after"
        assert hsm.health().state is HsmState.READY
    assert starts(fake) == 2


async def test_a_refused_pin_is_tried_once_for_all_workers(fake: TokenConfig) -> None:
    """However many workers there are to be, a wrong PIN costs one attempt."""
    fake.pin_file.write_text("wrong\n")
    with pytest.raises(HsmPinRefused, match="right PIN"):
        async with Hsm(replace(fake, workers=4)):
            pytest.fail("opened with a wrong PIN")

    assert starts(fake) == 1


async def test_a_pin_refused_on_restart_is_terminal(fake: TokenConfig) -> None:
    """When the PIN changes under a running service, one attempt is made, and none after it."""
    async with Hsm(fake) as hsm:
        fake.pin_file.write_text("wrong\n")
        with pytest.raises(HsmPinRefused):
            await hsm.sign(KEY, b"crash")
        with pytest.raises(HsmPinRefused):
            await hsm.sign(KEY, b"again")

        assert (hsm.health().state, hsm.health().last_error) == (HsmState.REFUSED, "HsmPinRefused")
    assert starts(fake) == 2


async def test_workers_that_end_at_once_are_not_waited_for(fake: TokenConfig) -> None:
    """When several in turn end before their first answer, callers hear of it instead of waiting for the next."""
    fake.pin_file.write_text("dying\n")
    async with Hsm(fake) as hsm:
        while hsm.health().state is not HsmState.DOWN:
            with pytest.raises(HsmUnavailable, match=r"got its end|several in turn"):
                await hsm.sign(KEY, b"message")
        with pytest.raises(HsmUnavailable, match="several in turn"):
            await hsm.sign(KEY, b"message")

        fake.pin_file.write_text("right\n")
        assert await _once_up(hsm) == b"after"


async def test_closing_fails_what_is_pending(fake: TokenConfig) -> None:
    """Leaving the context answers every caller, and later ones are told to open it."""
    async with Hsm(fake) as hsm:
        pending = asyncio.create_task(hsm.sign(KEY, b"slow"))
        await asyncio.sleep(0)
    with pytest.raises(HsmUnavailable, match="closed"):
        await pending
    with pytest.raises(HsmUnavailable, match="async with"):
        await hsm.sign(KEY, b"later")

    assert hsm.health().state is HsmState.CLOSED


async def _once_up(hsm: Hsm) -> bytes:
    """Sign once the token serves again."""
    while True:
        try:
            return await hsm.sign(KEY, b"after")
        except HsmUnavailable:
            await asyncio.sleep(0.02)
