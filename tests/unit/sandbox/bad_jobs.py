"""Jobs that go wrong on purpose: what workers must survive, and what a worker that is taken over would try."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from idverify.errors import DocumentError
from idverify.sandbox.jobs import Job, Pool

SERVICE: Final = os.getppid()
MiB: Final = 1024 * 1024


def echo(value: Any = None) -> Any:
    return value


def pid() -> int:
    return os.getpid()


def nap(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def spin() -> None:
    while True:
        pass


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def hog() -> int:
    return len(bytearray(1 << 40))


def hog_in_steps() -> int:
    kept = []
    while True:
        kept.append(bytearray(16 * MiB))


def crash() -> None:
    ctypes.string_at(0)


def leave() -> None:
    os._exit(3)


def long_answer() -> bytes:
    return bytes(4 * MiB)


def refuse(sentence: str) -> None:
    raise DocumentError("some-rule", sentence)


def fail(secret: str) -> None:
    raise LookupError(secret)


def wrong_shape() -> str:
    return "not a number"


def deep() -> Any:
    value: Any = 0
    for _ in range(100):
        value = [value]
    return value


def raw(data: bytes) -> None:
    """Write to the socket oneself, as a worker that is taken over could, and never answer."""
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, data)
        except OSError:
            continue
        break
    time.sleep(60)


def _tcp() -> None:
    socket.socket().connect(("127.0.0.1", 9))


def _udp() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))


def _netlink() -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)


def _pair() -> None:
    socket.socketpair()


def _resolve() -> None:
    socket.getaddrinfo(b"localhost", 80)


def _thread() -> None:
    threading.Thread(target=int).start()


def _executable_memory() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


def _call(number: int, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno(), "syscall")


def _read_own_memory() -> None:
    Path("/proc/self/mem").open("rb")  # noqa: SIM115  it must fail


ESCAPES: Final[Mapping[str, Callable[[], Any]]] = {
    "tcp": _tcp,
    "udp": _udp,
    "netlink": _netlink,
    "socketpair": _pair,
    "resolve": _resolve,
    "fork": os.fork,
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "execute": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606  it must fail
    "write a file": lambda: Path("/dev/shm/escaped").write_text("x"),  # noqa: S108  it must fail
    "append to a file": lambda: os.open("/etc/hostname", os.O_WRONLY | os.O_APPEND),
    "remove a file": lambda: Path("/dev/shm/victim").unlink(),  # noqa: S108  likewise
    "make a folder": lambda: Path("/dev/shm/escaped").mkdir(),  # noqa: S108  likewise
    "kill the service": lambda: os.kill(SERVICE, 0),
    "raise own limits": lambda: _call(160, 9, 0),
    "executable memory": _executable_memory,
    "trace": lambda: _call(101, 0, SERVICE, 0, 0),
    "read the service's memory": lambda: _call(310, SERVICE, 0, 0, 0, 0, 0),
    "new namespace": lambda: _call(272, 0x4000_0000),
    "io_uring": lambda: _call(425, 1, 0),
    "bpf": lambda: _call(321, 0, 0, 0),
    "own memory": _read_own_memory,
}

READING_ALONE: Final[Mapping[str, Callable[[], Any]]] = {"thread": _thread, "folder": lambda: list(Path("/").iterdir())}
OPENING: Final[Mapping[str, Callable[[], Any]]] = {
    "password file": lambda: Path("/etc/passwd").read_bytes(),
    "environment of the service": lambda: Path(f"/proc/{SERVICE}/environ").read_bytes(),
}


def escape(way: str) -> str:
    """How an attempt ended: the error's name, or ``escaped``."""
    try:
        (ESCAPES | OPENING | READING_ALONE)[way]()  # type: ignore[operator]
    except socket.gaierror:
        return "no resolver"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, repr(error))
    except RuntimeError as error:
        return str(error)
    return "escaped"


def read_file(path: str) -> bytes:
    return Path(path).read_bytes()


def _jobs(pool: Pool) -> dict[str, Job]:
    """Each of them in both pools, told apart by a prefix."""

    def job(function: Callable[..., Any], answer: Any, wall: float = 10.0, longest: int = MiB) -> Job:
        return Job(pool, f"{__name__}:{function.__name__}", 1, wall, 512 * MiB, longest, answer)

    jobs = {
        "echo": job(echo, Any, longest=24 * MiB),
        "pid": job(pid, int),
        "nap": job(nap, int),
        "hang": job(nap, int, wall=0.5),
        "spin": job(spin, None, wall=120.0),
        "spin long": Job(pool, f"{__name__}:spin", 60, 60.0, 512 * MiB, MiB, None),
        "burn": job(burn, None, wall=120.0),
        "hog": job(hog, int),
        "hog in steps": job(hog_in_steps, int),
        "crash": job(crash, None),
        "leave": job(leave, None),
        "long answer": job(long_answer, bytes),
        "refuse": job(refuse, None),
        "fail": job(fail, None),
        "wrong shape": job(wrong_shape, int),
        "deep": job(deep, Any),
        "raw": job(raw, None, wall=2.0),
        "escape": job(escape, str),
        "read file": job(read_file, bytes),
    }
    return {f"{pool.value} {name}": one for name, one in jobs.items()}


JOBS: Final[Mapping[str, Job]] = _jobs(Pool.READING) | _jobs(Pool.MAKING)
