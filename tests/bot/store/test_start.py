"""The start: a database is made when there is none, and refused, untouched, when it must not be used."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.store import StoreRefused, StoreUnavailable
from bot.store.files import current, path_of, upgrade
from bot.store.sql import Database
from roster.model import Officer
from tests.bot.store.conftest import url
from tests.bot.store.samples import officer


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A closed database with a thousand people."""
    database = Database(url(tmp_path))
    await database.start()
    async with database.begin() as store:
        await store.add(*(officer(f"o{number:04}") for number in range(1000)))
    await database.close()
    return tmp_path / "muster.db"


async def refused(file: Path, why: str, *, auto_migrate: bool = True) -> None:
    """The start is refused for this reason, and nothing is written, not even beside the file."""
    before = {path.name: path.read_bytes() for path in file.parent.iterdir() if path.is_file()}
    database = Database(url(file.parent), auto_migrate=auto_migrate)
    with pytest.raises(StoreRefused, match=why):
        await database.start()
    with pytest.raises(StoreRefused, match=why):
        await (upgrade(database.url) if auto_migrate else database.start())
    await database.close()
    after = {path.name: path.read_bytes() for path in file.parent.iterdir() if path.is_file()}
    # Looking at a database in WAL mode may leave the empty log and the index of it beside the file.
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {f"{file.name}-wal", f"{file.name}-shm"}


async def test_the_first_start_makes_the_database_and_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    database = Database(url(folder))
    assert await current(database.url) is None
    await database.start()
    assert [path.name for path in folder.iterdir() if path.suffix == ".db"] == ["muster.db"]
    assert (folder / "muster.db").stat().st_mode & 0o077 == 0  # Names and phone numbers are nobody else's.
    assert (folder / "muster.db-wal").stat().st_mode & 0o077 == 0
    await database.close()


async def test_a_second_start_keeps_the_data(file: Path) -> None:
    database = Database(url(file.parent))
    await database.start()
    async with database.read() as store:
        assert await store.count(Officer) == 1000
    await database.close()


async def test_fault_24_a_flipped_header_is_refused(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[3] ^= 0xFF
    file.write_bytes(content)
    await refused(file, "corrupt.*restore")


@pytest.mark.parametrize("page", [1, 2, 5, 20, 60])
async def test_fault_24_a_flipped_page_is_refused(file: Path, page: int) -> None:
    content = bytearray(file.read_bytes())
    begin = page * 4096
    for place in range(begin, begin + 64):
        content[place] ^= 0xFF
    file.write_bytes(content)
    await refused(file, "corrupt.*restore")


@pytest.mark.parametrize("size", [1, 100, 4096, 40_000])
async def test_fault_24_a_file_cut_off_is_refused(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])
    await refused(file, "corrupt.*restore")


async def test_fault_24_an_empty_file_is_refused_instead_of_filled_anew(file: Path) -> None:
    file.write_bytes(b"")
    await refused(file, "empty.*restore")


async def test_fault_24_a_file_that_is_gone_while_its_log_is_there_is_refused(file: Path) -> None:
    file.with_name("muster.db-wal").write_bytes(b"what was last written")
    file.unlink()
    await refused(file, "gone.*restore")


@pytest.mark.parametrize(
    "content", [b"name,phone\n", b"\x00" * 8192, b"PK\x03\x04"], ids=["csv", "zeros", "zip"]
)
async def test_fault_24_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "muster.db").write_bytes(content)
    await refused(tmp_path / "muster.db", "corrupt or no database")


async def test_fault_24_a_file_marked_read_only_is_refused(file: Path) -> None:
    file.chmod(0o444)
    await refused(file, "read-only")


async def test_fault_24_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "muster.db").mkdir()
    await refused(tmp_path / "muster.db", "not a file")


async def test_fault_24_another_programs_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "muster.db")) as other:
        other.execute("CREATE TABLE officers (id TEXT)")
        other.commit()
    await refused(tmp_path / "muster.db", "not this desk's")


async def test_fault_39_a_newer_schema_is_refused(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    await refused(file, "9999.*newer")


async def test_fault_39_a_database_of_an_unreleased_version_is_refused(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("ALTER TABLE officers DROP COLUMN wecom")
    await refused(file, "unreleased.*officers")


async def test_without_auto_migrate_a_missing_database_names_the_command(tmp_path: Path) -> None:
    await refused(tmp_path / "muster.db", "python3 run.py migrate", auto_migrate=False)
    assert list(tmp_path.iterdir()) == []
    await upgrade(url(tmp_path))
    database = Database(url(tmp_path), auto_migrate=False)
    await database.start()
    await database.close()


async def test_a_database_held_by_another_process_is_unavailable_not_refused(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as stranger:
        stranger.execute("PRAGMA locking_mode = EXCLUSIVE")
        stranger.execute("BEGIN EXCLUSIVE")
        stranger.execute("DELETE FROM officers WHERE id = 'none'")
        database = Database(url(file.parent))
        with pytest.raises(StoreUnavailable, match="locked"):
            await database.start()
        await database.close()
    await database.start()
    await database.close()


async def test_a_crashed_databases_log_is_read_at_the_next_start(file: Path, tmp_path: Path) -> None:
    database = Database(url(file.parent))
    await database.start()
    async with database.begin() as store:
        await store.add(officer("last"))
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("muster.db", "muster.db-wal"):  # As they lie there when the power goes.
        shutil.copy(file.with_name(name), crashed / name)
    await database.close()
    again = Database(url(crashed))
    await again.start()
    async with again.read() as store:
        assert await store.get(Officer, "last") == officer("last")
    await again.close()


@pytest.mark.parametrize(
    "address",
    [
        "sqlite+aiosqlite:///:memory:",
        "sqlite+aiosqlite://",
        "mysql://office:secret@db/muster",
        "sqlite:///a?mode=ro",
    ],
)
def test_an_address_that_is_no_file_is_refused_without_telling_its_password(address: str) -> None:
    with pytest.raises(StoreRefused, match="sqlite\\+aiosqlite:///PATH") as told:
        path_of(address)
    assert "secret" not in str(told.value)
