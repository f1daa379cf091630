"""The benchmark: rows of the promised shape, figures that are read where they say, and an exit status that follows."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from hsm import HsmModuleMissing
from hsm.rows import Pair, Row, row
from hsm.softhsm import find_module
from idverify.app.bench import groups
from idverify.app.bench.effort import Effort
from idverify.app.bench.growth import Point, flat, picture
from idverify.app.bench.load import Request, drive
from idverify.app.bench.private_server import binaries
from idverify.app.bench.programs import answer_of, cpu_seconds, running
from idverify.auth.cose_key import ALGORITHMS
from idverify.cli.bench import run
from idverify.cli.output import WrongUsage
from idverify.errors import IdverifyError, SetupError

TINY = Effort(
    rounds=1,
    sign_seconds=0.03,
    probe_seconds=0.01,
    requests=8,
    commits=2,
    witnessed_seconds=0.1,
    front_end_seconds=0.3,
    meanwhile_seconds=0.3,
    entries=300,
)


@pytest.fixture(scope="module")
def module() -> Path:
    """SoftHSM's module, or a skip."""
    try:
        return find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")


def require_shape(shown: Row) -> None:
    """What DESIGN promises of a row, and that its figures agree with each other."""
    assert {name: type(value) for name, value in shown.items()} == {
        "name": str,
        "rate": float,
        "unit": str,
        "limit": float,
        "limit_is": str,
        "ratio": float,
        "target": float,
        "holds": bool,
    }
    assert shown["ratio"] == pytest.approx(shown["rate"] / shown["limit"])
    assert shown["holds"] == (shown["ratio"] >= shown["target"])


@pytest.mark.softhsm
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # WeasyPrint leaves the file of its colour profile open
@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("hsm", ["HSM signs, verified", "HSM signs EdDSA, verified"]),
        (
            "status",
            [
                "status list of 1,048,576 entries signed again, both forms",
                "HTTP verify, 4 connections, while the list is signed again all the time",
            ],
        ),
        ("pdf", ["PDF render and sign, B-B", "PDF sign, B-B", "PDF validate, B-B"]),
        pytest.param(
            "letters", ["HTTP verify, 4 connections, while letters are made"], marks=pytest.mark.long, id="letters"
        ),
        (
            "http",
            ["HTTP verify with key binding", "HTTP verify without key binding", "HTTP verify 32 at once", "HTTP issue"],
        ),
    ],
)
async def test_groups_that_need_a_token(module: Path, group: str, names: list[str]) -> None:
    """One row per path that is promised, each of the promised shape; the work itself is checked while it runs."""
    rows = await groups.measure(group, TINY)

    assert [shown["name"].rpartition(", 2 workers")[0] or shown["name"].partition(", 32")[0] for shown in rows] == names
    for shown in rows:
        require_shape(shown)


async def test_ledger_group() -> None:
    """One row for each promise about the ledger, without any token."""
    rows = await groups.measure("ledger", TINY)

    kinds = ["ledger append", "ledger append, idempotency keys", "ledger append, keys and private rows"]
    assert [shown["name"] for shown in rows] == [
        "ledger append, as the log grows",
        "ledger inclusion proof, warm",
        "ledger audit, from files",
        "ledger audit, from the database",
        "ledger audit, with all rows",
        "ledger audit, memory",
        "ledger append, alone",
        *(f"{kind}, batch {size}" for kind in kinds for size in (16, 256)),
        "ledger entry to quorum checkpoint, p99",
        *(["PostgreSQL ledger append, 4 front ends"] if binaries() else []),
    ]
    for shown in rows:
        require_shape(shown)


async def test_webauthn_group() -> None:
    """Without any token: against primitives, and against what the library makes of the same answers."""
    rows = await groups.measure("webauthn", TINY)

    assert [shown["name"] for shown in rows] == [
        "WebAuthn assertion, checked",
        "WebAuthn assertion, against fido2",
        "WebAuthn registration, against fido2",
        *(["WebAuthn assertion of ML-DSA-44, checked"] if -48 in ALGORITHMS else []),
    ]
    for shown in rows:
        require_shape(shown)


async def test_qr_group() -> None:
    """By itself and on a scanned page, against the library that reads it."""
    rows = await groups.measure("qr", TINY)

    assert [shown["name"] for shown in rows] == ["QR read, 600 bytes", "QR read, 600 bytes on a scanned page"]
    for shown in rows:
        require_shape(shown)


async def test_sdjwt_group() -> None:
    """Against primitives, and against the library that the tests bring."""
    rows = await groups.measure("sdjwt", TINY)

    assert [shown["name"] for shown in rows] == [
        "SD-JWT verify",
        "SD-JWT verify with key binding",
        "SD-JWT issue, against sd-jwt",
        "SD-JWT verify, RFC 9901 alone, against sd-jwt",
        "SD-JWT verify with key binding, RFC 9901 alone, against sd-jwt",
        "SD-JWT verify, against sd-jwt",
        "SD-JWT verify with key binding, against sd-jwt",
    ]
    for shown in rows:
        require_shape(shown)


async def test_mdoc_group() -> None:
    """Issued, and verified as an issuer and as a wallet gives it."""
    rows = await groups.measure("mdoc", TINY)

    assert [shown["name"] for shown in rows] == ["mdoc issue", "mdoc verify", "mdoc verify, whole and not presented"]
    for shown in rows:
        require_shape(shown)


def test_growth_compares_its_ends_from_ten_thousand_entries_on() -> None:
    """What comes before is warming up; twice the cost at the end is half the ratio."""
    points = [Point(5_000, 900.0, 1.0), Point(10_000, 4.0, 1.0), Point(20_000, 5.0, 1.0), Point(40_000, 8.0, 1.0)]
    shown = flat(points)

    assert (shown["rate"], shown["limit"], shown["ratio"]) == (125_000, 250_000, 0.5)
    assert "at 10,000 entries; this at 40,000" in shown["limit_is"]


def test_the_picture_of_growth_is_svg() -> None:
    """Well-formed, both curves named, sizes on a logarithmic axis; an outlier does not bend a curve."""
    points = [Point(10_000 * number, 4.0, 8.0 if number != 400 else 9e9) for number in range(1, 501)]
    root = ET.fromstring(picture(points))  # noqa: S314  made right here
    lines = root.findall("{*}polyline")
    names = {text.text for text in root.findall("{*}text")}

    curves = [line.attrib["points"].split() for line in lines]
    assert 40 < len(curves[0]) == len(curves[1]) < 70
    assert {place.split(",")[1] for place in curves[0]} == {"218.0"}
    assert {"10,000", "1,000,000", "5,000,000", "10", "us per entry", "CPU, all threads and kernel"} <= names
    assert curves[0][0] == "60.0,218.0"


def test_the_middle_round_speaks() -> None:
    """One round that a neighbour disturbed, for better or worse, does not move the figure."""
    shown = row("x", "per second", "y", 0.5, [Pair(1.0, 0.9), Pair(4.0, 2.0), Pair(100.0, 1.0)])

    assert (shown["rate"], shown["limit"], shown["ratio"], shown["holds"]) == (0.25, 0.5, 0.5, True)


def fixed(*ratios: float) -> dict[str, Callable[[Effort], Awaitable[list[Row]]]]:
    async def group(_: Effort) -> list[Row]:
        return [row("work", "per second", "a limit", 0.5, [Pair(1.0, ratio)]) for ratio in ratios]

    return {"only": group}


@pytest.mark.parametrize(("ratios", "status"), [((0.5, 0.9), 0), ((0.9, 0.49), 1)])
def test_exit_status_follows_the_targets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ratios: tuple[float, ...], status: int
) -> None:
    """One missed target is enough for 1; the rows say which it was."""
    monkeypatch.setattr(groups, "GROUPS", fixed(*ratios))

    assert run(None, json=True) == status
    assert [shown["holds"] for shown in json.loads(capsys.readouterr().out)] == [ratio >= 0.5 for ratio in ratios]


def test_table_for_people(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the same rows stand in a table that says in words which target was missed."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(groups, "GROUPS", fixed(0.25))

    assert run("only", json=False) == 1
    shown = capsys.readouterr().out
    assert "0.25" in shown
    assert "NO" in shown


def test_unknown_group_is_wrong_usage() -> None:
    """A name that is no group is refused, with the names that are."""
    with pytest.raises(WrongUsage, match=", ".join(groups.GROUPS)):
        run("speed", json=True)


async def test_load_refuses_wrong_answers(tmp_path: Path) -> None:
    """Answers with another status than the work's are no measurement."""
    answer = tmp_path / "answer.json"
    answer.write_text('{"told": true}')
    async with running(tmp_path / "log", "idverify.app.bench.floor", str(answer), "seals") as bare:
        port = int(bare.announced)
        assert await drive(port, [Request("/", b"{}")] * 40, 200) == [b'{"told":true}'] * 40
        with pytest.raises(IdverifyError, match="404 instead of 200"):
            await drive(port, [Request("/elsewhere", b"{}")], 200)


async def test_programs_that_fail_say_so(tmp_path: Path) -> None:
    """A program that ends before it is ready, and one that ends with a status, are errors and not silence."""
    log = tmp_path / "log"
    with pytest.raises(SetupError, match="before it was ready"):
        async with running(log, "idverify.app.bench.floor", str(tmp_path / "absent")):
            pytest.fail("it never was ready")
    assert "absent" in log.read_text()
    with pytest.raises(SetupError, match="ended with status"):
        await answer_of("idverify.app.bench.absent", b"")


def test_cpu_of_a_process_and_its_children() -> None:
    """What this process burns is seen; a process without children is no error."""
    before = cpu_seconds(os.getpid())
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass

    assert cpu_seconds(os.getpid()) - before >= 0.015
