"""Processes die and fail between any two calls, backups come back, witnesses are cut off: the log stays one log."""

from __future__ import annotations

import asyncio
import secrets
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from idverify.stores.sqlite import SqliteStore
from tests.simulators.fork_machines import GuardsApartMachine, InMemoryMachine, InSqliteMachine, WitnessedMachine
from tests.unit.stores.conftest import FixedClock, sqlite

STEPS = 40
FEW = {"in memory": 80, "guards apart": 40, "witnessed": 60, "in SQLite": 12}
"""Trials of a run that must not take minutes, with a seed that does not change."""
MANY = {"in memory": 1000, "guards apart": 1000, "witnessed": 1000, "in SQLite": 300}


class SqliteMachine(InSqliteMachine):
    """Over the driver as services have it."""

    @staticmethod
    def make_database(path: Path) -> None:
        """An empty log in a new file."""
        asyncio.run(sqlite(path.parent))

    @staticmethod
    def open_store(path: Path) -> SqliteStore:
        """As a process does."""
        return SqliteStore(path, FixedClock())


MACHINES = {
    "in memory": InMemoryMachine,
    "guards apart": GuardsApartMachine,
    "witnessed": WitnessedMachine,
    "in SQLite": SqliteMachine,
}


def play(machine: type[RuleBasedStateMachine], trials: int, number: int, *, shrink: bool = True) -> None:
    """So many trials from a seed; what breaks the promise is shown as the shortest way to it."""
    run_state_machine_as_test(
        seed(number)(machine),
        settings=settings(
            max_examples=trials,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        ),
    )


@pytest.mark.parametrize("name", MACHINES)
def test_the_log_never_forks(name: str) -> None:
    """A few trials, from a seed that does not change; what fails is printed as the rules that were played."""
    play(MACHINES[name], FEW[name], 1)


@pytest.mark.long
@pytest.mark.parametrize("name", MACHINES)
def test_the_log_never_forks_in_a_thousand_trials(name: str) -> None:
    """From a seed that is printed: no fork, and nothing acknowledged is lost."""
    number = secrets.randbits(32)
    sys.stdout.write(f"seed {number}\n")
    play(MACHINES[name], MANY[name], number)
