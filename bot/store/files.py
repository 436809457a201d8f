"""The database file as a whole: made whole at first, brought to the newest schema, copied while it is used."""

import asyncio
import os
import sqlite3
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from bot.store import StoreRefused
from bot.store.migrations import bring_to_head, head
from bot.store.soundness import inspect
from bot.store.sqlite import open_engine, told

GUARDS = ("duty_log_refuses_update", "duty_log_refuses_delete")


def path_of(url: str) -> Path:
    """The file of an SQLite address; StoreRefused for anything else."""
    parts = make_url(url)
    if (
        parts.get_backend_name() != "sqlite"
        or not parts.database
        or parts.database == ":memory:"
        or parts.query
    ):
        raise StoreRefused(
            f"{parts.render_as_string()} cannot be used. Set database.url to sqlite+aiosqlite:///PATH/TO/FILE.db."
        )
    return Path(parts.database)


async def current(url: str) -> str | None:
    """The revision of the database, or None when there is none yet; StoreRefused when it is not sound."""
    return await asyncio.to_thread(inspect, path_of(url))


async def upgrade(url: str) -> None:
    """Makes the database, or brings it to the newest schema in one transaction; all of it or nothing."""
    path = path_of(url)
    found = await current(url)
    if found is None:
        await _make(path)
    elif found != head():
        await _migrate(path)


async def _make(path: Path) -> None:
    """A new file appears only when it is whole: an empty one is always what is left of a lost one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(f"{draft.name}{suffix}").unlink(missing_ok=True)
    os.close(
        os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    )  # Names and phone numbers: ours alone.
    await _migrate(draft)
    await asyncio.to_thread(_put_in_place, draft, path)


async def _migrate(path: Path) -> None:
    engine = open_engine(path, 1, writes=True)
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            await connection.run_sync(bring_to_head)
            await connection.commit()
    except DBAPIError as error:
        raise told(error.orig or error) from error
    finally:
        await engine.dispose()  # The last connection empties the write-ahead log into the file.


def copy(path: Path, target: Path) -> None:
    """A consistent copy of the committed database, made beside it while it is used; never over an existing file."""
    if target.exists():
        raise FileExistsError(f"{target} exists already.")
    draft = target.with_name(f"{target.name}.part")
    draft.unlink(missing_ok=True)
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            connection.execute("VACUUM INTO ?", [str(draft)])
        finally:
            connection.close()
    except sqlite3.Error as error:
        draft.unlink(missing_ok=True)
        raise told(error) from error
    draft.chmod(0o600)
    _put_in_place(draft, target)


def _put_in_place(draft: Path, path: Path) -> None:
    """Names the flushed draft as the file, unless somebody was faster."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    if path.exists():
        draft.unlink()
        return
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def faults(path: Path) -> list[str]:
    """What SQLite finds wrong with the whole file, and which guards of the duty log are not there."""
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            found = [str(fault) for (fault,) in connection.execute("PRAGMA integrity_check") if fault != "ok"]
            named = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            guards = {name for (name,) in connection.execute(named)}
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return found + [f"the trigger {name} is missing" for name in GUARDS if name not in guards]
