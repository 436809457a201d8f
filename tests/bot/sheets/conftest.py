"""Offices for the tests of files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store.memory import MemoryDatabase
from bot.store.sql import Database
from tests.bot.sheets.offices import Office, open_office, staff


@pytest.fixture
async def office() -> Office:
    """An office that knows nobody yet."""
    return open_office(MemoryDatabase())


@pytest.fixture
async def staffed(office: Office) -> Office:
    """An office with two towns and seven people."""
    return await staff(office)


@pytest.fixture
async def sqlite_office(tmp_path: Path) -> AsyncIterator[Office]:
    """The same with seven people, on a database."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/muster.db")
    await database.start()
    yield await staff(open_office(database))
    await database.close()
