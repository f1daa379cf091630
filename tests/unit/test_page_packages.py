"""What npm installs for pages and for their tests: planned, installed and stamped, with a recorded npm and uv."""

from __future__ import annotations

from pathlib import Path

import pytest

from idverify.errors import SetupError
from idverify.page_packages import FRONTEND, INTEROP, NODE_LOCK, plan_packages
from idverify.prerequisites import Checkout

STANDS_IN = 'echo {name} "$@" >> {root}/notes\n{script}\n'


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout with its locks and nothing installed, on a machine whose PATH is one empty folder."""
    for folder in (FRONTEND, INTEROP):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "package-lock.json").write_text("{}")
    (tmp_path / NODE_LOCK).write_text("")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return Checkout(tmp_path)


def make_tool(checkout: Checkout, name: str, script: str) -> None:
    """Put a tool on PATH that notes its arguments, then runs the script."""
    tool = checkout.root / "bin" / name
    tool.write_text("#!/bin/sh\n" + STANDS_IN.format(name=name, root=checkout.root, script=script))
    tool.chmod(0o755)


def make_npm(checkout: Checkout) -> None:
    """An npm that makes `node_modules` afresh, in the folder that its third argument names."""
    make_tool(checkout, "npm", 'PATH=/usr/bin:/bin; rm -rf "$3/node_modules"; mkdir "$3/node_modules"')


def notes(checkout: Checkout) -> list[str]:
    return (checkout.root / "notes").read_text().splitlines()


def install(checkout: Checkout, *, tests: bool) -> None:
    for step in plan_packages(checkout, tests=tests):
        step.carry_out()


def test_the_machines_npm_installs_the_lock_and_runs_nothing(checkout: Checkout) -> None:
    """One step, with no script of any package and no development package; then there is nothing left to do."""
    make_npm(checkout)

    (step,) = plan_packages(checkout, tests=False)
    step.carry_out()

    assert step.line == f"install {FRONTEND}/package-lock.json with npm, every file checked against its hash"
    assert notes(checkout) == [f"npm ci --prefix {checkout.root / FRONTEND} --ignore-scripts --omit=dev"]
    assert plan_packages(checkout, tests=False) == []


def test_what_tests_need_also_runs_the_product(checkout: Checkout) -> None:
    """Pages' packages do not satisfy the tests; the tests' satisfy both, and a folder more is installed for them."""
    make_npm(checkout)

    install(checkout, tests=False)
    assert len(plan_packages(checkout, tests=True)) == 2
    install(checkout, tests=True)

    for line, folder in zip(notes(checkout)[-2:], (FRONTEND, INTEROP), strict=True):
        assert line == f"npm ci --prefix {checkout.root / folder} --ignore-scripts --include=dev"
    assert plan_packages(checkout, tests=True) == plan_packages(checkout, tests=False) == []


def test_without_npm_it_comes_with_the_pinned_node(checkout: Checkout) -> None:
    """Where there is no npm, Node.js is installed into `.venv` by its lock, and its npm does the work, once."""
    (checkout.venv / "bin").mkdir(parents=True)
    checkout.python.symlink_to("/usr/bin/env")
    make_npm(checkout)
    npm = (checkout.root / "bin" / "npm").rename(checkout.root / "npm")
    make_tool(checkout, "uv", f"/bin/mv {npm} {checkout.venv / 'bin'}")

    (step,) = plan_packages(checkout, tests=False)
    step.carry_out()
    install(checkout, tests=True)

    assert f"(from {NODE_LOCK}: about 60 MB, as there is none here)" in step.line
    assert [line.split()[0] for line in notes(checkout)] == ["uv", "npm", "npm", "npm"]
    assert notes(checkout)[0].endswith(
        f"--require-hashes --only-binary :all: --requirement {checkout.root / NODE_LOCK}"
    )


def test_a_changed_lock_and_an_unfinished_installation_are_planned_again(checkout: Checkout) -> None:
    """The stamp goes with `node_modules`, names the lock, and is written after all else."""
    make_npm(checkout)
    install(checkout, tests=False)

    (checkout.root / FRONTEND / "package-lock.json").write_text('{"changed": true}')
    assert len(plan_packages(checkout, tests=False)) == 1

    make_tool(checkout, "npm", "echo EINTEGRITY; exit 1")
    with pytest.raises(SetupError, match=r"npm ci .* failed; the lines above say why.* remove .*node_modules"):
        install(checkout, tests=False)
    assert len(plan_packages(checkout, tests=False)) == 1
