"""A private PostgreSQL cluster in a scratch directory: reached by its Unix socket, stopped and removed at the end."""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from idverify.stores.schema import upgrade

PATIENCE: Final = 30.0
USER: Final = "idverify"
TEMPLATE: Final = "migrated"
# What a test does not look at is not waited for: the machine under it is not going to lose its power.
FAST: Final[Mapping[str, str]] = {"fsync": "off", "full_page_writes": "off", "min_wal_size": "2MB"}


def binaries() -> Path:
    """The directory of the newest server's programs; skips the test where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        pytest.skip("needs PostgreSQL: python3 -m idverify test installs it")
    return found[-1]


@dataclass
class Cluster:
    """One server over one directory, whose owner alone may connect."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=lambda: dict(FAST))
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What it said."""
        return self.folder / "log"

    def url(self, database: str) -> str:
        """Where a database of it is, as settings write it."""
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def make(self) -> None:
        """Lay out the data directory, with nobody but its owner let in."""
        how = ("--auth=trust", "--no-locale", "--encoding=UTF8", "--no-sync", "--wal-segsize=1")
        _run(self, "initdb", *how, f"--username={USER}")

    def start(self) -> None:
        """Start the server; returns when it answers."""
        asked = {"listen_addresses": "", "unix_socket_directories": str(self.folder), **self.settings}
        options = [word for name, value in asked.items() for word in ("-c", f"{name}={value}")]
        # Whatever ends the tests ends the server: the kernel tells it when its parent is gone.
        command = ["setpriv", "--pdeathsig", "INT", *_setpriv(), binaries() / "postgres", "-D", self.data, *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        deadline = time.monotonic() + PATIENCE
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(self.log.read_text())
            time.sleep(0.01)

    def stop(self) -> None:
        """Fast shutdown: connections are ended, nothing committed is lost."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Immediate shutdown, as after a crash of the server: the next start recovers from its log."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """As after a crash."""
        self.kill()
        self.start()

    def standby(self, of: Cluster) -> None:
        """Become a replica of another cluster, which runs."""
        command: list[Any] = ["setpriv", *_setpriv(), binaries() / "pg_basebackup", "--pgdata", self.data]
        command += ["--host", of.folder, "--username", USER, "--write-recovery-conf", "--no-sync", "--checkpoint=fast"]
        subprocess.run(command, check=True, cwd="/", timeout=PATIENCE)
        self.start()

    def sql(self, statement: str, database: str = "postgres") -> list[asyncpg.Record]:
        """What a statement answers, wherever this is called from."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self.asked(statement, database)).result()

    async def asked(self, statement: str, database: str = "postgres") -> list[asyncpg.Record]:
        """What a statement answers, on a connection of its own."""
        connection = await asyncpg.connect(self.url(database))
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def copied(self, template: str = TEMPLATE) -> str:
        """The URL of a new database, as the template is now."""
        name = f"test_{secrets.token_hex(6)}"
        await self.asked(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")  # a tenth of WAL_LOG's work
        return self.url(name)

    async def dropped(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        await self.asked(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def _is_ready(self) -> bool:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        except (OSError, IndexError):  # not yet written, or not yet all of it
            return False

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(PATIENCE)
            self.process = None


@contextmanager
def cluster(settings: Mapping[str, str] = FAST) -> Iterator[Cluster]:
    """A running cluster."""
    with empty_cluster(settings) as made:
        made.make()
        made.start()
        yield made


@contextmanager
def empty_cluster(settings: Mapping[str, str] = FAST) -> Iterator[Cluster]:
    """A cluster to be made; stopped at the end if it runs."""
    folder = Path(tempfile.mkdtemp(prefix="idverify-pg-"))
    if (owner := _owner()) is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    made = Cluster(folder, settings)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


@contextmanager
def migrated_cluster() -> Iterator[Cluster]:
    """A running cluster whose template database has our schema."""
    with cluster() as running:
        running.sql(f"CREATE DATABASE {TEMPLATE}")
        upgrade(running.url(TEMPLATE))
        yield running


def of_url(url: str) -> Cluster:
    """The cluster that a database is in."""
    return Cluster(Path(parse_qs(urlsplit(url).query)["host"][0]))


def files(url: str, folder: Path) -> list[Path]:
    """Copies in a folder of every file with something of a database in it: its tables, the write-ahead log, the log."""
    server = of_url(url)
    server.sql("CHECKPOINT")
    ((oid,),) = server.sql("SELECT oid FROM pg_database WHERE datname = current_database()", _name(url))
    for source in (server.data / "base" / str(oid), server.data / "pg_wal"):
        subprocess.run(["cp", "--recursive", source, folder], stderr=subprocess.DEVNULL, check=False)  # some may go
    shutil.copy(server.log, folder)
    return [path for path in folder.rglob("*") if path.is_file()]


def dump(url: str, file: Path) -> None:
    """A consistent copy of a database, whoever is using it."""
    subprocess.run([binaries() / "pg_dump", "--format=custom", "--file", file, url], check=True)


def restore(url: str, file: Path) -> None:
    """A copy in place of the database, which nobody has open."""
    server = of_url(url)
    server.sql(f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)")
    server.sql(f"CREATE DATABASE {_name(url)}")
    subprocess.run([binaries() / "pg_restore", "--exit-on-error", "--dbname", url, file], check=True)


@contextmanager
def dumped_and_restored(url: str, folder: Path) -> Iterator[str]:
    """A copy of a database, beside it on its server, whoever is using it."""
    server = of_url(url)
    copy = server.url(f"copy_{secrets.token_hex(6)}")
    if _is_in_use(url):  # the server would wait five seconds for everybody to leave
        dump(url, folder / "dump")
        restore(copy, folder / "dump")
    else:
        server.sql(f"CREATE DATABASE {_name(copy)} TEMPLATE {_name(url)} STRATEGY FILE_COPY")
    try:
        yield copy
    finally:
        server.sql(f"DROP DATABASE {_name(copy)} WITH (FORCE)")


def _is_in_use(url: str) -> bool:
    """Whether anybody is connected to a database."""
    ((users,),) = of_url(url).sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{_name(url)}'")  # noqa: S608  a name of ours
    return bool(users)


def _name(url: str) -> str:
    return urlsplit(url).path[1:]


def _owner() -> pwd.struct_passwd | None:
    """Whom the server runs as where these tests are root's, which it refuses: Debian's package makes the account."""
    return None if os.geteuid() else pwd.getpwnam("postgres")


def _setpriv() -> list[str]:
    if (owner := _owner()) is None:
        return []
    return ["--reuid", str(owner.pw_uid), "--regid", str(owner.pw_gid), "--clear-groups"]


def _run(on: Cluster, program: str, *arguments: str) -> None:
    command: list[Any] = ["setpriv", *_setpriv(), binaries() / program, "-D", on.data, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
