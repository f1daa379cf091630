"""Who may wait, and who is served next: one bounded queue per class of callers.

1. Every class has places set aside that nobody else takes, and shares the rest with the others: callers of one class,
   however many, never keep those of another out.
2. The higher class is served first. Every eighth turn belongs to whoever has waited longest, whatever their class, so
   that nobody waits for ever.
3. Within a class it goes by age. What a lost worker gives back keeps its age: it goes before whatever came later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsm.requests import Request


class Priority(IntEnum):
    """Classes of callers, the most urgent first."""

    HIGH = 0
    NORMAL = 1
    LOW = 2
    BACKGROUND = 3  # nobody waits for it


SET_ASIDE = {Priority.HIGH: 4, Priority.NORMAL: 4, Priority.LOW: 8, Priority.BACKGROUND: 16}
"""The share of all places that each class has for itself: one in so many."""

OLDEST_EVERY = 8
"""The turn that goes to whoever has waited longest."""


class Admission:
    """The places, and the queues of those that no worker has room for yet."""

    def __init__(self, limit: int) -> None:
        self._queues: tuple[deque[Request], ...] = tuple(deque() for _ in Priority)
        self._own = [limit // SET_ASIDE[priority] for priority in Priority]
        self._taken = [0] * len(Priority)
        self._shared = limit - sum(self._own)  # places that belong to no class and are free
        self._turn = 0
        self.waiting = 0  # how many wait here for a worker

    @property
    def admitted(self) -> int:
        """How many requests have a place: they wait here, or are with a worker."""
        return sum(self._taken)

    def enter(self, priority: Priority) -> bool:
        """Take a place; False when those of this class and the shared ones are taken."""
        if self._taken[priority] >= self._own[priority]:
            if not self._shared:
                return False
            self._shared -= 1
        self._taken[priority] += 1
        return True

    def leave(self, request: Request) -> None:
        """Give back the place of a request that is over."""
        self.leave_all((request,))

    def leave_all(self, requests: Iterable[Request]) -> None:
        """Give back the places of those that are over."""
        taken, own = self._taken, self._own
        for request in requests:
            priority = request.priority
            taken[priority] -= 1
            if taken[priority] >= own[priority]:
                self._shared += 1

    def wait(self, request: Request) -> None:
        """Stand at the end of the queue of its class."""
        self._queues[request.priority].append(request)
        self.waiting += 1

    def wait_again(self, requests: Iterable[Request]) -> None:
        """Stand where they stood: before whatever is younger."""
        for request in requests:
            self.wait(request)
        for queue in self._queues:
            by_age = sorted(queue, key=_age)
            queue.clear()
            queue.extend(by_age)

    def next(self) -> Request | None:
        """Who is to be served now, None when nobody waits. It keeps its place until it `leave`s."""
        if not self.waiting:
            return None
        self.waiting -= 1
        self._turn += 1
        queues = (queue for queue in self._queues if queue)
        if self._turn % OLDEST_EVERY:
            return next(queues).popleft()
        return min(queues, key=lambda queue: queue[0].id).popleft()

    def put_back(self, request: Request) -> None:
        """It could not be served after all: everything is as before `next` gave it out."""
        self._queues[request.priority].appendleft(request)
        self._turn -= 1
        self.waiting += 1

    def drop_settled(self) -> None:
        """Let those go that have been answered, by their deadline or because their caller went away."""
        for queue in self._queues:
            waiting = list(queue)
            queue.clear()
            for request in waiting:
                if request.future.done():
                    self.waiting -= 1
                    self.leave(request)
                else:
                    queue.append(request)

    def drain(self) -> list[Request]:
        """All that wait, oldest first; they keep their places until they `leave`."""
        waiting = sorted(self, key=_age)
        for queue in self._queues:
            queue.clear()
        self.waiting = 0
        return waiting

    def __iter__(self) -> Iterator[Request]:
        """Those that wait, in no promised order."""
        for queue in self._queues:
            yield from queue


def _age(request: Request) -> int:
    return request.id
