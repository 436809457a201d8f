"""The schema: the revisions say what the tables say, and a migration is done whole or not at all."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from bot.store.files import current, upgrade
from bot.store.migrations import FOLDER, REVISIONS, head
from bot.store.sql import Database
from bot.store.tables import metadata
from roster.model import Officer
from tests.bot.store.conftest import url
from tests.bot.store.samples import officer
from tests.next_version import REVISION, write_revisions

# Migrates, and is killed before the statement with the given number.
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from bot.store import files
from bot.store.migrations import bring_to_head

url, left, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])

@event.listens_for(Engine, "before_cursor_execute")
def count_down(connection, cursor, statement, *_):
    global left
    left -= 1
    if left < 0 and not statement.startswith("PRAGMA"):
        os.kill(os.getpid(), signal.SIGKILL)

@event.listens_for(Engine, "commit")
def before_commit(connection):
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

files.bring_to_head = lambda connection: bring_to_head(connection, folder)
path = files.path_of(url)
asyncio.run(files._migrate(path) if path.exists() else files.upgrade(url))
"""


def migrate_until(folder: Path, statements: int, revisions: Path = FOLDER) -> int:
    """Migrates in a process of its own that is killed before this statement; its exit code."""
    command = [sys.executable, "-c", KILLED, url(folder), str(statements), str(revisions)]
    return subprocess.run(command, check=False).returncode


def schema_of(path: Path) -> list[str]:
    """Every CREATE of a database, alembic's own table and the guards left out."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name <> 'alembic_version' "
            "AND type <> 'trigger' ORDER BY 1"
        )
        return [sql for (sql,) in found]


async def test_the_revisions_make_exactly_the_tables(tmp_path: Path) -> None:
    await upgrade(url(tmp_path))
    engine = create_engine(f"sqlite:///{tmp_path}/tables.db")
    metadata.create_all(engine)
    engine.dispose()
    made, wanted = schema_of(tmp_path / "muster.db"), schema_of(tmp_path / "tables.db")
    assert made == wanted, "Bring bot/store/migrations to what bot/store/tables.py says"


def test_the_revisions_are_one_line_that_the_program_knows() -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS
    assert head() == found[0]


async def test_upgrading_what_is_new_already_changes_nothing(sqlite: Database) -> None:
    await upgrade(sqlite.url)
    assert await current(sqlite.url) == head()


@pytest.mark.parametrize("statements", [0, 1, 10, 40, 70])
async def test_fault_38_the_first_migration_killed_half_way_leaves_no_database(
    tmp_path: Path, statements: int
) -> None:
    assert migrate_until(tmp_path, statements) == -signal.SIGKILL
    assert not (tmp_path / "muster.db").exists()
    database = Database(url(tmp_path))
    await database.start()
    async with database.begin() as store:
        await store.add(officer("o1"))
    await database.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["muster.db"]


@pytest.fixture
def revisions(tmp_path: Path) -> Path:
    """Our revisions and one more."""
    return write_revisions(tmp_path / "revisions")


async def test_fault_38_a_migration_killed_half_way_leaves_the_old_schema_and_starts_again(
    tmp_path: Path, revisions: Path
) -> None:
    folder = tmp_path / "data"
    database = Database(url(folder))
    await database.start()
    async with database.begin() as store:
        await store.add(*(officer(f"o{number:03}") for number in range(300)))
    await database.close()
    old = schema_of(database.path)
    killed = 0
    while migrate_until(folder, killed, revisions) == -signal.SIGKILL:
        killed += 1
        assert schema_of(database.path) == old
        await database.start()  # The old program works on; nothing of the new schema is there.
        async with database.read() as store:
            assert await store.count(Officer) == 300
        await database.close()
    assert killed >= 6
    with closing(sqlite3.connect(database.path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]
        assert connection.execute("SELECT count(*) FROM badges WHERE id LIKE 'badge o%'").fetchone() == (300,)
        assert connection.execute("SELECT count(DISTINCT badge) FROM officers").fetchone() == (300,)
