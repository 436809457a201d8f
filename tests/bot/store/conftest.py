"""Every store there is: what the contract says holds for each of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store.memory import MemoryDatabase
from bot.store.sql import Database
from desk.ports import Transactions


@pytest.fixture(params=["memory", "sqlite"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Transactions]:
    """An empty, started store."""
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
