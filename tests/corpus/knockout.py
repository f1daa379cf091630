"""Rules switched off one by one: what each alone refuses must then be accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from idverify.core.verdict import CheckId


class Step(NamedTuple):
    """One rule in one table of one module; ``key`` when the table is a mapping of tables."""

    module: ModuleType
    table: str
    rule: str
    key: CheckId | None = None

    def __str__(self) -> str:
        return f"{self.module.__name__.rpartition('.')[2]}.{self.table}.{self.rule}"


def steps(tables: Iterable[tuple[ModuleType, str]]) -> Iterator[Step]:
    """Every rule of every table; a table is a tuple of rules, or a mapping of checks to such tuples."""
    for module, name in tables:
        table = getattr(module, name)
        for key, rules in table.items() if isinstance(table, Mapping) else [(None, table)]:
            yield from (Step(module, name, rule.__name__, key) for rule in rules)


def switch_off(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one rule out of its table."""

    def without(rules: tuple[Callable[..., Any], ...]) -> tuple[Callable[..., Any], ...]:
        return tuple(rule for rule in rules if rule.__name__ != step.rule)

    table = getattr(step.module, step.table)
    changed = without(table) if step.key is None else {**table, step.key: without(table[step.key])}
    monkeypatch.setattr(step.module, step.table, changed)
