"""Errors are made when they happen."""

from __future__ import annotations

import ast
from pathlib import Path

import hsm.errors
import idverify.errors
import idverify.ledger.errors

ROOT = Path(__file__).resolve().parents[2]
ERRORS = {
    name
    for module in (hsm.errors, idverify.errors, idverify.ledger.errors)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, Exception)
}


def test_no_error_is_made_before_it_happens() -> None:
    """An error object that is raised twice keeps every traceback, and with them what the frames held."""
    found = [
        f"{path.relative_to(ROOT)}:{statement.lineno}"
        for package in ("hsm", "idverify")
        for path in sorted((ROOT / package).rglob("*.py"))
        for statement in ast.parse(path.read_text()).body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        if isinstance(statement.value, ast.Call) and isinstance(statement.value.func, ast.Name)
        if statement.value.func.id in ERRORS
    ]

    assert found == []
