"""The newcomer's journey: the README's commands, run as they are printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from hsm import HsmModuleMissing
from hsm.softhsm import find_module
from idverify.core.verdict import PAPER_UNPROVEN
from tests.simulators.service import ROOT, START_SECONDS, free_port, stop

try:
    find_module()
except HsmModuleMissing as missing:
    pytest.skip(str(missing), allow_module_level=True)

README_PORT = 8080
FENCE = "-----"
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Demo:
    """A running ``up``: the folder it was started in, its port, and what it printed."""

    folder: Path
    port: int
    printed: str


def environment() -> dict[str, str]:
    """Where a checkout's own folder would make ``-m idverify`` work, here the path does."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The README's first command, on a free port; stopped as Ctrl-C stops it."""
    folder, port = tmp_path_factory.mktemp("readme"), free_port()
    command = [sys.executable, "-m", "idverify.cli", "up", "--data", "data", "--port", str(port), "--yes"]
    output = folder / "up.txt"
    with output.open("wb") as stream:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=stream, stderr=stream)
    deadline = time.monotonic() + START_SECONDS
    try:
        while "Stop with Ctrl-C." not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        yield Demo(folder, port, output.read_text())
    finally:
        stop(process)
    assert process.returncode == 0, output.read_text()


def blocks() -> list[str]:
    """The README's shell blocks that follow the two commands of the set-up."""
    set_up, *walks = SHELL_BLOCK.findall((ROOT / "README.md").read_text())
    assert set_up.split("\n")[:2] == ["python3 -m idverify up", "python3 -m idverify test"]
    return walks


def commands(text: str) -> list[list[str]]:
    """The words of each ``idverify`` command line."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [shlex.split(line) for line in map(str.strip, lines) if line.startswith("python3 -m idverify")]


def shown_answer() -> dict[str, Any]:
    """The answer that the README shows."""
    (block,) = re.findall(r"^```json\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return dict(orjson.loads(block))


def shortened(answer: dict[str, Any]) -> dict[str, Any]:
    """A real answer, cut down to what the README shows of one."""
    told = {check["id"] for check in shown_answer()["checks"]}
    checks = [{name: check[name] for name in ("id", "result", "detail")} for check in answer["checks"]]
    work = {"allowed": answer["claims"]["work"]["allowed"]}
    return {
        "verdict": answer["verdict"],
        "checks": [check for check in checks if check["id"] in told],
        "next_step": answer["next_step"],
        "claims": answer["claims"] | {"work": work},
    }


def test_up_prints_the_readmes_first_walk(demo: Demo) -> None:
    """What ``up`` tells to try is the README's walk without a browser, with its own address, keys and person."""
    data = demo.folder / "data"
    person = (data / "demo" / "people.txt").read_text().split()[0]
    ours = {
        f":{README_PORT}/": f":{demo.port}/",
        "$PERSON": person,
        "data/": f"{data}/",
        "--data data": f"--data {data}",
    }
    expected = blocks()[0]
    for in_readme, here in ours.items():
        expected = expected.replace(in_readme, here)

    assert commands(demo.printed) == [words for words in commands(expected) if "demo/people.txt" not in words]


def test_up_prints_a_link_for_each_of_the_first_two_officers(demo: Demo) -> None:
    """Two links, each with a code of its own on the service's own address, and what to do with them."""
    links = re.findall(rf"^  http://localhost:{demo.port}/enrol/([0-9A-Z-]+)$", demo.printed, re.MULTILINE)

    assert len(set(links)) == 2
    assert "good once, for 15 minutes" in demo.printed


def test_readme_commands_do_what_it_says(demo: Demo) -> None:
    """Issue, check, revoke, check again, check offline, then a letter, audit: accepted first, rejected after."""
    script = f"\necho {FENCE} $?\n".join([*blocks(), ""])
    script = script.replace("python3 -m idverify", f"{shlex.quote(sys.executable)} -m idverify.cli")
    script = script.replace(f"localhost:{README_PORT}", f"localhost:{demo.port}")
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=demo.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    parts = re.split(rf"{FENCE} (\d)\n", done.stdout)
    issued, revoked, offline, letter, audited, from_outside = parts[0:-1:2]
    statuses = parts[1::2]

    assert [line.split('"')[3] for line in done.stderr.splitlines()] == [
        "offer-credential",
        "decide",
        "decide",
        "print-letter",
    ]
    assert statuses == ["0", "0", "1", "0", "0", "0"], done.stdout
    accepted, rejected = (orjson.loads(part[part.index('{\n  "verdict"') :]) for part in (issued, revoked))
    assert accepted["verdict"] == "accept"
    assert shortened(accepted) == shown_answer()
    assert rejected["verdict"] == "reject"
    assert rejected["claims"] is None
    assert [check["id"] for check in rejected["checks"] if check["result"] == "fail"] == ["status"]
    assert "\nREJECTED\n" in offline
    assert "accept\n" in letter
    assert "\nACCEPTED\n" in letter
    assert PAPER_UNPROVEN in letter
    assert "The ledger holds:" in audited
    assert "holds" in from_outside
