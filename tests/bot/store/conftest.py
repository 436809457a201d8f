"""Every store there is: what the contract says holds for each of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store.memory import MemoryDatabase
from bot.store.opening import open_database
from bot.store.sql import Database
from desk.ports import Transactions


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Transactions]:
    """An empty, started store."""
    opened = MemoryDatabase() if request.param == "memory" else open_database(address(request, tmp_path))
    await opened.start()
    yield opened
    await opened.close()


@pytest.fixture(params=["memory", "sqlite"])
async def one_writer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Transactions]:
    """An empty, started store where writers take turns."""
    opened = MemoryDatabase() if request.param == "memory" else Database(url(tmp_path))
    await opened.start()
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty, started SQLite store."""
    opened = Database(url(tmp_path))
    await opened.start()
    yield opened
    await opened.close()


def url(folder: Path) -> str:
    """The address of the desk's database in this folder."""
    return f"sqlite+aiosqlite:///{folder}/muster.db"


def address(request: pytest.FixtureRequest, folder: Path) -> str:
    """The address of a new database of the fixture's parameter."""
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgresql_url")
        return found
    return url(folder)
