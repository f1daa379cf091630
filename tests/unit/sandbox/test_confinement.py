"""What a worker may do once it is confined: next to nothing."""

from __future__ import annotations

import asyncio
import struct
import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest

from idverify.errors import Unavailable
from idverify.sandbox import filter as filter_module
from idverify.sandbox import landlock, syscalls
from idverify.sandbox.jobs import Pool
from idverify.sandbox.workers import Workers, open_workers

from . import bad_jobs
from .conftest import HERE

REFUSED = {"no resolver", "EPERM", "EACCES", "can't start new thread"}
PASSED_ON = {
    *("", "FONTCONFIG_FILE", "FONTCONFIG_PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "XDG_CACHE_HOME"),
    "LC_CTYPE",  # Python's own
}
PACKAGE = Path(landlock.__file__).read_bytes()
NEEDS_LANDLOCK = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
OPEN_TO_ANYBODY = (
    *("tcp", "udp", "netlink", "socketpair", "spawn", "thread", "kill the service", "executable memory"),
    *("read the service's memory", "own memory", "password file", "folder"),
)


@pytest.mark.parametrize("way", bad_jobs.ESCAPES)
async def test_there_is_no_way_out(workers: Workers, way: str) -> None:
    """From either pool: no network, no other program, process or thread, nothing written, no other's memory."""
    for pool in ("reading", "making"):
        assert await workers.do(f"{pool} escape", {"way": way}) in REFUSED


@NEEDS_LANDLOCK
@pytest.mark.parametrize("way", bad_jobs.OPENING)
async def test_nothing_is_read_that_is_no_font_or_program(workers: Workers, way: str) -> None:
    """Not even what everybody may read: in one pool because nothing is opened, in the other because of Landlock."""
    for pool in ("reading", "making"):
        assert await workers.do(f"{pool} escape", {"way": way}) in REFUSED


@pytest.mark.parametrize("way", bad_jobs.READING_ALONE)
async def test_what_reads_documents_has_less_still(workers: Workers, way: str) -> None:
    """What fonts need, hostile bytes have no use for."""
    assert await workers.do("reading escape", {"way": way}) in REFUSED


def test_the_ways_are_open_to_others() -> None:
    """Outside a worker the same attempts succeed for any user, so their refusal says something."""
    tried = "import bad_jobs, sys; print(*map(bad_jobs.escape, sys.argv[1:]), sep='\\n')"
    environment = {"PYTHONPATH": str(Path(landlock.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", tried, *OPEN_TO_ANYBODY],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    outcomes = dict(zip(OPEN_TO_ANYBODY, done.stdout.splitlines(), strict=True))
    assert {way for way, outcome in outcomes.items() if outcome != "escaped"} <= {"tcp"}
    assert outcomes["tcp"] == "ECONNREFUSED"


@NEEDS_LANDLOCK
async def test_what_makes_documents_reads_fonts_and_nothing_else(workers: Workers, tmp_path: Path) -> None:
    """The files of the package can be read; a database or a PIN beside it cannot, where the kernel has Landlock."""
    secret, package = tmp_path / "pin", Path(landlock.__file__)
    await asyncio.to_thread(secret.write_text, "1234")

    assert await workers.do("making read file", {"path": str(package)}) == PACKAGE
    with pytest.raises(Unavailable):
        await workers.do("making read file", {"path": str(secret)})


@NEEDS_LANDLOCK
async def test_a_confined_worker_renders_letters(bad_jobs: str, tmp_path: Path) -> None:
    """Pango finds its fonts, in threads and files; a file that the text names is not in the letter."""
    del bad_jobs  # which makes this folder importable
    secret = tmp_path / "secret.svg"
    await asyncio.to_thread(secret.write_text, "<svg xmlns='http://www.w3.org/2000/svg'><text>1234</text></svg>")
    async with open_workers(1, "rendering:JOBS") as workers:
        said = [text_of(await workers.do("render", {"file": file})) for file in ("", "", str(secret))]

    assert all("Your status" in text and "Привет" in text for text in said)
    assert "1234" not in said[2]


async def test_how_a_worker_stands(workers: Workers) -> None:
    """As the kernel tells it: filtered, without new privileges, without files but its socket, and the first to go."""
    for pool in ("reading", "making"):
        pid = await workers.do(f"{pool} pid", {})
        status, files, environment = stands(pid)

        assert (status["NoNewPrivs"], status["Seccomp"], status["Threads"]) == ("1", "2", "1")
        assert status["oom_score_adj"] == "1000"
        assert files == {"/dev/null", "socket"}
        assert environment <= PASSED_ON


async def test_a_kernel_without_landlock_is_told_of(
    bad_jobs: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Documents are made all the same, and the log says what is missing; reading needs none."""
    del bad_jobs  # which makes this folder importable
    monkeypatch.setattr(landlock, "version", landlock.version)  # the table sets it, here too
    async with open_workers(1, "without_landlock:JOBS") as workers:
        for pool in ("reading", "making"):
            assert await workers.do(f"{pool} echo", {"value": 1}) == 1

    told = [line for line in capsys.readouterr().out.splitlines() if "sandbox_without_landlock" in line]
    assert len(told) == 1
    assert "making" in told[0]


@pytest.mark.parametrize("machine", syscalls.MACHINES)
@pytest.mark.parametrize("pool", Pool)
def test_the_filter_as_the_kernel_reads_it(machine: str, pool: Pool) -> None:
    """Every number of the tables is allowed, every other refused; another machine's numbers end the process."""
    program = filter_module.program(pool, machine)
    known = syscalls.MACHINES[machine]
    allowed = set(syscalls.ALWAYS) | set(syscalls.PROTECTIONS) | set(syscalls.SENDING)
    tables = [syscalls.ALWAYS, syscalls.PROTECTIONS, syscalls.SENDING, syscalls.FILES, syscalls.THREADS]
    numbers = {name: row[known.column] for table in tables for name, row in table.items()}
    numbers |= {name: row[0][known.column] for name, row in syscalls.OPENING.items()}
    if pool is Pool.MAKING:
        allowed |= set(syscalls.FILES) | set(syscalls.OPENING) | set(syscalls.THREADS)
    expected = {numbers[name] for name in allowed}

    for number in range(512):
        outcome = "allow" if number in expected else "refuse"
        if pool is Pool.MAKING and number == 435:
            outcome = "absent"  # clone3, so that glibc asks for clone instead
        assert run(program, known.audit, number, [0] * 6) == outcome, number
    assert run(program, 0x4000_0003, 0, [0] * 6) == "kill"


@pytest.mark.parametrize(
    ("name", "arguments", "outcome"),
    [
        ("mmap", [0, 4096, 3, 0x22, -1, 0], "allow"),
        ("mmap", [0, 4096, 7, 0x22, -1, 0], "refuse"),
        ("mprotect", [0, 4096, 4, 0, 0, 0], "refuse"),
        ("clone", [0x3D0F00, 0, 0, 0, 0, 0], "allow"),  # as pthread_create asks for it
        ("clone", [0x1200011, 0, 0, 0, 0, 0], "refuse"),  # fork
        ("clone", [0x4111, 0, 0, 0, 0, 0], "refuse"),  # posix_spawn
        *(("clone", [0x3D0F00 | 1 << bit, 0, 0, 0, 0, 0], "refuse") for bit in (7, 17, 25, 26, 27, 28, 29, 30)),
        ("sendto", [3, 0, 9, 0, 0, 0], "allow"),
        ("sendto", [3, 0, 9, 0, 0x7FFF_0000_0000, 16], "refuse"),
        ("sendto", [3, 0, 9, 0, 1, 16], "refuse"),
        ("openat", [-100, 0, 0o2000000, 0, 0, 0], "allow"),
        ("openat", [-100, 0, 0o1, 0, 0, 0], "refuse"),
        ("openat", [-100, 0, 0o2, 0, 0, 0], "refuse"),
        ("openat", [-100, 0, 0o100, 0o600, 0, 0], "refuse"),
        ("openat", [-100, 0, 0o1000, 0, 0, 0], "refuse"),
        ("openat", [-100, 0, 0o20200000, 0, 0, 0], "refuse"),
    ],
)
def test_arguments_are_looked_at(name: str, arguments: list[int], outcome: str) -> None:
    """Files are opened to be read, memory holds no new code, and nothing is sent to an address."""
    machine = syscalls.MACHINES["x86_64"]
    numbers = {**syscalls.PROTECTIONS, **syscalls.SENDING, **syscalls.CLONING, "openat": syscalls.OPENING["openat"][0]}

    assert run(filter_module.program(Pool.MAKING, "x86_64"), machine.audit, numbers[name][0], arguments) == outcome


def test_a_machine_that_is_not_known_has_no_workers() -> None:
    """Better none than one that is not confined."""
    with pytest.raises(OSError, match="x86_64 and aarch64"):
        filter_module.program(Pool.READING, "riscv64")


def text_of(pdf: bytes) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        text = document[0].get_textpage().get_text_bounded()
    assert isinstance(text, str)
    return text


def stands(pid: int) -> tuple[dict[str, str], set[str], set[str]]:
    """What the kernel shows of a process: its status, the kinds of its open files, and the names in its environment."""
    proc = Path(f"/proc/{pid}")
    lines = (line.partition(":") for line in (proc / "status").read_text().splitlines())
    status = {name: value.strip() for name, _, value in lines}
    status["oom_score_adj"] = (proc / "oom_score_adj").read_text().strip()
    files = {link.readlink().as_posix().partition(":")[0] for link in (proc / "fd").iterdir()}
    entries = (proc / "environ").read_bytes().split(b"\0")
    return status, files, {entry.partition(b"=")[0].decode() for entry in entries}


def run(program: bytes, audit: int, number: int, arguments: list[int]) -> str:
    """What the filter says of a call, by the rules of the packet filter: loads, jumps forward, returns."""
    data = struct.pack("=iIQ6Q", number, audit, 0, *(argument % 2**64 for argument in arguments))
    instructions = list(struct.iter_unpack("=HBBI", program))
    place = held = 0
    while True:
        code, if_true, if_false, k = instructions[place]
        place += 1
        match code:
            case 0x20:
                (held,) = struct.unpack_from("=I", data, k)
            case 0x15:
                place += if_true if held == k else if_false
            case 0x45:
                place += if_true if held & k else if_false
            case 0x06:
                return {0x7FFF_0000: "allow", 0x0005_0001: "refuse", 0x0005_0026: "absent", 0x8000_0000: "kill"}[k]
            case _:
                raise AssertionError(f"an instruction that the filter has no use for: {code:#x}")
