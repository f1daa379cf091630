"""The runner of every check: what it prints, what it runs, and when it fails."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

RUNNER = Path(__file__).parent.parent / "run.py"


@pytest.fixture
def runner(tmp_path: Path) -> ModuleType:
    """The runner over a project of one passing test, with one check that passes and one that does not."""
    spec = spec_from_file_location("runner", RUNNER)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "test_one.py").write_text("def test_one():\n    assert True\n")
    good, bad = [sys.executable, "-c", "print('quiet')"], [sys.executable, "-c", "exit('line 3 is wrong')"]
    vars(module).update(ROOT=tmp_path, CHECKS={"bad": bad, "good": good})
    return module


def test_every_check_runs_and_one_failure_fails_all(runner: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    """A failed check shows why, the rest still run, pytest speaks last, side by side, and the status is not 0."""
    status = runner.main(["--yes"])

    lines = capfd.readouterr().out.splitlines()
    assert status == 1
    assert lines[0].startswith("bad     FAILED in ")
    assert lines[1] == "line 3 is wrong"
    assert lines[2].startswith("good    passed in ")
    assert any("workers [1 item]" in line for line in lines)
    assert "1 passed" in lines[-1]


def test_pytest_arguments_mean_only_pytest(runner: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    """With arguments for pytest, after `--` or not, the checks of the source stay out, and one process does it all."""
    status = runner.main(["--yes", "--", "--collect-only", "-q"])

    out = capfd.readouterr().out
    assert status == 0
    assert "test_one.py::test_one" in out
    assert "FAILED" not in out
    assert "workers" not in out


def test_the_status_of_pytest_is_kept(runner: ModuleType, tmp_path: Path) -> None:
    """Failing tests fail the run with pytest's own status, though every check passed."""
    (tmp_path / "test_one.py").write_text("def test_one():\n    assert False\n")
    runner.CHECKS.pop("bad")

    assert runner.main([]) == 1
