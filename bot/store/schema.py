"""What a database on a server is, and the way to the newest schema: by one program at a time, all of it or nothing."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from bot.store import StoreRefused, StoreUnavailable
from bot.store.migrations import REVISIONS, bring_to_head, head
from bot.store.postgres import conninfo, shown, told
from bot.store.tables import metadata

log = logging.getLogger(__name__)

VERSION_LEAST = 14  # The first that ends a session which is idle too long.
LOCK_SECONDS_MAX = 2  # So long may others stand behind us while we wait for a table.
LOCK_PAUSE_SECONDS = 1.0
LOCK_TRIES_MAX = 60  # Three minutes: a backup, or another replica's migration, ends by then.
MIGRATION_TURN = 0x4D4D4947  # The advisory lock of whoever brings the schema on.
RESTORE = "Restore the last backup into an empty database: python3 run.py restore PATH"


async def current(url: str) -> str | None:
    """The revision of the database, or None when it is empty; StoreRefused when it is not ours to use."""
    return await asyncio.to_thread(_look, url)


async def upgrade(url: str) -> None:
    """Makes our tables, or brings them to the newest schema in one transaction; others wait, and find it done."""
    await asyncio.to_thread(bring_on, url)


def bring_on(url: str) -> None:
    """The same, for whoever has no loop.

    Replicas of the version before go on working meanwhile. Whoever waits for a table's lock holds up all who come
    after, so we never wait long for one: we step back, and try again."""
    for tries in range(1, LOCK_TRIES_MAX + 1):
        try:
            with _connected(url) as connection:
                _bring_on(url, connection)
            return
        except StoreUnavailable as error:
            cause = error.__cause__
            is_held = isinstance(getattr(cause, "orig", cause), psycopg.errors.LockNotAvailable)
            if not is_held or tries == LOCK_TRIES_MAX:
                raise
            log.warning("The schema waits for somebody who holds a table: %s", error)
            threading.Event().wait(LOCK_PAUSE_SECONDS)


def _bring_on(url: str, connection: Connection) -> None:
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'"))
    connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_TURN})"))
    found = _revision(url, connection)
    if found != head():
        bring_to_head(connection)
        log.info("%s was brought from schema %s to %s", shown(url), found or "none", head())
    connection.commit()


def _look(url: str) -> str | None:
    with _connected(url) as connection:
        return _revision(url, connection)


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo(url)), poolclass=NullPool
    )
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise told(error.orig or error) from error
    except psycopg.Error as error:
        raise told(error) from error
    finally:
        engine.dispose()


def _revision(url: str, connection: Connection) -> str | None:
    place = shown(url)
    version, encoding, is_standby = connection.execute(
        text(
            "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), pg_is_in_recovery()"
        )
    ).one()
    if version // 10_000 < VERSION_LEAST:
        raise StoreRefused(
            f"{place} is PostgreSQL {version // 10_000}: the desk needs {VERSION_LEAST} or newer."
        )
    if encoding != "UTF8":
        raise StoreRefused(f"{place} keeps text as {encoding}: make the database with ENCODING 'UTF8'.")
    if is_standby:
        raise StoreRefused(f"{place} is a standby that only reads: name the primary in database.url.")
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    ours = {table.name for table in metadata.tables.values()}
    if "alembic_version" not in tables or not ours & tables:
        raise StoreRefused(
            f"{place} is a database, but not this desk's. Name another, empty one in database.url."
        )
    found = list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())
    if len(found) != 1 or found[0] not in REVISIONS:
        raise StoreRefused(
            f"{place} has the schema {', '.join(found) or 'none'}, which this program (schema {head()}) does not know. "
            "Start the newer program that made it."
        )
    if found[0] == head():
        _check_columns(place, connection)
    return str(found[0])


def _check_columns(place: str, connection: Connection) -> None:
    """A database of an unreleased version names our revision and has other columns."""
    rows = connection.execute(
        text(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() "
            "ORDER BY table_name, ordinal_position"
        )
    )
    found: dict[str, list[str]] = {}
    for table, column in rows:
        found.setdefault(table, []).append(column)
    for kind in metadata.tables.values():
        wanted = [column.name for column in kind.columns]
        if found.get(kind.name, [])[: len(wanted)] != wanted:
            raise StoreRefused(
                f"{place} was made by an unreleased version: its table {kind.name} is another. {RESTORE}, "
                "or name an empty database."
            )
